# SPDX-License-Identifier: Apache-2.0
# KILLS: how often a replica is killed while everybody types, and how often all are. TRIES: how often
# a leader is killed, and ended by CTRL+C, while somebody waits for the answer to one line: of 100,
# 95 must have it within six seconds. LONG=1: 100 of these, too, which take a quarter of an hour.
.PHONY: kills
KILLS ?= 100
TRIES ?= $(if $(LONG),100)

kills: $(BUILD)/build.ninja ## Kill replicas of the example, KILLS=n times; no printed line is lost.
	@$(call ninja,$(BUILD),system_tests) >/dev/null
	@export DRUMBEAT_KILLS=$(KILLS) $(if $(TRIES),DRUMBEAT_TRIES=$(TRIES)); \
	  $(call filtered,$(BUILD)/tests/system/system_tests,KillTest.*$(if $(TRIES),:FailoverTest.*))
