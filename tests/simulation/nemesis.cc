// SPDX-License-Identifier: Apache-2.0
#include "simulation/nemesis.h"

#include <algorithm>

namespace drumbeat::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kTimeout(3000);

}  // namespace

void Nemesis::Begin() {
  network_.faults = plan_.network;
  network_.pipe_faults = plan_.pipes;
  if (plan_.disks.full) {
    for (const auto& host : hosts_) host->disk.no_room = world_.random.Below(100);
  }
  Next();
}

void Nemesis::Next() {
  world_.After(world_.Between(milliseconds(200), seconds(6)), [this] {
    if (healed_) return;
    RestartBroken();
    OneFault();
    Next();
  });
}

void Nemesis::OneFault() {
  switch (world_.random.Below(8)) {
    case 0:
      if (plan_.partitions) Partition();
      break;
    case 1:
      if (plan_.crashes) CrashSome();
      break;
    case 2:
      if (plan_.pauses) Pause();
      break;
    case 3:
      if (plan_.transfers) Transfer();
      break;
    case 4:
    case 5:
      if (plan_.changes) ChangeMembers();
      break;
    case 6:
      if (plan_.requested_snapshots) TakeSnapshot();
      break;
    default: SpoilDisk(); break;
  }
}

void Nemesis::Partition() {
  network_.cut.clear();
  if (world_.Chance(40)) return;  // a healing
  if (world_.Chance(30)) {        // one host alone
    const std::string& alone = hosts_[world_.random.Below(hosts_.size())]->address();
    for (const auto& other : hosts_) {
      network_.cut.insert({alone, other->address()});
      network_.cut.insert({other->address(), alone});
    }
    return;
  }
  for (const auto& from : hosts_) {
    for (const auto& to : hosts_) {
      // One direction at a time: one-way and partial partitions too.
      if (from != to && world_.Chance(25)) network_.cut.insert({from->address(), to->address()});
    }
  }
}

void Nemesis::CrashSome() {
  const bool all = world_.Chance(10);
  for (const auto& host : hosts_) {
    if (!host->running() || !(all || world_.Chance(30))) continue;
    ++crashes_;
    host->Crash();
    world_.After(world_.Between(milliseconds(10), seconds(12)), [&again = *host] {
      if (!again.running()) again.Start();
    });
  }
}

void Nemesis::Pause() {
  SimHost* host = Pick(AnyShard().id());
  if (host == nullptr) return;
  host->scheduler().PauseUntil(world_.now() + world_.Between(milliseconds(100), seconds(9)));
}

void Nemesis::SpoilDisk() {
  SimHost::DiskState& disk = hosts_[world_.random.Below(hosts_.size())]->disk;
  switch (world_.random.Below(4)) {
    case 0:
      if (plan_.disks.failing) disk.failing = world_.random.Below(20);
      break;
    case 1:
      if (!plan_.disks.full) break;
      disk.full = world_.Chance(40);
      break;
    case 2:
      if (!plan_.disks.slow) break;
      disk.slow_ones = world_.Chance(40) ? 0 : 20 + world_.random.Below(1000);
      disk.slow = world_.Chance(10) ? seconds(60) : milliseconds(10 + world_.random.Below(3000));
      break;
    default:
      if (plan_.disks.flips) FlipBit();
      break;
  }
}

// Always of the same host, so that a majority keeps its data.
void Nemesis::FlipBit() {
  hosts_.front()->FlipBit();
  ++flips_;
}

SimHost* Nemesis::Pick(ShardId shard) {
  std::vector<SimHost*> serving;
  for (const auto& host : hosts_) {
    if (host->Serves(shard)) serving.push_back(host.get());
  }
  return serving.empty() ? nullptr : serving[world_.random.Below(serving.size())];
}

void Nemesis::Transfer() {
  SimShard& shard = AnyShard();
  SimHost* host = Pick(shard.id());
  if (host == nullptr) return;
  const ReplicaId target(1 + world_.random.Below(plan_.founders));
  host->host().RequestLeaderTransfer(shard.id(), target, kTimeout).Then([](auto) {});
}

void Nemesis::TakeSnapshot() {
  SimShard& shard = AnyShard();
  SimHost* host = Pick(shard.id());
  if (host == nullptr) return;
  SnapshotOptions options;
  if (world_.Chance(50)) options.compaction_overhead = world_.random.Below(5);
  host->host().RequestSnapshot(shard.id(), options, kTimeout).Then([](auto) {});
}

void Nemesis::ChangeMembers() {
  SimShard& shard = AnyShard();
  SimHost* asked = Pick(shard.id());
  if (asked == nullptr) return;
  const std::size_t i = world_.random.Below(hosts_.size());
  if (i < plan_.founders) {
    RemoveFounder(*asked, shard, hosts_[i]->id());
  } else {
    AddMember(*asked, shard, *hosts_[i]);
  }
}

// A shard of three may lose one founder, a shard of five two.
void Nemesis::RemoveFounder(SimHost& asked, SimShard& shard, ReplicaId founder) {
  if (founder.value() > plan_.founders / 2) return;
  const raft::ConfigChange change{
      .type = raft::ConfigChangeType::kRemove, .replica = founder, .address = {}};
  asked.host().RequestChange(shard.id(), change, kTimeout).Then([](auto) {});
}

void Nemesis::AddMember(SimHost& asked, SimShard& shard, SimHost& spare) {
  const ShardId id = shard.id();
  if (!spare.TakesPart(id)) {  // it waits to be added
    const std::uint64_t dice = world_.random.Below(10);
    spare.TakePart(shard, SimHost::Part::kJoiner,
                   dice < 5   ? ReplicaRole::kVoter
                   : dice < 8 ? ReplicaRole::kNonVoting
                              : ReplicaRole::kWitness);
    if (!spare.running()) spare.Start();
  }
  raft::ConfigChangeType type = raft::ConfigChangeType::kAddVoter;
  const ReplicaRole role = spare.RoleIn(id);
  if (role == ReplicaRole::kWitness) type = raft::ConfigChangeType::kAddWitness;
  if (role == ReplicaRole::kNonVoting && world_.Chance(50)) {
    type = raft::ConfigChangeType::kAddNonVoting;  // the other half promotes
  }
  const raft::ConfigChange change{.type = type, .replica = spare.id(), .address = spare.address()};
  asked.host().RequestChange(id, change, kTimeout).Then([](auto) {});
}

void Nemesis::RestartBroken() {
  for (const auto& host : hosts_) {
    if (!host->broken()) continue;
    ++crashes_;
    host->Crash();
    host->Start();
  }
}

void Nemesis::Heal() {
  healed_ = true;
  network_.cut.clear();
  network_.faults = {};
  network_.pipe_faults = {};
  for (const auto& host : hosts_) {
    host->disk = {};
    if (!host->running()) host->Start();
    if (host->running()) host->scheduler().PauseUntil(microseconds(0));
  }
  RestartBroken();
}

}  // namespace drumbeat::simulation
