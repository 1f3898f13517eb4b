// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "simulation/nemesis.h"
#include "simulation/plan.h"
#include "simulation/sim_client.h"
#include "simulation/sim_host.h"
#include "simulation/sim_network.h"
#include "simulation/sim_shard.h"
#include "simulation/world.h"

namespace drumbeat::simulation {

struct Report {
  std::uint64_t trace = 0;
  std::uint64_t events = 0;
  std::uint64_t writes = 0;
  std::uint64_t reads = 0;
  std::uint64_t leaders = 0;
  Happenings happenings;
  /// Snapshots that were compared with another replica's of the same index.
  std::uint64_t images_compared = 0;
  /// Entries whose commit was held against the disks.
  std::uint64_t commits = 0;
  microseconds simulated{0};
  /// From the end of the last fault until every replica had got a write through and all agreed.
  microseconds recovery{0};
  /// From the crash of a leader in peace until another replica had got a write through.
  std::optional<microseconds> failover;
};

/// One run: hosts and their shards under the faults that its seed draws, then peace, in which all
/// must come together again.
class Simulation {
 public:
  explicit Simulation(std::uint64_t seed);

  /// Throws Violation when a promise is broken.
  Report Run();
  const Plan& plan() const { return plan_; }

 private:
  void AddClients();
  SimHost* PickForClient(ShardId shard);
  /// Proposes at `host` until it gets through, or the host is down; then `done_` is one more.
  void Mark(SimShard& shard, SimHost& host);
  microseconds Recover();
  bool Converged();
  /// All replicas take a snapshot at the same index, and these are the same.
  void CompareImages();
  bool TakeEqualImages(SimShard& shard);
  /// Whether it takes snapshots now.
  bool HasImages(const SimShard& shard, const SimHost& host) const;
  void CheckStoredBytes();
  std::optional<microseconds> CrashLeader(SimShard& shard);
  /// Runs on until `reached`; false if that takes longer than `limit`.
  template <class Condition>
  bool RunUntil(Condition reached, microseconds limit);

  World world_;
  SimNetwork network_;
  const Plan plan_;
  std::vector<std::unique_ptr<SimShard>> shards_;
  // Before the hosts, which tell them at their end what became of their requests.
  std::vector<std::unique_ptr<SimClient>> clients_;
  std::vector<std::unique_ptr<SimHost>> hosts_;
  Nemesis nemesis_;
  std::uint64_t markers_ = 0;
  std::uint64_t marked_ = 0;
};

}  // namespace drumbeat::simulation
