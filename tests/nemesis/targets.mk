# SPDX-License-Identifier: Apache-2.0
# MINUTES: of faults; POWER_CUTS: so many power cuts of all three replicas instead; SEED repeats a
# schedule of faults; NEMESIS: more options of the program, such as NEMESIS='-v -only kill,isolate'.
POWER_CUTS ?=
NEMESIS ?=
# Other targets have another default.
nemesis_minutes = $(if $(filter command environment,$(firstword $(origin MINUTES))),$(MINUTES),3)

.PHONY: nemesis
nemesis: $(BUILD)/build.ninja ## Real faults for real replicas; MINUTES=, POWER_CUTS=, SEED=.
	@$(call ninja,$(BUILD),interop_node nemesis_preload)
	@tests/nemesis/run --node $(BUILD)/tests/interop/interop_node \
	  --preload $(BUILD)/tests/nemesis/libnemesis_preload.so --build $(BUILD)/nemesis -- \
	  $(if $(POWER_CUTS),-cuts $(POWER_CUTS),-duration $(nemesis_minutes)m) $(if $(SEED),-seed $(SEED)) $(NEMESIS) \
	  || [ $$? = 77 ]
