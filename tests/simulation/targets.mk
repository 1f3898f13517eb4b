# SPDX-License-Identifier: Apache-2.0
# make sim: 200 fixed seeds, then fresh ones for MINUTES on JOBS cores; SEEDS=10000 for more fixed
# ones, MINUTES=0 for those alone. make sim SEED=42: that one; with LOG=1 also what its hosts log.
.PHONY: sim
# Of each core at least LEAST hours an hour are demanded.
LEAST ?= 1000
MINUTES ?= $(if $(LONG),30,3)
SEEDS ?= $(if $(LONG),10000,200)
SIMULATE = $(BUILD)/tests/simulation/simulate

sim: $(BUILD)/build.ninja ## Simulate whole hosts: SEED=n, or MINUTES=n on JOBS cores.
	@$(call ninja,$(BUILD),simulate) >/dev/null
	@if [ -n "$(SEED)" ]; then exec env $(if $(LOG),DRUMBEAT_SIM_LOG=1) $(SIMULATE) $(SEED); fi; \
	export DRUMBEAT_SIM_LEAST=$(LEAST); \
	logs=$$(mktemp -d); trap 'rm -rf "$$logs"' EXIT; \
	tests/simulation/on_cores $(JOBS) "$$logs" fixed $(SIMULATE) $(SEEDS) && \
	if [ $(MINUTES) = 0 ]; then exit; fi && \
	tests/simulation/on_cores $(JOBS) "$$logs" fresh $(SIMULATE) $$(($(MINUTES) * 60))
