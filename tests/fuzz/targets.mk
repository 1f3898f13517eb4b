# SPDX-License-Identifier: Apache-2.0
# SECONDS for each target; TARGET picks one. LONG=1: as long as an hour on two cores allows.
# CPU_HOURS: until each has had so much of the CPU, earlier runs in this build folder counted.
.PHONY: fuzz
SECONDS ?= $(if $(LONG),480,15)
CPU_HOURS ?=
TARGET ?=

fuzz: build-deps ## Fuzz every parser and a whole replica: SECONDS=n each, TARGET=name.
	@tests/fuzz/run --build build-fuzz $(if $(CPU_HOURS),--cpu-hours $(CPU_HOURS),--seconds $(SECONDS)) \
	  --jobs $(JOBS) $(TARGET)
