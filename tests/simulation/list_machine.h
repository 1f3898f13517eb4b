// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "drumbeat/state_machine.h"

#include "simulation/oracle.h"

namespace drumbeat::simulation {

/// A list of commands, known by its length and hash; tells the oracle of every change. Result of an
/// update: the command's place. Lookup: the ListState.
class ListMachine : public StateMachine {
 public:
  explicit ListMachine(Oracle& oracle) : oracle_(oracle) {}

  Result<ApplyResult> Update(const UpdateEntry& entry) override;
  Result<std::any> Lookup(const std::any& query) const override;
  Result<void> SaveSnapshot(SnapshotWriter& writer, std::stop_token stop) const override;
  Result<void> RecoverFromSnapshot(SnapshotReader& reader, std::stop_token stop) override;

 private:
  Oracle& oracle_;
  ListState state_;
};

}  // namespace drumbeat::simulation
