// SPDX-License-Identifier: Apache-2.0
#include "simulation/simulation.h"

#include <algorithm>

namespace drumbeat::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kClients = 4;
/// Ten election timeouts of 2 to 4 s, of hosts whose clocks are up to a fifth slow.
constexpr seconds kPeaceLimit(48);

}  // namespace

Simulation::Simulation(std::uint64_t seed)
    : world_(seed),
      network_(world_),
      oracle_(world_),
      plan_(Draw(world_)),
      settings_(Settings(world_, plan_)) {
  network_.referee.pre_vote = settings_.pre_vote;
  for (std::uint64_t id = 1; id <= plan_.founders + plan_.spares; ++id) {
    hosts_.push_back(std::make_unique<SimHost>(world_, network_, oracle_, id, settings_));
    joined_.push_back(id <= plan_.founders);
    if (id <= plan_.founders) settings_.founders[ReplicaId(id)] = hosts_.back()->address();
  }
}

Simulation::Plan Simulation::Draw(World& world) {
  Plan plan;
  plan.founders = world.Chance(25) ? 5 : 3;
  plan.changes = world.Chance(40);
  plan.spares = plan.changes ? 2 : 0;
  if (world.Chance(60)) plan.network.loss_percent = 1 + world.random.Below(15);
  if (world.Chance(50)) plan.network.duplicate_percent = 1 + world.random.Below(20);
  if (world.Chance(50)) {
    plan.network.slow_percent = 1 + world.random.Below(20);
    plan.network.slow = milliseconds(5 + world.random.Below(2500));
  }
  plan.partitions = world.Chance(60);
  plan.crashes = world.Chance(60);
  plan.pauses = world.Chance(40);
  plan.disk_faults = world.Chance(25);
  plan.transfers = world.Chance(40);
  plan.duration = seconds(40 + world.random.Below(80));
  return plan;
}

ShardSettings Simulation::Settings(World& world, const Plan&) {
  ShardSettings settings;
  settings.snapshot_entries = world.Chance(70) ? 5 + world.random.Below(60) : 0;
  settings.compaction_overhead = world.random.Below(10);
  settings.pre_vote = world.Chance(40);
  settings.compression = world.Chance(30) ? Compression::kSnappy : Compression::kNone;
  return settings;
}

SimHost* Simulation::Pick() {
  std::vector<SimHost*> running;
  for (const auto& host : hosts_) {
    if (host->running() && !host->removed()) running.push_back(host.get());
  }
  return running.empty() ? nullptr : running[world_.random.Below(running.size())];
}

Report Simulation::Run() {
  for (std::size_t i = 0; i < plan_.founders; ++i) hosts_[i]->Start(false);
  network_.faults = plan_.network;
  for (std::uint64_t id = 0; id < kClients; ++id) {
    clients_.push_back(
        std::make_unique<SimClient>(world_, oracle_, id, id % 2 == 0, [this] { return Pick(); }));
    clients_.back()->Run(milliseconds(400));
  }
  Nemesis();
  world_.RunUntil(plan_.duration);
  Heal();
  CheckConvergence();
  Report report{.trace = world_.trace(),
                .events = world_.events(),
                .writes = oracle_.writes(),
                .reads = oracle_.reads(),
                .leaders = oracle_.leaders(),
                .crashes = crashes_,
                .simulated = world_.now()};
  for (const auto& client : clients_) client->Stop();
  for (const auto& host : hosts_) {
    if (host->running()) host->Crash();
  }
  return report;
}

// -- Faults
// ----------------------------------------------------------------------------------------

void Simulation::Nemesis() {
  world_.After(world_.Between(milliseconds(200), seconds(6)), [this] {
    if (peace_) return;
    OneFault();
    Nemesis();
  });
}

void Simulation::OneFault() {
  RestartBroken();
  switch (world_.random.Below(6)) {
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
      if (plan_.changes) ChangeMembers();
      break;
    default:
      if (plan_.disk_faults) {
        hosts_[world_.random.Below(hosts_.size())]->disk_fault_percent = world_.random.Below(20);
      }
      break;
  }
}

void Simulation::Partition() {
  network_.cut.clear();
  if (world_.Chance(40)) return;  // a healing
  for (const auto& from : hosts_) {
    for (const auto& to : hosts_) {
      // One direction at a time: one-way and partial partitions too.
      if (from != to && world_.Chance(25)) network_.cut.insert({from->address(), to->address()});
    }
  }
}

void Simulation::CrashSome() {
  const bool all = world_.Chance(10);
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    SimHost& host = *hosts_[i];
    if (!host.running() || !(all || world_.Chance(30))) continue;
    ++crashes_;
    host.Crash();
    world_.After(world_.Between(milliseconds(10), seconds(12)), [this, i] {
      SimHost& again = *hosts_[i];
      if (!again.running()) again.Start(i >= plan_.founders);
    });
  }
}

