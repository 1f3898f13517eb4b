# SPDX-License-Identifier: Apache-2.0
# Every order of events within bounds; LONG=1: wider ones, for many minutes.
.PHONY: explore
explore: $(BUILD)/build.ninja ## Visit all states of a small shard within bounds (LONG=1: wider).
	@$(call ninja,$(BUILD),raft_tests) >/dev/null
	@export DRUMBEAT_EXPLORE=$(if $(LONG),large,medium); \
	  $(call filtered,$(BUILD)/tests/raft_tests,ExplorerTest.*)
