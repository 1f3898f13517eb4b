// SPDX-License-Identifier: Apache-2.0
#include "simulation/sim_host.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "simulation/list_machine.h"

namespace drumbeat::simulation {
namespace {

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
    if (leader.leader == replica.replica) host_.oracle_.LeaderSeen(leader.leader, leader.term);
  }
  void ReplicaFailed(const ReplicaRef& replica, const Error& error) override {
    // Only a failing disk may stop a replica here.
    const bool expected = error.code == ErrorCode::kHostFailed ||
                          error.code == ErrorCode::kWriteFailed || host_.disk_fault_percent > 0;
    if (!expected) {
      host_.world_.Broken("replica " + std::to_string(replica.replica.value()) +
                          " failed: " + std::string(error.text()));
    }
  }
  void ReplicaRemoved(const ReplicaRef&) override { host_.removed_ = true; }

 private:
  SimHost& host_;
};

SimHost::SimHost(World& world, SimNetwork& network, Oracle& oracle, std::uint64_t id,
                 const ShardSettings& settings)
    : world_(world),
      network_(network),
      oracle_(oracle),
      id_(id),
      settings_(settings),
      address_("host" + std::to_string(id) + ":63001"),
      disk_(std::make_shared<storage::MemoryDisk>(
          storage::MemoryDisk::Crashes::kSimulated,
          [this](storage::MemoryDisk::Operation) { return NextFault(); })) {}

SimHost::~SimHost() {
  if (host_ != nullptr) Crash();
}

storage::MemoryDisk::Fault SimHost::NextFault() {
  if (disk_fault_percent == 0 || world_.random.Below(2000) >= disk_fault_percent) {
    return storage::MemoryDisk::Fault::kNone;
  }
  return world_.Chance(50) ? storage::MemoryDisk::Fault::kLost
                           : storage::MemoryDisk::Fault::kApplied;
}

void SimHost::Start(bool join) {
  if (starts_++ == 0) clock_percent_ = 80 + world_.random.Below(41);
  Result<storage::Stores> stores = storage::OpenMemoryStores(
      disk_, [this] { return std::chrono::steady_clock::time_point(world_.now()); });
  if (!stores) {
    if (disk_fault_percent > 0) return;  // tried again when the disk works
    throw Violation("a store does not open: " + std::string(stores.error().text()));
  }
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
  ReplicaConfig replica;
  replica.shard_id = kShard;
  replica.replica_id = id();
  replica.role = role;
  replica.pre_vote = settings_.pre_vote;
  replica.snapshot_entries = settings_.snapshot_entries;
  replica.compaction_overhead = settings_.compaction_overhead;
  replica.snapshot_compression = settings_.compression;
  replica.entry_compression = settings_.compression;
  StartOptions options{.initial_members = join ? MemberMap() : settings_.founders, .join = join};
  const Result<void> started = host_->StartReplica(
      options, [this](ShardId, ReplicaId) { return std::make_unique<ListMachine>(oracle_); },
      replica);
  if (!started) {
    if (disk_fault_percent > 0) return Crash();
    throw Violation("a replica does not start: " + std::string(started.error().text()));
  }
}

void SimHost::Crash() {
  // The disk first: whatever the dying host still wants to write is lost.
  const std::size_t unsynced = disk_->unsynced_batches();
  disk_->Crash(unsynced == 0 ? 0 : static_cast<std::size_t>(world_.random.Below(unsynced + 1)));
  host_.reset();
  scheduler_ = nullptr;
}

bool SimHost::broken() const {
  if (host_ == nullptr || removed_) return false;
  const Result<LeaderInfo> leader = host_->GetLeader(kShard);
  return !leader && (leader.error().code == ErrorCode::kHostFailed ||
                     leader.error().code == ErrorCode::kReplicaFailed);
}

ListState SimHost::state() {
  const Result<std::any> state = host_->StaleRead(kShard, {});
  return state ? std::any_cast<ListState>(*state) : ListState{};
}

}  // namespace drumbeat::simulation