void Simulation::Pause() {
  SimHost* host = Pick();
  if (host == nullptr) return;
  host->scheduler().PauseUntil(world_.now() + world_.Between(milliseconds(100), seconds(9)));
}

void Simulation::Transfer() {
  SimHost* host = Pick();
  if (host == nullptr) return;
  const ReplicaId target(1 + world_.random.Below(plan_.founders));
  host->host().RequestLeaderTransfer(SimHost::kShard, target, milliseconds(3000)).Then([](auto) {});
}

void Simulation::ChangeMembers() {
  SimHost* host = Pick();
  if (host == nullptr) return;
  const std::size_t i = world_.random.Below(hosts_.size());
  const ReplicaId id = hosts_[i]->id();
  if (i < plan_.founders) {
    // A shard of three may lose one founder, a shard of five two.
    if (id.value() > plan_.founders / 2) return;
    host->host()
        .RequestChange(SimHost::kShard,
                       {.type = raft::ConfigChangeType::kRemove, .replica = id, .address = {}},
                       milliseconds(3000))
        .Then([](auto) {});
    return;
  }
  if (!joined_[i]) {
    joined_[i] = true;
    hosts_[i]->Start(true);  // waits to be added
  }
  host->host()
      .RequestChange(SimHost::kShard,
                     {.type = raft::ConfigChangeType::kAddVoter,
                      .replica = id,
                      .address = hosts_[i]->address()},
                     milliseconds(3000))
      .Then([](auto) {});
}

void Simulation::RestartBroken() {
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    if (!hosts_[i]->broken()) continue;
    ++crashes_;
    hosts_[i]->Crash();
    hosts_[i]->Start(i >= plan_.founders);
  }
}

// -- Peace
// -----------------------------------------------------------------------------------------

void Simulation::Heal() {
  peace_ = true;
  network_.cut.clear();
  network_.faults = {};
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    hosts_[i]->disk_fault_percent = 0;
    if (!joined_[i]) continue;
    if (!hosts_[i]->running()) hosts_[i]->Start(i >= plan_.founders);
    hosts_[i]->scheduler().PauseUntil(microseconds(0));
  }
  RestartBroken();
}

std::vector<SimHost*> Simulation::Members() {
  // Who is a member, says whoever has applied most.
  Membership members;
  Index newest;
  for (const auto& host : hosts_) {
    if (!host->running()) continue;
    const Result<ReplicaInfo> info = host->host().GetReplicaInfo(SimHost::kShard);
    if (!info || info->applied <= newest) continue;
    newest = info->applied;
    members = info->membership;
  }
  std::vector<SimHost*> found;
  for (const auto& host : hosts_) {
    if (host->running() && members.voters.contains(host->id())) found.push_back(host.get());
  }
  return found;
}

bool Simulation::Converged() {
  const std::vector<SimHost*> members = Members();
  if (members.empty()) return false;
  const auto first = members.front()->host().GetReplicaInfo(SimHost::kShard);
  return std::ranges::all_of(members, [&](SimHost* member) {
    const auto info = member->host().GetReplicaInfo(SimHost::kShard);
    return info && info->ready && info->applied == first->applied &&
           info->membership == first->membership && member->state() == members.front()->state() &&
           member->state().count == oracle_.length();
  });
}

void Simulation::Mark(SimHost* member) {
  const std::string command =
      "marker." + std::to_string(member->id().value()) + "." + std::to_string(world_.events());
  member->host()
      .Propose(SimHost::kShard, Session::NoOp(SimHost::kShard), command, milliseconds(3000))
      .Then([this, member, command](Result<ApplyResult> result) {
        if (result) {
          oracle_.WriteDone(command, result->value);
          ++markers_;
        } else {
          world_.After(milliseconds(200), [this, member] {
            if (member->running()) Mark(member);
          });
        }
      });
}

void Simulation::CheckConvergence() {
  const microseconds end = world_.now() + kPeaceLimit;
  // Let it settle who is a member, then ask all of them.
  world_.RunUntil(world_.now() + seconds(20));
  RestartBroken();
  for (const auto& client : clients_) client->Stop();
  const std::vector<SimHost*> members = Members();
  for (SimHost* member : members) Mark(member);
  while (world_.now() < end && !(markers_ == members.size() && Converged())) {
    world_.RunUntil(world_.now() + milliseconds(500));
  }
  if (members.empty() || markers_ < members.size() || !Converged()) {
    throw Violation("no agreement " + std::to_string(kPeaceLimit.count()) +
                    " s after the last fault: " + std::to_string(markers_) + " of " +
                    std::to_string(members.size()) + " members got a write through");
  }
}

}  // namespace drumbeat::simulation
