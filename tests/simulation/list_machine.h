// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "drumbeat/state_machine.h"

#include "simulation/sim_shard.h"

namespace drumbeat::simulation {

/// A list of commands, known by its length and hash; tells the oracles of every change. Result of
/// an update: the command's place. Lookup: the ListState.
class ListMachine : public StateMachine {
 public:
  ListMachine(SimShard& shard, ReplicaId replica) : shard_(shard), replica_(replica) {}

  Result<ApplyResult> Update(const UpdateEntry& entry) override;
  Result<std::any> Lookup(const std::any& query) const override;
  Result<void> SaveSnapshot(SnapshotWriter& writer, std::stop_token stop) const override;
  Result<void> RecoverFromSnapshot(SnapshotReader& reader, std::stop_token stop) override;

 private:
  SimShard& shard_;
  const ReplicaId replica_;
  ListState state_;
};

}  // namespace drumbeat::simulation
