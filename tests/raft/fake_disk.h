// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "raft/log_reader.h"
#include "raft/raft.h"

namespace drumbeat::raft::testing {

/// What one replica has on its disk. Survives the replica; what was not synced may be lost.
class FakeDisk : public LogReader {
 public:
  Index first() const override { return cut_ + 1; }
  Index last() const override { return cut_ + entries_.size(); }
  const SnapshotRecord& snapshot() const override { return snapshot_; }
  Result<std::optional<Term>> TermAt(Index index) const override;
  Result<std::vector<Entry>> Read(Index first, Index end, std::uint64_t max_bytes) const override;

  const HardState& hard_state() const { return hard_state_; }
  void set_hard_state(const HardState& state) { hard_state_ = synced_ = state; }
  /// The hard state that a power cut leaves.
  const HardState& synced() const { return synced_; }

  /// The atomic write of one output.
  void Write(const Output& output);
  /// A power cut: unsynced hard states are gone.
  void LoseUnsynced() { hard_state_ = synced_; }
  /// A snapshot of the own state machine.
  void SetSnapshot(const SnapshotRecord& snapshot) { snapshot_ = snapshot; }
  /// Cuts off the log up to `index`, which the snapshot covers.
  void Cut(Index index);
  /// For tests that start from a given log.
  void Append(Entry entry);
  /// A disk that lied: its last entry is gone.
  void LoseLast() { entries_.pop_back(); }
  /// Reads fail from now on.
  void Break() { broken_ = true; }

 private:
  HardState hard_state_;
  HardState synced_;
  SnapshotRecord snapshot_;
  Index cut_;  // entries_ begin behind it
  Term cut_term_;
  std::vector<Entry> entries_;
  bool broken_ = false;
};

}  // namespace drumbeat::raft::testing
