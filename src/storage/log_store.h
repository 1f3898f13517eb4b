// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "drumbeat/error.h"
#include "drumbeat/event_listener.h"
#include "drumbeat/types.h"

#include "codec/records.h"
#include "raft/entry.h"

namespace drumbeat::storage {

/// What one replica wants made durable.
struct ReplicaUpdate {
  ReplicaRef replica;
  std::optional<raft::HardState> hard_state = std::nullopt;
  /// Contiguous; they replace everything from the first one on.
  std::span<const raft::Entry> entries = {};
  /// The log starts anew behind this index: older entries and all that follow are dropped. The
  /// image and its record are already in the snapshot store.
  std::optional<raft::SnapshotRecord> restart_behind = std::nullopt;
};

/// What is known of a replica's log, read once when it starts.
struct StoredLog {
  raft::HardState hard_state;
  /// Entries first to last are there, without a gap; first = last + 1 when there are none.
  Index first{1};
  Index last;
  /// Term of the entry before first, if known (it was cut behind a snapshot).
  std::optional<Term> term_before_first = std::nullopt;
};

/// The durable log, hard state and bootstrap record of all replicas of a host.
///
/// Thread-safety: all functions from any thread at once; those that name a replica not for the
/// same replica at once, except Read.
/// Failure: an error of a writing function is kWriteFailed: what it wrote may or may not be there,
/// so the replicas that it named must stop. After the first one every later write fails too: a
/// failed sync is final, nothing is retried. kDamaged from a reading function stops that replica.
/// A replica of which something could not be read when the store was opened gets the error of that
/// from every function but Remove, and nothing of it is changed.
class LogStore {
 public:
  virtual ~LogStore() = default;

  /// Writes all updates as one atomic batch, one for each replica at most, durable on return. The
  /// one hot path: many replicas, one sync. kInvalidArgument, with nothing written, when entries do
  /// not join a log.
  virtual Result<void> Save(std::span<const ReplicaUpdate> updates) = 0;

  /// Everything at `index` and below may go; small cuts are put off. Syncs.
  virtual Result<void> CutThrough(const ReplicaRef& replica, Index index) = 0;

  /// What is stored of `replica`. Entries that a gap or damage cuts off give kDamaged.
  virtual Result<StoredLog> Load(const ReplicaRef& replica) = 0;
  /// Entries in [first, end), at least one, then as many as fit into `max_bytes` (EntrySize).
  /// Asking for what is not there gives kDamaged.
  virtual Result<std::vector<raft::Entry>> Read(const ReplicaRef& replica, Index first, Index end,
                                                std::uint64_t max_bytes) = 0;

  /// How `replica` was first started; nothing when it never was. Saving syncs.
  virtual Result<void> SaveBootstrap(const ReplicaRef& replica, const codec::Bootstrap& record) = 0;
  virtual Result<std::optional<codec::Bootstrap>> LoadBootstrap(const ReplicaRef& replica) = 0;

  /// All replicas with a bootstrap record, be it damaged.
  virtual Result<std::vector<ReplicaRef>> List() = 0;
  /// Those of `shard`; costs the same however many others there are.
  virtual Result<std::vector<ReplicaRef>> List(ShardId shard) = 0;

  /// Deletes everything of `replica` and leaves a mark that it was removed for ever. Syncs.
  virtual Result<void> Remove(const ReplicaRef& replica) = 0;
  virtual Result<bool> WasRemoved(const ReplicaRef& replica) = 0;
};

}  // namespace drumbeat::storage
