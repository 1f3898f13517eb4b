// SPDX-License-Identifier: Apache-2.0
#include "simulation/sim_host.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "simulation/list_machine.h"

namespace drumbeat::simulation {
namespace {

using storage::MemoryDisk;

/// Prints when DRUMBEAT_SIM_LOG is set; swallows everything otherwise.
class SimSink : public LogSink {
 public:
  SimSink(const World& world, std::uint64_t host) : world_(world), host_(host) {}
  void Write(LogLevel, std::string_view component, std::string_view text) override {
    static const bool print = std::getenv("DRUMBEAT_SIM_LOG") != nullptr;
    if (!print) return;
    std::printf("%12.6f host %llu %.*s: %.*s\n", static_cast<double>(world_.now().count()) / 1e6,
                static_cast<unsigned long long>(host_), static_cast<int>(component.size()),
                component.data(), static_cast<int>(text.size()), text.data());
  }

 private:
  const World& world_;
  const std::uint64_t host_;
};

}  // namespace

class SimHost::Listener : public EventListener {
 public:
  explicit Listener(SimHost& host) : host_(host) {}

  void LeaderChanged(const ReplicaRef& replica, const LeaderInfo& leader) override {
    if (leader.leader != replica.replica) return;
    host_.Find(replica.shard)->shard->oracle().LeaderSeen(leader.leader, leader.term);
  }
  void MembershipChanged(const ReplicaRef& replica, const Membership& members) override {
    host_.Find(replica.shard)->shard->oracle().MembershipSeen(members);
  }
  void ReplicaFailed(const ReplicaRef& replica, const Error& error) override {
    if (!host_.Explains(error)) {
      host_.world_.Broken("replica " + std::to_string(replica.replica.value()) +
                          " failed: " + std::string(error.text()));
    }
    if (host_.damaged_) host_.Find(replica.shard)->lost = true;
  }
  void ReplicaRemoved(const ReplicaRef& replica) override {
    host_.Find(replica.shard)->removed = true;
  }
  void SnapshotTaken(const SnapshotEvent&) override {
    host_.world_.Count(Happening::kSnapshotTaken);
  }
  void SnapshotReceived(const SnapshotEvent&) override {
    host_.world_.Count(Happening::kSnapshotReceived);
  }
  void SnapshotRecovered(const SnapshotEvent&) override {
    host_.world_.Count(Happening::kRecovered);
  }

 private:
  SimHost& host_;
};

/// Tells the oracles of the shards what is on its disk.
class SimHost::Disks : public LogWatcher {
 public:
  explicit Disks(SimHost& host) : host_(host) {}

  // The host's other threads do not wait for a write.
  void Saving() override {
    if (host_.scheduler_ != nullptr && host_.world_.Chance(10)) host_.scheduler_->RunOthers();
  }
  void Saved(const storage::ReplicaUpdate& update) override {
    OracleOf(update.replica).Saved(update);
  }
  void SaveFailed(const storage::ReplicaUpdate& update) override {
    OracleOf(update.replica).SaveFailed(update);
  }
  void Cut(const ReplicaRef& replica, Index through) override {
    OracleOf(replica).Cut(replica.replica, through);
  }
  void Loaded(const ReplicaRef& replica, const storage::StoredLog& log,
              std::span<const raft::Entry> entries) override {
    OracleOf(replica).Loaded(replica.replica, log, entries);
  }
  SnapshotWatcher Snapshots() {
    return {.stored =
                [this](const StoredImage& image) {
                  OracleOf(image.replica).ImageStored(image.replica.replica, image.record);
                  host_.Find(image.replica.shard)->shard->oracle().ImageStored(image);
                },
            .found =
                [this](const ReplicaRef& replica, const raft::SnapshotRecord& record) {
                  OracleOf(replica).ImageStored(replica.replica, record);
                }};
  }

 private:
  LogOracle& OracleOf(const ReplicaRef& replica) {
    return host_.Find(replica.shard)->shard->log_oracle();
  }

