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

/// `store`, telling `seen` of every snapshot that enters it.
std::unique_ptr<storage::SnapshotStore> Watch(std::unique_ptr<storage::SnapshotStore> store,
                                              std::function<void(const StoredImage&)> seen);

}  // namespace drumbeat::simulation
