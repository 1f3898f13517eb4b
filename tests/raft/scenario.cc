// SPDX-License-Identifier: Apache-2.0
#include "raft/scenario.h"

#include <algorithm>
#include <stdexcept>

#include "base/check.h"
#include "raft/describe.h"

namespace drumbeat::raft::testing {

// -- Replicas -------------------------------------------------------------------------------------

TestReplica& Scenario::Add(const Options& options, const Membership& members) {
  const std::uint64_t id = options.replica.value();
  replicas_[id] = std::make_unique<TestReplica>(options, members, images_);
  return *replicas_[id];
}

TestReplica& Scenario::at(std::uint64_t id) {
  const auto found = replicas_.find(id);
  if (found == replicas_.end()) throw std::runtime_error("no replica " + std::to_string(id));
  return *found->second;
}

std::vector<std::uint64_t> Scenario::ids() const {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, replica] : replicas_) ids.push_back(id);
  return ids;
}

void Scenario::Start(std::uint64_t id) {
  TestReplica& replica = at(id);
  const base::ReplicaScope scope(kShard, replica.id());
  replica.Start();
  checker_.OnStart(replica);
  views_[id] = {};
  const Status status = replica.raft().status();
  Write(Text(replica.id()) + ": starts, term " + Text(status.term) +
        (status.vote ? ", vote " + Text(status.vote) : "") + ", log to " + Text(status.last_index) +
        ", committed " + Text(status.committed) + ", applied " + Text(status.applied));
  views_[id] = {.role = status.role, .term = status.term, .leader = status.leader};
}

void Scenario::Crash(std::uint64_t id) {
  at(id).Crash();
  outputs_.erase(id);
}

void Scenario::Announce(TestReplica& replica) {
  const Raft& raft = replica.raft();
  const View now{.role = raft.role(), .term = raft.term(), .leader = raft.leader()};
  View& before = views_[replica.id().value()];
  if (now == before) return;
  before = now;
  const bool follows = now.leader && now.leader != replica.id();
  Write(Text(replica.id()) + ": " + std::string(NameOf(now.role)) +
        (follows ? " of " + Text(now.leader) : "") + ", term " + Text(now.term));
}

// -- Steps ----------------------------------------------------------------------------------------

void Scenario::Input(std::uint64_t id, const std::function<void(Raft&)>& happen) {
  TestReplica& replica = at(id);
  if (!replica.running()) throw std::runtime_error("replica " + std::to_string(id) + " is down");
  happen(replica.raft());
  checker_.AfterInput(replica);
  Announce(replica);
}

void Scenario::Campaign(std::uint64_t id) {
  TestReplica& replica = at(id);
  const auto stands = [&] {
    const Role role = replica.raft().role();
    return role == Role::kPreCandidate || role == Role::kCandidate || role == Role::kLeader;
  };
  const Term term = replica.raft().term();
  const Role role = replica.raft().role();
  for (std::uint64_t i = 0; i < 2 * replica.options().election_ticks; ++i) {
    Tick(id);
    const bool anew = replica.raft().term() != term || replica.raft().role() != role;
    if (anew && stands()) return;
  }
  Write(Text(replica.id()) + ": does not campaign");
}

bool Scenario::Take(std::uint64_t id) {
  TestReplica& replica = at(id);
  if (!replica.running() || outputs_[id] || !replica.raft().HasOutput()) return false;
  outputs_[id] = replica.Take();
  for (const Envelope& message : outputs_[id]->messages_now) Send(replica, message);
  return true;
}

void Scenario::Save(std::uint64_t id) {
  TestReplica& replica = at(id);
  if (!outputs_[id]) throw std::runtime_error("nothing to save");
  Output output = *std::exchange(outputs_[id], std::nullopt);
  WriteSaves(replica, output);
  checker_.OnWrite(replica, output);
  replica.Save(output);
  checker_.AfterWrite(replica);
  checker_.AfterInput(replica);
  for (const Envelope& message : output.messages_after_save) Send(replica, message);
  replica.Finish(output);
  WriteAnswers(replica);
  Announce(replica);
  StartStreams(replica);
}

bool Scenario::Run(std::uint64_t id) {
  bool busy = false;
  while (outputs_[id] || Take(id)) {
    Save(id);
    if (apply_mode_ == ApplyMode::kWithRun) Apply(id);
    busy = true;
  }
  return busy;
}

bool Scenario::Apply(std::uint64_t id, std::size_t limit) {
  TestReplica& replica = at(id);
  if (!replica.running() || !replica.HasToApply()) return false;
  std::vector<Entry> applied;
  const Index before = replica.applied();
  Index from = before;
  replica.on_apply = [&](const Entry& entry) {
    if (applied.empty()) from = replica.applied();
    checker_.OnApply(replica, entry);
    applied.push_back(entry);
  };
  const Membership members = replica.members();
  replica.Apply(limit);
  replica.on_apply = nullptr;
  if (applied.empty()) from = replica.applied();
  if (from != before) Write(Text(replica.id()) + ": recovers from the snapshot at " + Text(from));
  if (!applied.empty()) Write(Text(replica.id()) + ": applies " + Describe(applied));
  if (replica.members() != members) {
    Write(Text(replica.id()) + ": members " + Describe(replica.members()));
  }
  checker_.AfterInput(replica);
  Announce(replica);
  return true;
}

