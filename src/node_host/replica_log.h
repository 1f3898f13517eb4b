// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "drumbeat/event_listener.h"

#include "raft/log_reader.h"
#include "storage/log_store.h"

namespace drumbeat::node_host {

/// One replica's durable log as its Raft reads it: a view of the log store plus what is known
/// without asking it.
/// Thread-safety: none; it belongs to the thread that runs the replica's Raft.
class ReplicaLog : public raft::LogReader {
 public:
  ReplicaLog(storage::LogStore& store, const ReplicaRef& replica, const storage::StoredLog& stored,
             const raft::SnapshotRecord& snapshot);

  Index first() const override { return first_; }
  Index last() const override { return last_; }
  const raft::SnapshotRecord& snapshot() const override { return snapshot_; }
  Result<std::optional<Term>> TermAt(Index index) const override;
  Result<std::vector<raft::Entry>> Read(Index first, Index end,
                                        std::uint64_t max_bytes) const override;

  /// These entries are durable now; they replaced everything from the first one on.
  void Saved(const std::vector<raft::Entry>& entries);
  /// The log was started anew behind `snapshot`.
  void Restarted(const raft::SnapshotRecord& snapshot);
  /// There is a newer snapshot.
  void SetSnapshot(const raft::SnapshotRecord& snapshot);
  /// Cuts everything at `index` and below, here and in the store. Whether anything was there.
  Result<bool> CutThrough(Index index);

 private:
  storage::LogStore& store_;
  const ReplicaRef replica_;
  Index first_;
  Index last_;
  std::optional<Term> term_before_first_;
  raft::SnapshotRecord snapshot_;
  /// The last term that was read from the store.
  mutable std::pair<Index, Term> cached_;
};

}  // namespace drumbeat::node_host
