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

// Each kind that the plan has is as likely as the others.
void Nemesis::OneFault() {
  using Act = void (Nemesis::*)();
  const DiskFaults& disks = plan_.disks;
  std::vector<Act> acts;
  const auto add = [&acts](bool planned, Act act) {
    if (planned) acts.push_back(act);
  };
  add(plan_.partitions, &Nemesis::Partition);
  add(plan_.crashes, &Nemesis::CrashSome);
  add(plan_.pauses, &Nemesis::Pause);
  add(plan_.transfers, &Nemesis::Transfer);
  add(plan_.changes, &Nemesis::ChangeMembers);
  add(plan_.requested_snapshots, &Nemesis::TakeSnapshot);
  add(disks.failing, &Nemesis::FailWrites);
  add(disks.full, &Nemesis::FillDisk);
  add(disks.slow, &Nemesis::SlowDisk);
  add(disks.flips, &Nemesis::FlipBit);
  if (!acts.empty()) (this->*acts[world_.random.Below(acts.size())])();
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
    if (world_.Chance(50)) {
      host->CutPowerWithin(30);
      continue;
    }
    world_.Count(Happening::kCrash);
    host->Crash();
    world_.After(world_.Between(milliseconds(10), seconds(12)), [&again = *host] {
      if (!again.running()) again.Start();
    });
  }
}

void Nemesis::Pause() {
  SimHost* host = Pick(AnyShard().id());
  if (host == nullptr) return;
  world_.Count(Happening::kPause);
  host->scheduler().PauseUntil(world_.now() + world_.Between(milliseconds(100), seconds(9)));
}

SimHost::DiskState& Nemesis::AnyDisk() { return hosts_[world_.random.Below(hosts_.size())]->disk; }

void Nemesis::FailWrites() { AnyDisk().failing = world_.random.Below(20); }

void Nemesis::FillDisk() { AnyDisk().full = world_.Chance(40); }

void Nemesis::SlowDisk() {
  SimHost::DiskState& disk = AnyDisk();
  disk.slow_ones = world_.Chance(40) ? 0 : 20 + world_.random.Below(1000);
  disk.slow = world_.Chance(10) ? seconds(60) : milliseconds(10 + world_.random.Below(3000));
}

// Always of the same host, so that a majority keeps its data.
void Nemesis::FlipBit() { hosts_.front()->FlipBit(); }

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
  host->host().RequestLeaderTransfer(shard.id(), target, kTimeout).Then([this](auto moved) {
    if (moved) world_.Count(Happening::kTransfer);
  });
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
  asked.host().RequestChange(shard.id(), change, kTimeout).Then([this](auto removed) {
    if (removed) world_.Count(Happening::kRemoved);
  });
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
  asked.host().RequestChange(id, change, kTimeout).Then([this](auto added) {
    if (added) world_.Count(Happening::kAdded);
  });
}

void Nemesis::RestartBroken() {
  for (const auto& host : hosts_) {
    if (!host->broken()) continue;
    world_.Count(Happening::kCrash);
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
    host->CutPowerWithin(0);
    if (!host->running()) host->Start();
    if (host->running()) host->scheduler().PauseUntil(microseconds(0));
  }
  RestartBroken();
}

}  // namespace drumbeat::simulation