void Scenario::TakeSnapshot(std::uint64_t id, std::uint64_t keep) {
  TestReplica& replica = at(id);
  replica.TakeSnapshot(keep);
  const SnapshotRecord& snapshot = replica.disk().snapshot();
  Write(Text(replica.id()) + ": snapshot at " + Position(snapshot.term, snapshot.index) +
        ", log from " + Text(replica.disk().first()));
}

void Scenario::Stabilize(const std::vector<std::uint64_t>& some) {
  const auto to_some = [&](const Envelope& message) {
    return std::ranges::find(some, message.to.value()) != some.end();
  };
  bool busy = true;
  while (busy) {
    busy = false;
    for (const std::uint64_t id : some) busy = Run(id) || busy;
    // What comes in answer waits for the next round.
    busy = Deliver(to_some, network_.size(), Copies::kOne) > 0 || busy;
  }
}

// -- What an output holds -------------------------------------------------------------------------

void Scenario::WriteSaves(const TestReplica& replica, const Output& output) {
  std::string text;
  if (output.received_snapshot) {
    text +=
        " snapshot=" + Position(output.received_snapshot->term, output.received_snapshot->index);
  }
  if (output.hard_state) {
    const HardState& before = replica.disk().hard_state();
    const HardState& now = *output.hard_state;
    if (now.term != before.term || now.vote != before.vote) {
      text += " term=" + Text(now.term) + " vote=" + (now.vote ? Text(now.vote) : "none");
    }
    if (now.commit != before.commit) text += " commit=" + Text(now.commit);
  }
  if (!output.entries.empty()) text += " entries=" + Describe(output.entries);
  if (text.empty()) return;
  Write(Text(replica.id()) + ": saves" + text + (output.must_sync ? "" : " without sync"));
}

void Scenario::WriteAnswers(TestReplica& replica) {
  const std::string who = Text(replica.id()) + ": ";
  for (const ReadReady& read : std::exchange(replica.reads, {})) {
    Write(who + "read " + std::to_string(read.context.low) + " may be answered at " +
          Text(read.index));
  }
  for (const DroppedRead& read : std::exchange(replica.dropped_reads, {})) {
    Write(who + "drops read " + std::to_string(read.context.low) + ": " +
          std::string(NameOf(read.reason)));
  }
  for (const DroppedProposal& dropped : std::exchange(replica.dropped, {})) {
    const std::string text(dropped.entry.command.view());
    if (dropped.entry.type != EntryType::kConfigChange) checker_.OnDropped(text);
    Write(who + "drops \"" + text + "\": " + std::string(NameOf(dropped.reason)));
  }
}

// -- Snapshots ------------------------------------------------------------------------------------

void Scenario::StartStreams(TestReplica& from) {
  for (const SendSnapshot& request : std::exchange(from.snapshots, {})) {
    Send(from, {.shard = kShard,
                .from = from.id(),
                .to = request.to,
                .term = Term{0},
                .message = InstallSnapshot{request.snapshot}});
  }
}

void Scenario::EndStream(const Envelope& message, bool failed) {
  if (report_mode_ == ReportMode::kByHand) return;
  if (!std::holds_alternative<InstallSnapshot>(message.message)) return;
  const std::uint64_t sender = message.from.value();
  if (!at(sender).running()) return;
  Input(sender, [&](Raft& raft) { raft.SnapshotStatus(message.to, failed); });
}

// -- The network ----------------------------------------------------------------------------------

void Scenario::Send(TestReplica& from, const Envelope& message) {
  if (!std::holds_alternative<InstallSnapshot>(message.message)) checker_.OnSend(from, message);
  const bool lost = cuts_.contains({message.from.value(), message.to.value()});
  Write(Describe(message) + (lost ? " (lost)" : ""));
  if (lost) return EndStream(message, true);
  network_.push_back(message);
}

void Scenario::DeliverOne(Envelope message) {
  const auto to = replicas_.find(message.to.value());
  const bool arrives = to != replicas_.end() && to->second->running();
  const Envelope copy = message;
  if (arrives) Input(to->first, [&](Raft& raft) { raft.Step(std::move(message)); });
  EndStream(copy, !arrives);
}

std::size_t Scenario::Deliver(const Filter& chosen, std::size_t limit, Copies copies) {
  std::size_t delivered = 0;
  std::size_t look = network_.size();
  for (std::size_t i = 0; look > 0 && delivered < limit; --look) {
    if (!chosen(network_[i])) {
      ++i;
      continue;
    }
    Envelope message = network_[i];
    if (copies == Copies::kTwo) {
      ++i;
    } else {
      network_.erase(network_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    DeliverOne(std::move(message));
    ++delivered;
  }
  return delivered;
}

std::size_t Scenario::Lose(const Filter& chosen, std::size_t limit) {
  std::size_t lost = 0;
  for (auto i = network_.begin(); i != network_.end() && lost < limit;) {
    if (!chosen(*i)) {
      ++i;
      continue;
    }
    const Envelope message = *i;
    i = network_.erase(i);
    EndStream(message, true);
    ++lost;
  }
  return lost;
}

}  // namespace drumbeat::raft::testing
