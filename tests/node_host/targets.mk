# SPDX-License-Identifier: Apache-2.0
# CLOSES: how often a host is closed while its clients and its shard are at work, by four processes,
# as most of the time is spent waiting for elections.
.PHONY: closes
CLOSES ?= 10000

closes: $(BUILD)/build.ninja ## Close a host in the middle of everything, CLOSES=n times.
	@$(call ninja,$(BUILD),node_host_tests) >/dev/null
	@seq 4 | DRUMBEAT_CLOSES=$$(($(CLOSES) / 4)) xargs -P 4 -I % \
	  $(BUILD)/tests/node_host_tests --gtest_filter='CloseRaceTest.*' --gtest_brief=1
