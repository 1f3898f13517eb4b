// SPDX-License-Identifier: Apache-2.0
#include "simulation/simulation.h"

#include <algorithm>

namespace drumbeat::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kClients = 4;
constexpr milliseconds kClientPeriod(400);
constexpr milliseconds kTimeout(3000);
constexpr microseconds kStep = milliseconds(100);
/// Ten election timeouts (P6), of 2 s on a host whose clock is a fifth slow. Of thousands of seeds
/// none needs half of it: a reset's pause, or a vote that was split once or twice.
constexpr seconds kPeaceLimit(24);

}  // namespace

Simulation::Simulation(std::uint64_t seed)
    : world_(seed),
      network_(world_),
      plan_(Plan::Draw(world_)),
      nemesis_(world_, network_, plan_, hosts_, shards_) {
  network_.referee.pre_vote = plan_.settings.pre_vote;
  network_.refereed = plan_.shards == 1;
  network_.streams = plan_.streams;
  for (std::uint64_t i = 0; i < plan_.shards; ++i) {
    shards_.push_back(std::make_unique<SimShard>(world_, plan_, ShardId(128 + i)));
  }
  for (std::uint64_t id = 1; id <= plan_.founders + plan_.spares; ++id) {
    hosts_.push_back(std::make_unique<SimHost>(world_, network_, id));
    if (id > plan_.founders) continue;
    for (const auto& shard : shards_) {
      shard->founders[ReplicaId(id)] = hosts_.back()->address();
      hosts_.back()->TakePart(*shard, SimHost::Part::kFounder, ReplicaRole::kVoter);
    }
  }
  network_.observer = [this](const raft::Envelope& message) {
    for (const auto& shard : shards_) {
      if (shard->id() != message.shard) continue;
      shard->oracle().Sent(message);
      hosts_[message.from.value() - 1]->TellLogOracle(*shard, message);
    }
  };
  network_.busy = [this](const std::string& address) {
    const auto host =
        std::ranges::find(hosts_, address, [](const auto& h) { return h->address(); });
    return (*host)->Busy();
  };
}

SimHost* Simulation::PickForClient(ShardId shard) {
  const bool silent = plan_.lull && world_.now() > seconds(20) && world_.now() < seconds(20 + 60);
  return silent ? nullptr : nemesis_.Pick(shard);
}

// About ten operations a second, over all shards.
void Simulation::AddClients() {
  for (std::uint64_t id = 0; id < kClients; ++id) {
    SimShard& shard = *shards_[id % shards_.size()];
    clients_.push_back(std::make_unique<SimClient>(
        world_, shard, id, id / 2 % 2 == 0, [this, &shard] { return PickForClient(shard.id()); }));
    clients_.back()->Run(kClientPeriod);
  }
}

Report Simulation::Run() {
  for (std::size_t i = 0; i < plan_.founders; ++i) hosts_[i]->Start();
  AddClients();
  nemesis_.Begin();
  world_.RunUntil(plan_.duration);
  Report report;
  report.recovery = Recover();
  CompareImages();
  CheckStoredBytes();
  report.failover = CrashLeader(*shards_.front());
  report.trace = world_.trace();
  report.events = world_.events();
  for (const auto& shard : shards_) {
    report.writes += shard->oracle().writes();
    report.reads += shard->oracle().reads();
    report.leaders += shard->oracle().leaders();
    report.images_compared += shard->oracle().images_compared();
    report.commits += shard->log_oracle().committed();
  }
  report.happenings = world_.happenings();
  report.simulated = world_.now();
  for (const auto& client : clients_) client->Stop();
  for (const auto& host : hosts_) {
    if (host->running()) host->Crash();
  }
  return report;
}

template <class Condition>
bool Simulation::RunUntil(Condition reached, microseconds limit) {
  const microseconds end = world_.now() + limit;
  while (!reached()) {
    if (world_.now() >= end) return false;
    world_.RunUntil(world_.now() + kStep);
  }
  return true;
}

// -- Peace ----------------------------------------------------------------------------------------

void Simulation::Mark(SimShard& shard, SimHost& host) {
  const std::string command = "marker." + std::to_string(++markers_);
  host.host()
      .Propose(shard.id(), Session::NoOp(shard.id()), command, kTimeout)
      .Then([this, &shard, &host, command](const Result<ApplyResult>& result) {
        if (result) {
          shard.oracle().WriteDone(command, result->value);
          ++marked_;
          return;
        }
        world_.After(milliseconds(200), [this, &shard, &host] {
          if (host.Serves(shard.id())) Mark(shard, host);
        });
      });
}

bool Simulation::Converged() {
  return std::ranges::all_of(shards_,
                             [this](const auto& shard) { return shard->Converged(hosts_); });
}

