# SPDX-License-Identifier: Apache-2.0
# make sim: fresh seeds for MINUTES on JOBS cores; make sim SEED=42: that one, with its trace.
.PHONY: sim
MINUTES ?= $(if $(LONG),30,2)

sim: $(BUILD)/build.ninja ## Simulate whole hosts: SEED=n, or MINUTES=n on JOBS cores.
	@$(call ninja,$(BUILD),simulate) >/dev/null
	@if [ -n "$(SEED)" ]; then exec $(BUILD)/tests/simulation/simulate $(SEED); fi; \
	first=$$(date +%s)000; failed=0; pids=; logs=$$(mktemp -d); \
	trap 'rm -rf "$$logs"' EXIT; \
	for job in $$(seq $(JOBS)); do \
	  $(BUILD)/tests/simulation/simulate --seconds $$(($(MINUTES) * 60)) \
	    $$(($$first + $$job * 1000000000)) >"$$logs/$$job" & pids="$$pids $$!"; done; \
	for pid in $$pids; do wait $$pid || failed=1; done; \
	grep -hE 'BROKEN|seeds,' "$$logs"/*; exit $$failed