  SimHost& host_;
};

SimHost::SimHost(World& world, SimNetwork& network, std::uint64_t id)
    : world_(world),
      network_(network),
      id_(id),
      address_("host" + std::to_string(id) + ":63001"),
      clock_percent_(80 + world.random.Below(41)),
      watcher_(std::make_unique<Disks>(*this)),
      disk_(std::make_shared<MemoryDisk>(
          MemoryDisk::Crashes::kSimulated,
          [this](MemoryDisk::Operation operation) { return NextFault(operation); })) {}

SimHost::~SimHost() {
  if (host_ != nullptr) Crash();
}

MemoryDisk::Fault SimHost::NextFault(MemoryDisk::Operation operation) {
  if (power_goes_in_ > 0 && --power_goes_in_ == 0) return CutPower();
  const MemoryDisk::Fault fault = FaultOf(operation);
  // No room for a snapshot is no harm.
  if (fault != MemoryDisk::Fault::kNone && operation != MemoryDisk::Operation::kBulkAdd) {
    faulted_ = true;
  }
  return fault;
}

MemoryDisk::Fault SimHost::FaultOf(MemoryDisk::Operation operation) {
  if (operation == MemoryDisk::Operation::kBulkAdd && world_.Chance(disk.no_room)) {
    world_.Count(Happening::kNoRoom);
    return MemoryDisk::Fault::kLost;
  }
  if (disk.full && operation != MemoryDisk::Operation::kDrop) {
    world_.Count(Happening::kFullDisk);
    return MemoryDisk::Fault::kLost;
  }
  if (operation == MemoryDisk::Operation::kWrite && disk.slow_ones > 0 && scheduler_ != nullptr &&
      world_.random.Below(2000) < disk.slow_ones) {
    // The engine waits, and with it everything that this host does.
    scheduler_->PauseUntil(world_.now() + world_.Between(microseconds(1000), disk.slow));
    world_.Count(Happening::kSlowWrite);
  }
  if (disk.failing == 0 || world_.random.Below(2000) >= disk.failing) {
    return MemoryDisk::Fault::kNone;
  }
  if (operation == MemoryDisk::Operation::kWrite && world_.Chance(40)) {
    world_.Count(Happening::kForgottenSync);
    return MemoryDisk::Fault::kForgotten;
  }
  world_.Count(Happening::kFailedWrite);
  return world_.Chance(50) ? MemoryDisk::Fault::kLost : MemoryDisk::Fault::kApplied;
}

// What still runs of the host until it is gone, at this moment, writes and sends nothing.
MemoryDisk::Fault SimHost::CutPower() {
  faulted_ = true;
  world_.Count(Happening::kPowerCut);
  network_.Silence(address_);
  world_.After(microseconds(0), [this, life = lives_] {
    if (running() && lives_ == life) Crash();
  });
  world_.After(world_.Between(std::chrono::milliseconds(10), std::chrono::seconds(12)), [this] {
    if (!running()) Start();
  });
  return world_.Chance(50) ? MemoryDisk::Fault::kPowerCutBefore
                           : MemoryDisk::Fault::kPowerCutBehind;
}

void SimHost::CutPowerWithin(std::uint64_t operations) {
  power_goes_in_ = operations == 0 ? 0 : 1 + world_.random.Below(operations);
}

// A broken invariant is never the disk's fault.
bool SimHost::Explains(const Error& error) const {
  return (faulted_ || damaged_) && !error.text().contains("invariant broken");
}

SimHost::Replica* SimHost::Find(ShardId shard) const {
  const auto found = std::ranges::find_if(
      replicas_, [shard](const auto& replica) { return replica->shard->id() == shard; });
  return found == replicas_.end() ? nullptr : found->get();
}

void SimHost::TakePart(SimShard& shard, Part part, ReplicaRole role) {
  replicas_.push_back(
      std::make_unique<Replica>(Replica{.shard = &shard, .part = part, .role = role}));
  if (running() && !broken()) StartReplica(*replicas_.back());
}

Result<storage::Stores> SimHost::OpenStores() {
  Result<storage::Stores> stores = storage::OpenMemoryStores(
      disk_, [this] { return std::chrono::steady_clock::time_point(world_.now()); });
  if (!stores) return stores;
  stores->log = Watch(std::move(stores->log), *watcher_);
  stores->snapshots = Watch(std::move(stores->snapshots), watcher_->Snapshots());
  return stores;
}

void SimHost::StartFailed(const Error& error) {
  if (!Explains(error)) {
    throw Violation("a host does not start: " + std::string(error.text()));
  }
  if (damaged_) ruined_ = true;
}

void SimHost::Start() {
  if (ruined_) return;
  ++lives_;
  faulted_ = false;
  Result<storage::Stores> stores = OpenStores();
  if (!stores) return StartFailed(stores.error());
  auto scheduler = std::make_unique<SimScheduler>(world_, clock_percent_);
  scheduler_ = scheduler.get();
  NodeHostConfig config;
  config.raft_address = address_;
  config.deployment_id = 1;
  config.tick = kTick;
  config.engine_workers = 1;
  config.apply_workers = 2;
  config.listener = std::make_shared<Listener>(*this);
  node_host::HostParts parts{.scheduler = std::move(scheduler),
                             .folder = nullptr,
                             .stores = std::move(*stores),
                             .transport = network_.Join(address_),
                             .logger = logging::Logger(std::make_shared<SimSink>(world_, id_),
                                                       LogLevel::kInfo, "drumbeat"),
                             .id = "host" + std::to_string(id_),
                             .seed = world_.random.Next()};
  auto host = node_host::Host::Start(config, std::move(parts));
  if (!host) throw Violation("a host does not start: " + std::string(host.error().text()));
  host_ = std::move(*host);
  for (const auto& replica : replicas_) {
    if (!replica->lost && host_ != nullptr) StartReplica(*replica);
  }
}

void SimHost::StartReplica(Replica& replica) {
  SimShard& shard = *replica.shard;
  const ShardSettings& settings = shard.plan().settings;
  ReplicaConfig config;
  config.shard_id = shard.id();
  config.replica_id = id();
  config.role = replica.role;
  config.check_quorum = settings.check_quorum;
  config.pre_vote = settings.pre_vote;
  config.quiesce = settings.quiesce;
  if (replica.role != ReplicaRole::kWitness) config.snapshot_entries = settings.snapshot_entries;
  config.compaction_overhead = settings.compaction_overhead;
  config.snapshot_compression = settings.compression;
  config.entry_compression = settings.compression;
  if (settings.max_in_memory_log_bytes > 0) {
    config.max_in_memory_log_bytes = settings.max_in_memory_log_bytes;
    config.max_entry_bytes = settings.max_in_memory_log_bytes;
  }
  const bool founds = replica.part == Part::kFounder;
  const StartOptions options{.initial_members = founds ? shard.founders : MemberMap(),
                             .join = !founds};
  const Result<void> started = host_->StartReplica(
      options,
      [&shard](ShardId, ReplicaId self) { return std::make_unique<ListMachine>(shard, self); },
      config);
  if (started) return;
  if (!Explains(started.error())) {
    throw Violation("a replica does not start: " + std::string(started.error().text()));
  }
  if (damaged_) {
    replica.lost = true;
  } else {
    Crash();
  }
}

void SimHost::Crash() {
  // The disk first: whatever the dying host still wants to write is lost.
  const std::size_t unsynced = disk_->unsynced_batches();
  disk_->Crash(unsynced == 0 ? 0 : static_cast<std::size_t>(world_.random.Below(unsynced + 1)));
  scheduler_ = nullptr;
  host_.reset();
}

bool SimHost::broken() const {
  if (host_ == nullptr) return false;
  return std::ranges::any_of(replicas_, [this](const auto& replica) {
    if (replica->removed || replica->lost) return false;
    const Result<LeaderInfo> leader = host_->GetLeader(replica->shard->id());
    return !leader && (leader.error().code == ErrorCode::kHostFailed ||
                       leader.error().code == ErrorCode::kReplicaFailed);
  });
}

void SimHost::TellLogOracle(SimShard& shard, const raft::Envelope& message) const {
  shard.log_oracle().Sent(message);
  if (host_ == nullptr) return;
  const Result<ReplicaInfo> info = host_->GetReplicaInfo(shard.id());
  if (info) shard.log_oracle().Committed(id(), info->committed, info->membership);
}

bool SimHost::Serves(ShardId shard) const {
  const Replica* replica = Find(shard);
  return host_ != nullptr && replica != nullptr && !replica->removed && !replica->lost;
}

ListState SimHost::State(ShardId shard) {
  const Result<std::any> state = host_->StaleRead(shard, {});
  return state ? std::any_cast<ListState>(*state) : ListState{};
}

microseconds SimHost::Busy() const {
  if (scheduler_ == nullptr) return microseconds(0);
  return std::max(scheduler_->paused_until() - world_.now(), microseconds(0));
}

void SimHost::FlipBit() {
  if (!disk_->FlipBit(world_.random)) return;
  damaged_ = true;
  world_.Count(Happening::kDiskFlip);
}

}  // namespace drumbeat::simulation
