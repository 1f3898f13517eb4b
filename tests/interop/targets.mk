# SPDX-License-Identifier: Apache-2.0
# INTEROP: options of the driver, such as `make interop INTEROP='-run sessions -v'`; README.md here
# lists them. SEED, when set, is its seed. Where Go or its module proxy is missing, the target
# succeeds, and says in its last line that everything was skipped.

.PHONY: interop
interop: helloworld ## Run mixed groups with real Dragonboat replicas; QUICK=1 or LONG=1.
	@$(call install_missing,$(PROCESS_PACKAGES))
	@$(call ninja,$(BUILD),interop_node)
	@tests/interop/run --node $(BUILD)/tests/interop/interop_node --example ./example-helloworld \
	  --build $(BUILD)/interop -- $(if $(QUICK),-quick) $(if $(LONG),-duration 10m) \
	  $(if $(SEED),-seed $(SEED)) $(INTEROP) || [ $$? = 77 ]
