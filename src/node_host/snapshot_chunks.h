// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "drumbeat/error.h"
#include "drumbeat/event_listener.h"

#include "codec/chunk.h"
#include "storage/snapshot_store.h"
#include "transport/transport.h"

namespace drumbeat::node_host {

/// Who sends a snapshot to whom.
struct SnapshotRoute {
  ShardId shard;
  ReplicaId from;
  ReplicaId to;
  std::uint64_t deployment_id = 1;
};

/// The chunks of a replica's newest stored snapshot, read as they are sent.
std::unique_ptr<transport::ChunkSource> StoredSnapshotChunks(storage::SnapshotStore& store,
                                                             const SnapshotRoute& route);

/// The single chunk that a witness gets instead of `snapshot`.
std::unique_ptr<transport::ChunkSource> WitnessChunks(const SnapshotRoute& route,
                                                      const raft::SnapshotRecord& snapshot,
                                                      std::uint64_t now_unix_ns);

}  // namespace drumbeat::node_host
