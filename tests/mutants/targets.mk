# SPDX-License-Identifier: Apache-2.0
# make mutants: break the library in every way of catalogue.py and demand that the tests notice.
# MUTANTS='forget-vote ...': only those. MUTANTS=few, for a short run: faults in what all else rests on
# (votes, flushes, commits, snapshots, sessions, checksums), of those that compile and show quickly.
.PHONY: mutants
FEW_MUTANTS := skip-vote-flush skip-entry-flush commit-old-term vote-without-log-check forget-vote \
  truncate-on-append count-non-voters snapshot-without-membership snapshot-without-sessions \
  skip-frame-crc skip-record-crc retry-flush repeat-applied-series unknown-told-as-refused \
  read-before-applied
CHOSEN_MUTANTS = $(if $(filter few,$(MUTANTS)),$(FEW_MUTANTS),$(MUTANTS))

mutants: $(BUILD)/build.ninja ## Test the tests: every fault built into the library is found.
	@$(call ninja,$(BUILD),$$(python3 tests/mutants/run.py --programs $(CHOSEN_MUTANTS))) >/dev/null
	@python3 tests/mutants/run.py --build $(BUILD) --jobs $(JOBS) $(CHOSEN_MUTANTS)
