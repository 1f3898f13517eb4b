# SPDX-License-Identifier: Apache-2.0
# KILLS: how often a replica is killed while everybody types, and how often all are.
.PHONY: kills
KILLS ?= 100

kills: $(BUILD)/build.ninja ## Kill replicas of the example, KILLS=n times; no printed line is lost.
	@$(call ninja,$(BUILD),system_tests) >/dev/null
	@DRUMBEAT_KILLS=$(KILLS) $(BUILD)/tests/system/system_tests --gtest_filter='KillTest.*' \
	  --gtest_brief=1
