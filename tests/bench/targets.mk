# SPDX-License-Identifier: Apache-2.0
# BENCH: options of the program, such as `make bench BENCH=--quick`; BENCH=--help lists them.
# BENCH=--verdict: fails when less is reached than is promised of a machine that does nothing else;
# --verdict=0.6: than that part of it.
.PHONY: bench
bench: all ## Measure the library beside the floor of this machine.
	@$(BUILD)/tests/bench/drumbeat_bench $(BENCH)
