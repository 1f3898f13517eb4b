# SPDX-License-Identifier: Apache-2.0
# CLOSES: how often a host is closed while its clients and its shard are at work, by four processes,
# as most of the time is spent waiting for elections.
.PHONY: closes
CLOSES ?= 10000

closes: $(BUILD)/build.ninja ## Close a host in the middle of everything, CLOSES=n times.
	@$(call ninja,$(BUILD),node_host_tests) >/dev/null
	@export DRUMBEAT_CLOSES=$$(($(CLOSES) / 4)); seq 4 | xargs -P 4 -I % \
	  sh -c "$(call filtered,$(BUILD)/tests/node_host_tests,CloseRaceTest.*)"
