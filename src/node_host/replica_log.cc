// SPDX-License-Identifier: Apache-2.0
#include "node_host/replica_log.h"

namespace drumbeat::node_host {

ReplicaLog::ReplicaLog(storage::LogStore& store, const ReplicaRef& replica,
                       const storage::StoredLog& stored, const raft::SnapshotRecord& snapshot)
    : store_(store),
      replica_(replica),
      first_(stored.first),
      last_(stored.last),
      term_before_first_(stored.term_before_first),
      snapshot_(snapshot) {}

Result<std::optional<Term>> ReplicaLog::TermAt(Index index) const {
  if (index == Index(0)) return Term(0);
  if (index == snapshot_.index) return snapshot_.term;
  if (index + 1 == first_) return term_before_first_;
  if (index < first_ || index > last_) return std::nullopt;
  if (cached_.first == index) return cached_.second;
  Result<std::vector<raft::Entry>> entry = store_.Read(replica_, index, index + 1, 0);
  if (!entry) return std::unexpected(entry.error());
  cached_ = {index, entry->front().term};
  return cached_.second;
}

Result<std::vector<raft::Entry>> ReplicaLog::Read(Index first, Index end,
                                                  std::uint64_t max_bytes) const {
  return store_.Read(replica_, first, end, max_bytes);
}

void ReplicaLog::Saved(const std::vector<raft::Entry>& entries) {
  if (entries.empty()) return;
  if (entries.front().index <= cached_.first) cached_ = {};
  last_ = entries.back().index;
}

void ReplicaLog::Restarted(const raft::SnapshotRecord& snapshot) {
  snapshot_ = snapshot;
  first_ = snapshot.index + 1;
  last_ = snapshot.index;
  term_before_first_ = snapshot.term;
  cached_ = {};
}

void ReplicaLog::SetSnapshot(const raft::SnapshotRecord& snapshot) {
  if (snapshot.index > snapshot_.index) snapshot_ = snapshot;
}

Result<bool> ReplicaLog::CutThrough(Index index) {
  if (index < first_ || index > last_) return false;
  Result<std::optional<Term>> term = TermAt(index);
  if (!term) return std::unexpected(term.error());
  if (Result<void> cut = store_.CutThrough(replica_, index); !cut) {
    return std::unexpected(cut.error());
  }
  first_ = index + 1;
  term_before_first_ = *term;
  return true;
}

}  // namespace drumbeat::node_host
