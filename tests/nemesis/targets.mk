# SPDX-License-Identifier: Apache-2.0
# Two thirds of the time the nodes are interop_node, one third example-helloworld. MINUTES: of faults;
# POWER_CUTS: so many power cuts of all three replicas instead; SEED repeats a schedule of faults;
# NEMESIS: more options of the program, such as NEMESIS='-v -only kill,isolate'.
POWER_CUTS ?=
NEMESIS ?=
# Other targets have another default.
nemesis_minutes = $(if $(filter command environment,$(firstword $(origin MINUTES))),$(MINUTES),3)

.PHONY: nemesis
nemesis: $(BUILD)/build.ninja ## Real faults for real replicas; MINUTES=, POWER_CUTS=, SEED=.
	@$(call install_missing,$(PROCESS_PACKAGES))
	@$(call ninja,$(BUILD),interop_node example-helloworld nemesis_preload)
	@$(call nemesis,--node $(BUILD)/tests/interop/interop_node,40)
	@$(call nemesis,--example $(BUILD)/src/examples/helloworld/example-helloworld,20)

# One run: the program; seconds out of each minute. What was skipped said so, loudly.
nemesis = tests/nemesis/run $(1) --preload $(BUILD)/tests/nemesis/libnemesis_preload.so \
  --build $(BUILD)/nemesis -- \
  $(if $(POWER_CUTS),-cuts $(POWER_CUTS),-duration $$(($(nemesis_minutes) * $(2)))s) \
  $(if $(SEED),-seed $(SEED)) $(NEMESIS) || [ $$? = 77 ]
