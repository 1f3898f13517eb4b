# SPDX-License-Identifier: Apache-2.0
# BENCH: options of the program, such as `make bench BENCH=--quick`; BENCH=--help lists them.
bench: all
	@$(BUILD)/tests/bench/drumbeat_bench $(BENCH)
