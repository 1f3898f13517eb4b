// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "drumbeat/error.h"
#include "drumbeat/event_listener.h"
#include "drumbeat/snapshot.h"
#include "drumbeat/types.h"

#include "codec/snapshot_image.h"
#include "raft/entry.h"

namespace drumbeat::storage {

/// An image being written. Dropping it without Commit() leaves nothing behind. Goes before its
/// store; a reader may outlive it. Thread-safety: one thread at a time.
class SnapshotSink : public codec::ImageSink {
 public:
  /// Appends to the image. An error is final.
  Result<void> Append(std::string_view bytes) override = 0;
  /// Replaces the first bytes of the image (its header, at most 256 KiB), of which Append has
  /// written at least as many.
  virtual Result<void> Rewrite(std::string_view head) = 0;
  /// Makes image and `record` durable in one atomic step; it is then the replica's newest
  /// snapshot and older ones go as soon as nobody reads them. Refuses (kNothingToDo) a record
  /// that is not newer than the newest one. kReplicaRemoved: the replica's data was removed
  /// meanwhile, and nothing of the image is left.
  virtual Result<void> Commit(const raft::SnapshotRecord& record) = 0;
};

/// The newest snapshot image of every replica of a host, with its record.
///
/// Thread-safety: all functions from any thread at once.
/// Failure: kStorage and kWriteFailed as in LogStore, except that running out of disk space before
/// Commit() harms nothing but that snapshot; kDamaged stops the replica.
class SnapshotStore {
 public:
  virtual ~SnapshotStore() = default;

  /// Begins an image for `replica`. Several may be under way at once.
  virtual Result<std::unique_ptr<SnapshotSink>> Create(const ReplicaRef& replica) = 0;

  /// The record of the newest snapshot, if any.
  virtual Result<std::optional<raft::SnapshotRecord>> Newest(const ReplicaRef& replica) = 0;

  /// The image of the snapshot at `index`, from its first byte; it stays readable until the reader
  /// is gone, even when a newer one arrives. kNotFound when it is not there (any more).
  virtual Result<std::unique_ptr<SnapshotReader>> Open(const ReplicaRef& replica, Index index) = 0;

  /// Deletes everything of `replica`.
  virtual Result<void> Remove(const ReplicaRef& replica) = 0;
};

}  // namespace drumbeat::storage
