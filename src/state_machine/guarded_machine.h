// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <any>
#include <memory>
#include <stop_token>
#include <string_view>

#include "drumbeat/error.h"
#include "drumbeat/snapshot.h"
#include "drumbeat/state_machine.h"
#include "drumbeat/types.h"

namespace drumbeat::state_machine {

/// Whether the calling thread is inside of some user's state machine.
bool InUserCode();

/// The user's state machine behind a wall: whatever it throws or returns as an error comes out as
/// an Error of ours that says which call it was. The codes decide what becomes of the replica:
/// kReplicaFailed means that its state cannot be trusted any more.
///
/// Thread-safety: as StateMachine; the caller excludes what must be excluded.
class GuardedMachine {
 public:
  /// `machine` is null on a witness, as behind Close(): nothing else is called here then.
  explicit GuardedMachine(std::unique_ptr<StateMachine> machine);

  explicit operator bool() const { return machine_ != nullptr; }

  /// kReplicaFailed for any failure.
  Result<ApplyResult> Update(Index index, std::string_view command);
  /// An error that the machine returns is its answer and passes unchanged; an exception is
  /// kReplicaFailed.
  Result<std::any> Lookup(const std::any& query) const;
  /// The writer's own error where there was one; kAborted when the machine says so; everything
  /// else is kReplicaFailed.
  Result<void> Save(SnapshotWriter& writer, std::stop_token stop) const;
  /// As Save, with the reader's errors.
  Result<void> Recover(SnapshotReader& reader, std::stop_token stop);
  /// And destroys it. What it throws is dropped: nothing depends on it any more.
  void Close();

 private:
  std::unique_ptr<StateMachine> machine_;
};

}  // namespace drumbeat::state_machine
