// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "simulation/plan.h"
#include "simulation/sim_host.h"
#include "simulation/sim_network.h"
#include "simulation/sim_shard.h"
#include "simulation/world.h"

namespace drumbeat::simulation {

/// Makes the faults of a plan happen, every few seconds one, until it is told to heal them all.
class Nemesis {
 public:
  using Hosts = std::vector<std::unique_ptr<SimHost>>;
  using Shards = std::vector<std::unique_ptr<SimShard>>;

  Nemesis(World& world, SimNetwork& network, const Plan& plan, Hosts& hosts, Shards& shards)
      : world_(world), network_(network), plan_(plan), hosts_(hosts), shards_(shards) {}

  void Begin();
  /// Ends every fault and starts whoever is down.
  void Heal();
  /// Restarts hosts that a failing disk has ended.
  void RestartBroken();

  /// A host that serves `shard`, or null.
  SimHost* Pick(ShardId shard);

 private:
  void Next();
  void OneFault();
  void Partition();
  void CrashSome();
  void Pause();
  void FailWrites();
  void FillDisk();
  void SlowDisk();
  void FlipBit();
  void Transfer();
  void ChangeMembers();
  void RemoveFounder(SimHost& asked, SimShard& shard, ReplicaId founder);
  void AddMember(SimHost& asked, SimShard& shard, SimHost& spare);
  void TakeSnapshot();
  SimHost::DiskState& AnyDisk();
  SimShard& AnyShard() { return *shards_[world_.random.Below(shards_.size())]; }

  World& world_;
  SimNetwork& network_;
  const Plan& plan_;
  Hosts& hosts_;
  Shards& shards_;
  bool healed_ = false;
};

}  // namespace drumbeat::simulation
