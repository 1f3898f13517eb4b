// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "node_host/host.h"
#include "simulation/sim_network.h"
#include "simulation/sim_scheduler.h"
#include "simulation/sim_shard.h"
#include "simulation/watched_log.h"
#include "simulation/watched_snapshots.h"
#include "simulation/world.h"
#include "storage/stores.h"

namespace drumbeat::simulation {

/// A host with a disk that outlives it, and its replicas, one of each shard that it takes part in.
class SimHost {
 public:
  static constexpr std::chrono::milliseconds kTick{200};

  SimHost(World& world, SimNetwork& network, std::uint64_t id);
  ~SimHost();

  enum class Part : std::uint8_t { kFounder, kJoiner };
  /// From the next Start() on it also runs a replica of `shard`.
  void TakePart(SimShard& shard, Part part, ReplicaRole role);
  bool TakesPart(ShardId shard) const { return Find(shard) != nullptr; }
  /// The role that its replica was started with.
  ReplicaRole RoleIn(ShardId shard) const { return Find(shard)->role; }

  /// Opens the host and starts its replicas. It may fail where the disk may.
  void Start();
  /// Power cut: of what was not synced, only some of the first writes stay.
  void Crash();
  /// The power goes in the middle of one of the next `operations` of its disk, and comes again some
  /// time later; 0: not any more.
  void CutPowerWithin(std::uint64_t operations);
  bool running() const { return host_ != nullptr; }
  /// It failed by itself, as a failing disk makes it, and needs a restart.
  bool broken() const;
  /// Its replica of `shard` says `message`: tells the oracle of the logs that, and how far it is.
  void TellLogOracle(SimShard& shard, const raft::Envelope& message) const;
  /// Whether a request to the shard makes sense here.
  bool Serves(ShardId shard) const;
  /// Its replica found its data damaged and is out for good.
  bool Lost(ShardId shard) const { return ruined_ || (TakesPart(shard) && Find(shard)->lost); }

  node_host::Host& host() { return *host_; }
  SimScheduler& scheduler() { return *scheduler_; }
  const std::string& address() const { return address_; }
  ReplicaId id() const { return ReplicaId(id_); }
  ListState State(ShardId shard);
  std::size_t stored_bytes() const { return disk_->stored_bytes(); }
  /// How long it does nothing from now on.
  microseconds Busy() const;

  /// A bit of what it has stored flips.
  void FlipBit();
  bool damaged() const { return damaged_; }

  /// What its disk does, until told otherwise.
  struct DiskState {
    /// Of 2000 operations, so many fail.
    std::uint64_t failing = 0;
    /// Of 2000 synced writes, so many take up to `slow`.
    std::uint64_t slow_ones = 0;
    microseconds slow{0};
    bool full = false;
    /// Of 100 operations on snapshots, so many find no room.
    std::uint64_t no_room = 0;
  };
  DiskState disk;

 private:
  class Listener;
  class Disks;
  struct Replica {
    SimShard* shard = nullptr;
    Part part = Part::kFounder;
    ReplicaRole role = ReplicaRole::kVoter;
    bool removed = false;
    bool lost = false;
  };

  storage::MemoryDisk::Fault NextFault(storage::MemoryDisk::Operation operation);
  storage::MemoryDisk::Fault FaultOf(storage::MemoryDisk::Operation operation);
  storage::MemoryDisk::Fault CutPower();
  /// Whether what its disk did explains `error`.
  bool Explains(const Error& error) const;
  Result<storage::Stores> OpenStores();
  void StartReplica(Replica& replica);
  /// It could not be opened.
  void StartFailed(const Error& error);
  Replica* Find(ShardId shard) const;

  World& world_;
  SimNetwork& network_;
  const std::uint64_t id_;
  const std::string address_;
  const std::uint64_t clock_percent_;
  bool damaged_ = false;
  bool ruined_ = false;
  /// In this life a write failed, or the power.
  bool faulted_ = false;
  std::uint64_t power_goes_in_ = 0;
  std::uint64_t lives_ = 0;
  std::vector<std::unique_ptr<Replica>> replicas_;
  std::unique_ptr<Disks> watcher_;
  std::shared_ptr<storage::MemoryDisk> disk_;
  SimScheduler* scheduler_ = nullptr;
  std::unique_ptr<node_host::Host> host_;
};

}  // namespace drumbeat::simulation
