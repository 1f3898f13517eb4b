// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "drumbeat/error.h"
#include "drumbeat/event_listener.h"

#include "base/mutex.h"
#include "codec/chunk.h"
#include "codec/snapshot_image.h"
#include "storage/snapshot_store.h"

namespace drumbeat::node_host {

/// Puts snapshots together from the chunks that arrive, checks them on the way and makes each
/// durable with its last chunk. File names that a sender gives are never used.
///
/// Nobody tells it that a stream broke off, and a replica loads one snapshot at a time: so each
/// replica has one stream, which ends when its sender begins another one, of whatever index, or
/// when the leader that the replica follows does. No other member's chunks end it; whoever speaks
/// in its sender's or the leader's name could as well send a whole one.
///
/// Thread-safety: all functions from any thread; chunks of one snapshot one after the other.
class SnapshotReceiver {
 public:
  /// `max_streams`: unfinished snapshots at once.
  SnapshotReceiver(storage::SnapshotStore& store, std::uint64_t deployment_id,
                   std::size_t max_streams)
      : store_(store), deployment_id_(deployment_id), max_streams_(max_streams) {}

  /// What a chunk came to.
  enum class Progress : std::uint8_t { kMore, kComplete };
  struct Step {
    Progress progress = Progress::kMore;
    /// With kComplete: durable and the newest of its replica, unless the replica has committed all
    /// that it holds. Whoever sent one that was not needed waits to hear so all the same.
    raft::SnapshotRecord snapshot;
  };
  /// What the receiving replica has without it.
  struct Situation {
    std::uint64_t now_tick = 0;
    Index committed = {};
    /// Whom it follows; 0: nobody.
    ReplicaId leader = {};
  };
  /// Takes the next chunk. Errors: refused, with the reason; what was there of this snapshot, if
  /// the chunk is of its sender, is gone, unless the chunk is only out of its order.
  Result<Step> Add(const codec::Chunk& chunk, const Situation& situation);

  /// Gives up on streams that have made no progress since before `tick`. What is left of them:
  /// letting go of that deletes files, which may take long.
  [[nodiscard]] std::vector<std::shared_ptr<void>> Expire(std::uint64_t tick);
  /// Gives up on what arrives for `replica`, which has ended; likewise.
  [[nodiscard]] std::vector<std::shared_ptr<void>> Drop(const ReplicaRef& replica);

 private:
  struct Stream {
    ReplicaId from;
    std::uint64_t next_chunk = 0;
    std::uint64_t bytes = 0;
    raft::SnapshotRecord record;
    std::unique_ptr<storage::SnapshotSink> sink;
    std::unique_ptr<codec::ImageValidator> validator;
  };
  struct Known {
    /// Whoever adds its chunks uses it without the mutex.
    std::shared_ptr<Stream> stream;
    std::uint64_t last_tick = 0;
  };

  /// The stream that the chunk goes on, or begins again. Null when it is not known.
  std::shared_ptr<Stream> Find(const codec::Chunk& chunk);
  /// It has made progress.
  void GoesOn(const ReplicaRef& replica, std::uint64_t tick);
  Result<std::shared_ptr<Stream>> Begin(const codec::Chunk& chunk, const Situation& situation);
  Result<Step> Append(Stream& stream, const codec::Chunk& chunk, Index committed);
  Result<Step> Complete(Stream& stream, const ReplicaRef& replica, Index committed);
  /// Unless another one has taken its place.
  void Forget(const ReplicaRef& replica, const std::shared_ptr<Stream>& stream);

  storage::SnapshotStore& store_;
  const std::uint64_t deployment_id_;
  const std::size_t max_streams_;
  base::Mutex mutex_;
  std::map<ReplicaRef, Known> streams_ DRUMBEAT_GUARDED_BY(mutex_);
};

}  // namespace drumbeat::node_host
