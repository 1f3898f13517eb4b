// SPDX-License-Identifier: Apache-2.0
#include "raft/test_shard.h"

#include <numeric>

namespace drumbeat::raft::testing {
namespace {

Membership FirstVoters(std::uint64_t count) {
  std::vector<std::uint64_t> ids(count);
  std::iota(ids.begin(), ids.end(), 1);
  return Members(ids);
}

}  // namespace

Options TestShard::DefaultOptions() {
  Options options;
  options.election_ticks = 10;
  options.heartbeat_ticks = 1;
  return options;
}

Options TestShard::CarefulOptions() {
  Options options = DefaultOptions();
  options.check_quorum = true;
  options.pre_vote = true;
  return options;
}

TestShard::TestShard(std::uint64_t voters, const Options& options)
    : TestShard(FirstVoters(voters), options) {}

TestShard::TestShard(const Membership& members, const Options& options) : options_(options) {
  const auto add = [&](const MemberMap& of_kind, Role role) {
    for (const auto& [id, address] : of_kind) {
      Options own = options_;
      own.replica = id;
      own.seed = id.value();
      own.initial_role = role;
      replicas_[id.value()] = std::make_unique<TestReplica>(own, members, images_);
      replicas_[id.value()]->Start();
    }
  };
  add(members.voters, Role::kFollower);
  add(members.non_votings, Role::kNonVoting);
  add(members.witnesses, Role::kWitness);
  Settle();
}

TestReplica& TestShard::Join(std::uint64_t id, Role role) {
  Options own = options_;
  own.replica = ReplicaId(id);
  own.seed = id;
  own.initial_role = role;
  replicas_[id] = std::make_unique<TestReplica>(own, Membership{}, images_);
  replicas_[id]->Start();
  return *replicas_[id];
}

void TestShard::Settle() {
  bool busy = true;
  while (busy) {
    busy = false;
    for (auto& [id, replica] : replicas_) {
      while (replica->running() && replica->raft().HasOutput()) {
        Run(id);
        busy = true;
      }
    }
    while (!network.empty()) {
      DeliverNext();
      busy = true;
    }
  }
}

void TestShard::Run(std::uint64_t id) {
  for (Envelope& message : replicas_.at(id)->RunOnce()) {
    sent.push_back(message);
    network.push_back(std::move(message));
  }
  if (stream_snapshots) StreamSnapshots(id);
}

void TestShard::StreamSnapshots(std::uint64_t id) {
  TestReplica& sender = *replicas_.at(id);
  for (const SendSnapshot& request : std::exchange(sender.snapshots, {})) {
    const std::uint64_t to = request.to.value();
    Envelope arrived = Make(id, to, 0, InstallSnapshot{request.snapshot});
    const bool arrives = replicas_.contains(to) && replicas_.at(to)->running() && Passes(arrived);
    if (arrives) network.push_back(std::move(arrived));
    sender.raft().SnapshotStatus(request.to, !arrives);
  }
}

bool TestShard::Passes(const Envelope& envelope) const {
  return !cuts_.contains({envelope.from.value(), envelope.to.value()}) &&
         (!filter || filter(envelope));
}

void TestShard::DeliverNext() {
  Envelope envelope = std::move(network.front());
  network.pop_front();
  Deliver(std::move(envelope));
}

void TestShard::Deliver(Envelope envelope) {
  const auto to = replicas_.find(envelope.to.value());
  if (to == replicas_.end() || !to->second->running() || !Passes(envelope)) return;
  to->second->raft().Step(std::move(envelope));
}

void TestShard::Tick(std::uint64_t id, std::uint64_t times) {
  for (; times > 0; --times) {
    if ((*this)[id].running()) raft(id).Tick();
    Settle();
  }
}

void TestShard::TickAll(std::uint64_t times) {
  for (; times > 0; --times) {
    for (auto& [id, replica] : replicas_) {
      if (replica->running()) replica->raft().Tick();
    }
    Settle();
  }
}

bool TestShard::Elect(std::uint64_t id) {
  for (std::uint64_t i = 0; i < 20 * options_.election_ticks; ++i) {
    if (raft(id).role() == Role::kLeader) return true;
    Tick(id);
  }
  return false;
}

std::uint64_t TestShard::WaitForLeader() {
  for (std::uint64_t i = 0; i < 20 * options_.election_ticks; ++i) {
    if (const std::uint64_t leader = Leader()) return leader;
    TickAll();
  }
  return 0;
}

std::uint64_t TestShard::Leader() {
  std::uint64_t leader = 0;
  for (auto& [id, replica] : replicas_) {
    if (!replica->running() || replica->raft().role() != Role::kLeader) continue;
    if (leader == 0 || replica->raft().term() > raft(leader).term()) leader = id;
  }
  return leader;
}

void TestShard::Propose(std::uint64_t id, std::string_view text) {
  raft(id).Propose({Command(text)});
  Settle();
}

void TestShard::Change(std::uint64_t id, std::string_view text) {
  raft(id).Propose({testing::Change(text)});
  Settle();
}

void TestShard::Cut(std::uint64_t a, std::uint64_t b) {
  cuts_.insert({a, b});
  cuts_.insert({b, a});
}

void TestShard::Isolate(std::uint64_t id) {
  for (const auto& [other, replica] : replicas_) {
    if (other != id) Cut(id, other);
  }
}

void TestShard::Heal() { cuts_.clear(); }

Envelope Make(std::uint64_t from, std::uint64_t to, std::uint64_t term, Message message) {
  return {.shard = kShard,
          .from = ReplicaId(from),
          .to = ReplicaId(to),
          .term = Term(term),
          .message = std::move(message)};
}

}  // namespace drumbeat::raft::testing
