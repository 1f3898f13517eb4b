# SPDX-License-Identifier: Apache-2.0
# SECONDS for each target; TARGET picks one. CPU_HOURS: until each has had so much of the CPU, earlier
# runs in this build folder counted. LONG=1: CPU_HOURS=1, five and a half hours of two cores.
.PHONY: fuzz
SECONDS ?= 15
CPU_HOURS ?= $(if $(LONG),1)
TARGET ?=

fuzz: deps ## Fuzz every parser and a whole replica: SECONDS=n each, LONG=1, TARGET=name.
	@tests/fuzz/run --build build-fuzz --seconds $(SECONDS) \
	  $(if $(CPU_HOURS),--cpu-hours $(CPU_HOURS)) --jobs $(JOBS) $(TARGET)