microseconds Simulation::Recover() {
  const microseconds begin = world_.now();
  nemesis_.Heal();
  for (const auto& client : clients_) client->Stop();
  // A replica may only now learn of its removal, or that it can be no member: it marks nothing.
  std::vector<std::pair<SimShard*, SimHost*>> asked;
  for (const auto& shard : shards_) {
    for (const auto& host : hosts_) {
      if (!host->Serves(shard->id()) || host->RoleIn(shard->id()) == ReplicaRole::kWitness)
        continue;
      asked.emplace_back(shard.get(), host.get());
      Mark(*shard, *host);
    }
  }
  const auto owed = [&] {
    return static_cast<std::uint64_t>(std::ranges::count_if(asked, [this](const auto& of) {
      const Membership members = of.first->NewestMembers(hosts_);
      return of.second->Serves(of.first->id()) && raft::IsMember(members, of.second->id());
    }));
  };
  const bool recovered = RunUntil(
      [&] {
        nemesis_.RestartBroken();
        return marked_ >= owed() && Converged();
      },
      kPeaceLimit);
  if (!recovered) {
    throw Violation("no agreement " + std::to_string(kPeaceLimit.count()) +
                    " s after the last fault: " + std::to_string(marked_) + " of " +
                    std::to_string(owed()) + " members got a write through");
  }
  return world_.now() - begin;
}

void Simulation::CompareImages() {
  const microseconds end = world_.now() + kPeaceLimit;
  for (const auto& shard : shards_) {
    while (!TakeEqualImages(*shard)) {
      if (world_.now() >= end) throw Violation("replicas that agree take no equal snapshots");
    }
  }
}

bool Simulation::HasImages(const SimShard& shard, const SimHost& host) const {
  const Membership members = shard.NewestMembers(hosts_);
  return host.Serves(shard.id()) &&
         (members.voters.contains(host.id()) || members.non_votings.contains(host.id()));
}

// What is equal at equal indexes, the oracle knows.
bool Simulation::TakeEqualImages(SimShard& shard) {
  std::vector<SimHost*> asked;
  for (const auto& host : hosts_) {
    if (!HasImages(shard, *host)) continue;
    asked.push_back(host.get());
    host->host().RequestSnapshot(shard.id(), {}, kTimeout).Then([](auto) {});
  }
  world_.RunUntil(world_.now() + milliseconds(1000));
  const LogOracle& disks = shard.log_oracle();
  return std::ranges::all_of(asked, [&](const SimHost* host) {
    return disks.ImageOf(host->id()) == disks.ImageOf(asked.front()->id());
  });
}

// What a snapshot has made superfluous is given back, but for what is not worth it yet.
void Simulation::CheckStoredBytes() {
  const std::uint64_t longest = plan_.command_bytes + 1024;
  const std::uint64_t kept = plan_.settings.snapshot_entries + plan_.settings.compaction_overhead;
  const std::uint64_t bound = plan_.shards * ((kept + 16) * longest + (4u << 20));
  if (plan_.settings.snapshot_entries == 0) return;
  for (const auto& host : hosts_) {
    // What ended while its disk was full keeps what it had.
    const bool asked =
        std::ranges::all_of(shards_, [&](const auto& shard) { return HasImages(*shard, *host); });
    if (asked && host->stored_bytes() > bound) {
      throw Violation("host " + std::to_string(host->id().value()) + " keeps " +
                      std::to_string(host->stored_bytes()) + " bytes, more than " +
                      std::to_string(bound));
    }
  }
}

std::optional<microseconds> Simulation::CrashLeader(SimShard& shard) {
  const Membership members = shard.NewestMembers(hosts_);
  SimHost* leader = nullptr;
  SimHost* other = nullptr;
  std::size_t voting = 0;
  for (const auto& host : hosts_) {
    if (!host->Serves(shard.id()) || !members.voters.contains(host->id())) continue;
    ++voting;
    const Result<LeaderInfo> info = host->host().GetLeader(shard.id());
    (info && info->leader == host->id() ? leader : other) = host.get();
  }
  // Where the rest is no majority it cannot go on.
  const std::size_t all = members.voters.size() + members.witnesses.size();
  if (leader == nullptr || other == nullptr || voting - 1 < all / 2 + 1) return std::nullopt;
  const microseconds begin = world_.now();
  leader->Crash();
  const std::uint64_t before = marked_;
  Mark(shard, *other);
  if (!RunUntil([&] { return marked_ > before; }, kPeaceLimit)) {
    throw Violation("nobody takes over from a leader that crashed");
  }
  return world_.now() - begin;
}

}  // namespace drumbeat::simulation
