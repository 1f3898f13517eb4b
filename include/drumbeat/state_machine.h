// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <any>
#include <functional>
#include <memory>
#include <stop_token>
#include <string_view>

#include "drumbeat/error.h"
#include "drumbeat/snapshot.h"
#include "drumbeat/types.h"

namespace drumbeat {

/// A committed command on its way into a state machine.
struct UpdateEntry {
  Index index;
  /// The proposed bytes, maybe none. Valid during the call only.
  std::string_view command;
};

/// A replicated state machine kept in memory (Dragonboat's IStateMachine): it starts empty with
/// each process and is rebuilt from the newest snapshot and the log behind it.
///
/// Determinism: after the same commands, every replica must be in the same state and must have
/// returned the same results. No clock, no dice, no addresses, no iteration order of hash maps.
/// Thread-safety: Update, RecoverFromSnapshot and Close are called alone; Lookup and SaveSnapshot
/// share, with each other and among themselves, but never with those three.
/// Errors and exceptions: what a callback throws or returns as an error stops this replica (it is
/// told to the EventListener), not the process and no other replica. So does a command that makes
/// Update throw, on every replica and again after each start: a refusal that is part of the
/// application belongs into the ApplyResult. An error that Lookup returns is its answer and stops
/// nothing, nor does kAborted from SaveSnapshot, which only ends that snapshot; what they throw
/// does. Callbacks must not call the NodeHost's blocking functions (see there).
class StateMachine {
 public:
  virtual ~StateMachine() = default;

  /// Applies one command. Indexes rise strictly; gaps are normal.
  virtual Result<ApplyResult> Update(const UpdateEntry& entry) = 0;

  /// Answers `query` from the present state without changing it. Return an error for a query that
  /// makes no sense: one that throws stops each replica that it is put to.
  virtual Result<std::any> Lookup(const std::any& query) const = 0;

  /// Writes the whole state. Updates wait until it returns. `stop` is set when the replica stops;
  /// obey it in long saves by returning ErrorCode::kAborted.
  virtual Result<void> SaveSnapshot(SnapshotWriter& writer, std::stop_token stop) const = 0;

  /// Replaces the whole state by the one that `reader` holds.
  virtual Result<void> RecoverFromSnapshot(SnapshotReader& reader, std::stop_token stop) = 0;

  /// Called once, last; then it is destroyed. Durability must not depend on either.
  virtual void Close() {}
};

/// Makes the state machine of a replica; called once for each start of it.
using StateMachineFactory = std::function<std::unique_ptr<StateMachine>(ShardId, ReplicaId)>;

}  // namespace drumbeat
