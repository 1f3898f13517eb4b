// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "simulation/oracle.h"
#include "simulation/sim_client.h"
#include "simulation/sim_host.h"
#include "simulation/sim_network.h"
#include "simulation/world.h"

namespace drumbeat::simulation {

struct Report {
  std::uint64_t trace = 0;
  std::uint64_t events = 0;
  std::uint64_t writes = 0;
  std::uint64_t reads = 0;
  std::uint64_t leaders = 0;
  std::uint64_t crashes = 0;
  microseconds simulated{0};
};

/// One run: hosts of one shard under the faults that its seed draws, then peace, in which all must
/// come together again.
class Simulation {
 public:
  explicit Simulation(std::uint64_t seed);

  /// Throws Violation when a promise is broken.
  Report Run();

 private:
  /// Which faults may hit in this run (swarm testing): each seed leaves some out.
  struct Plan {
    std::uint64_t founders = 3;
    std::uint64_t spares = 0;
    NetworkFaults network;
    bool partitions = false;
    bool crashes = false;
    bool pauses = false;
    bool disk_faults = false;
    bool transfers = false;
    bool changes = false;
    microseconds duration{0};
  };

  static Plan Draw(World& world);
  static ShardSettings Settings(World& world, const Plan& plan);

  void Nemesis();
  void OneFault();
  void Partition();
  void CrashSome();
  void Pause();
  void Transfer();
  void ChangeMembers();
  void RestartBroken();
  void Heal();
  void CheckConvergence();
  /// Proposes at `member` until it gets through.
  void Mark(SimHost* member);
  bool Converged();

  SimHost* Pick();
  std::vector<SimHost*> Members();

  World world_;
  SimNetwork network_;
  Oracle oracle_;
  const Plan plan_;
  ShardSettings settings_;
  // Before the hosts, which tell them at their end what became of their requests.
  std::vector<std::unique_ptr<SimClient>> clients_;
  std::vector<std::unique_ptr<SimHost>> hosts_;
  std::vector<bool> joined_;
  std::uint64_t crashes_ = 0;
  std::size_t markers_ = 0;
  bool peace_ = false;
};

}  // namespace drumbeat::simulation
