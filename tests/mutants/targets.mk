# SPDX-License-Identifier: Apache-2.0
# make mutants: break the library in every way of catalogue.py and demand that the tests notice.
# MUTANTS='forget-vote ...': only those. MUTANTS=few: the ones that take little, for a short run.
.PHONY: mutants
FEW_MUTANTS := skip-vote-flush forget-vote skip-entry-flush snapshot-without-sessions \
  unknown-told-as-refused
CHOSEN_MUTANTS = $(if $(filter few,$(MUTANTS)),$(FEW_MUTANTS),$(MUTANTS))

mutants: $(BUILD)/build.ninja ## Test the tests: every fault built into the library is found.
	@$(call ninja,$(BUILD),$$(python3 tests/mutants/run.py --programs $(CHOSEN_MUTANTS))) >/dev/null
	@python3 tests/mutants/run.py --build $(BUILD) --jobs $(JOBS) $(CHOSEN_MUTANTS)
