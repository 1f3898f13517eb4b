# SPDX-License-Identifier: Apache-2.0
# SECONDS for each target; TARGET picks one. LONG=1: as long as an hour on two cores allows.
.PHONY: fuzz
SECONDS ?= $(if $(LONG),480,15)
TARGET ?=

fuzz: build-deps ## Fuzz every parser and a whole replica: SECONDS=n each, TARGET=name.
	@tests/fuzz/run --build build-fuzz --seconds $(SECONDS) --jobs $(JOBS) $(TARGET)
