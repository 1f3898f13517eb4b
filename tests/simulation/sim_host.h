// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "node_host/host.h"
#include "simulation/oracle.h"
#include "simulation/sim_network.h"
#include "simulation/sim_scheduler.h"
#include "simulation/world.h"
#include "storage/stores.h"

namespace drumbeat::simulation {

/// What a run decides once for all its hosts.
struct ShardSettings {
  MemberMap founders;
  std::uint64_t snapshot_entries = 0;
  std::uint64_t compaction_overhead = 0;
  bool pre_vote = false;
  Compression compression = Compression::kNone;
};

/// A host with a disk that outlives it, and its one replica.
class SimHost {
 public:
  static constexpr ShardId kShard{128};
  static constexpr std::chrono::milliseconds kTick{200};

  SimHost(World& world, SimNetwork& network, Oracle& oracle, std::uint64_t id,
          const ShardSettings& settings);
  ~SimHost();

  /// Opens the host and starts its replica, founding or joining.
  void Start(bool join);
  /// Power cut: of what was not synced, only some of the first writes stay.
  void Crash();
  bool running() const { return host_ != nullptr; }
  /// It failed by itself, as a failing disk makes it, and needs a restart.
  bool broken() const;
  bool removed() const { return removed_; }

  node_host::Host& host() { return *host_; }
  SimScheduler& scheduler() { return *scheduler_; }
  const std::string& address() const { return address_; }
  ReplicaId id() const { return ReplicaId(id_); }
  ListState state();

  /// As what it is started.
  ReplicaRole role = ReplicaRole::kVoter;
  /// The next writes may fail.
  std::uint64_t disk_fault_percent = 0;

 private:
  class Listener;

  storage::MemoryDisk::Fault NextFault();

  World& world_;
  SimNetwork& network_;
  Oracle& oracle_;
  const std::uint64_t id_;
  const ShardSettings& settings_;
  const std::string address_;
  std::uint64_t clock_percent_ = 100;
  std::uint64_t starts_ = 0;
  bool removed_ = false;
  std::shared_ptr<storage::MemoryDisk> disk_;
  SimScheduler* scheduler_ = nullptr;
  std::unique_ptr<node_host::Host> host_;
};

}  // namespace drumbeat::simulation
