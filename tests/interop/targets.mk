# SPDX-License-Identifier: Apache-2.0
# INTEROP: options of the driver, such as `make interop INTEROP='-run sessions -v'`; README.md here
# lists them. SEED, when set, is its seed.
.PHONY: interop
interop: all helloworld ## Run mixed groups with real Dragonboat v4 replicas.
	@tests/interop/run --node $(BUILD)/tests/interop/interop_node --example ./example-helloworld \
	  --build $(BUILD)/interop -- $(if $(SEED),-seed $(SEED)) $(INTEROP) || [ $$? = 77 ]
