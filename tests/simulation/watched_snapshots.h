// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "storage/snapshot_store.h"

namespace drumbeat::simulation {

/// A snapshot that has become durable on some replica. `content` is a hash over its image but for
/// the header, which holds the time: over the session table and the state machine's state.
struct StoredImage {
  ReplicaRef replica;
  raft::SnapshotRecord record;
  std::uint64_t content = 0;
};

struct SnapshotWatcher {
  /// Of every snapshot that enters the store.
  std::function<void(const StoredImage&)> stored;
  /// Of every newest one that is asked for.
  std::function<void(const ReplicaRef&, const raft::SnapshotRecord&)> found;
};

/// `store`, telling `watcher`.
std::unique_ptr<storage::SnapshotStore> Watch(std::unique_ptr<storage::SnapshotStore> store,
                                              SnapshotWatcher watcher);

}  // namespace drumbeat::simulation
