// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "drumbeat/config.h"

#include "simulation/sim_network.h"
#include "simulation/world.h"

namespace drumbeat::simulation {

/// How all replicas of the shards of one run are set.
struct ShardSettings {
  std::uint64_t snapshot_entries = 0;
  std::uint64_t compaction_overhead = 0;
  bool check_quorum = true;
  bool pre_vote = false;
  bool quiesce = false;
  Compression compression = Compression::kNone;
  std::size_t max_in_memory_log_bytes = 0;
};

/// Which disks may go wrong, and how.
struct DiskFaults {
  bool failing = false;
  bool full = false;
  bool slow = false;
  bool flips = false;
};

/// What one seed makes of a run (swarm testing: each leaves most kinds of fault out).
struct Plan {
  std::uint64_t founders = 3;
  /// Hosts that may be added as members later.
  std::uint64_t spares = 0;
  std::uint64_t shards = 1;
  ShardSettings settings;
  /// Over connections, with `pipes`, or batch by batch, with `network`.
  bool streams = false;
  PipeFaults pipes;
  NetworkFaults network;
  DiskFaults disks;
  bool partitions = false;
  bool crashes = false;
  bool pauses = false;
  bool transfers = false;
  bool changes = false;
  /// Snapshots and log cuts that somebody asks for.
  bool requested_snapshots = false;
  /// The longest command of a client.
  std::uint64_t command_bytes = 0;
  /// The clients are silent for a while.
  bool lull = false;
  microseconds duration{0};

  static Plan Draw(World& world);
  /// The kinds of faults that are in it, such as "loss, crashes, disk full".
  std::string Describe() const;
};

}  // namespace drumbeat::simulation
