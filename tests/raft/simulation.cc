// SPDX-License-Identifier: Apache-2.0
#include "raft/simulation.h"

#include <algorithm>
#include <sstream>

#include "base/check.h"

namespace drumbeat::raft::testing {
void SimulationStatistics::Add(const SimulationStatistics& other) {
  steps += other.steps;
  crashes += other.crashes;
  messages += other.messages;
  lost += other.lost;
  terms += other.terms;
  entries += other.entries;
  changes += other.changes;
  reads += other.reads;
  restored += other.restored;
}

Simulation::Simulation(std::uint64_t seed) : random_(seed), checker_(replicas_) {
  options_.election_ticks = 4 + random_.Below(8);
  options_.heartbeat_ticks = 1 + random_.Below(2);
  options_.check_quorum = Chance(70);
  options_.pre_vote = Chance(50);
  options_.quiesce = Chance(10);
  options_.max_append_bytes = 1 + random_.Below(1000);
  options_.max_inflight_messages = 1 + random_.Below(6);
  options_.max_inflight_bytes = 200 + random_.Below(2000);
  options_.max_apply_bytes = 1 + random_.Below(1000);
  loss_percent_ = Chance(30) ? 0 : random_.Below(25);
  crash_permille_ = Chance(30) ? 0 : random_.Below(15);
  cuts_when_sent_ = Chance(30);
  linger_percent_ = Chance(40) ? 1 + random_.Below(10) : 0;
  changes_members_ = Chance(70);
  takes_snapshots_ = Chance(70);
  pace_ = {.tick = 1 + random_.Below(15),
           .run = 20 + random_.Below(20),
           .deliver = 20 + random_.Below(20),
           .apply = 1 + random_.Below(10),
           .ask = 3 + random_.Below(8),
           .report = 2,
           .disturb = 1 + random_.Below(6)};
  lazy_ = Chance(50) ? random_.Below(8) : 0;
  const std::uint64_t voters = Chance(20) ? 1 + random_.Below(2) : 3 + random_.Below(3);
  std::vector<std::uint64_t> ids;
  for (; next_id_ <= voters; ++next_id_) ids.push_back(next_id_);
  for (std::uint64_t id : ids) AddReplica(id, Role::kFollower, Members(ids));
}

void Simulation::AddReplica(std::uint64_t id, Role role, const Membership& members) {
  Options own = options_;
  own.replica = ReplicaId(id);
  own.initial_role = role;
  auto replica = std::make_unique<TestReplica>(own, members, images_);
  TestReplica& added = *replica;
  added.on_apply = [this, &added](const Entry& entry) { checker_.OnApply(added, entry); };
  replicas_[id] = std::move(replica);
  Start(id);
}

void Simulation::Start(std::uint64_t id) {
  TestReplica& replica = *replicas_.at(id);
  replica.options().seed = random_.Next();
  const base::ReplicaScope scope(kShard, replica.id());
  replica.Start();
  checker_.OnStart(replica);
}

void Simulation::Crash(std::uint64_t id) {
  replicas_.at(id)->Crash(Chance(50));
  outputs_.erase(id);
  std::erase_if(statuses_, [&](const Status& status) { return status.from == id; });
  ++statistics_.crashes;
}

std::string Simulation::Describe() const {
  std::ostringstream out;
  for (const auto& [id, replica] : replicas_) {
    out << "  replica " << id << ": ";
    if (!replica->running()) {
      out << "down, log to " << replica->disk().last().value() << ", members as of "
          << replica->members().config_change_id << "\n";
      continue;
    }
    const raft::Status s = replica->raft().status();
    out << "role " << static_cast<int>(s.role) << " term " << s.term.value() << " leader "
        << s.leader.value() << " applied " << replica->applied().value() << " committed "
        << s.committed.value() << " last " << s.last_index.value() << " saved " << s.saved.value()
        << " voters";
    for (const auto& [voter, address] : replica->members().voters) out << " " << voter.value();
    out << " witnesses";
    for (const auto& [voter, address] : replica->members().witnesses) out << " " << voter.value();
    out << "\n";
    for (const MemberStatus& m : s.members) {
      out << "    member " << m.replica.value() << " match " << m.match.value() << " next "
          << m.next.value() << " progress " << static_cast<int>(m.progress) << " active "
          << m.active << "\n";
    }
  }
  return out.str();
}

void Simulation::Run(std::uint64_t steps) {
  for (std::uint64_t i = 0; i < steps; ++i) {
    ++statistics_.steps;
    Step();
  }
}

void Simulation::Step() {
  const std::uint64_t whole = pace_.tick + pace_.run + pace_.deliver + pace_.apply + pace_.ask +
                              pace_.report + pace_.disturb;
  std::uint64_t dice = random_.Below(whole);
  const auto falls_on = [&dice](std::uint64_t weight) {
    if (dice < weight) return true;
    dice -= weight;
    return false;
  };
  if (falls_on(pace_.tick)) return TickSome();
  if (falls_on(pace_.run)) return RunSome();
  if (falls_on(pace_.deliver)) return DeliverSome();
  if (falls_on(pace_.apply)) return ApplySome();
  if (falls_on(pace_.ask)) return AskSomething();
  if (falls_on(pace_.report)) return ReportSnapshot();
  Disturb();
}

TestReplica* Simulation::Any() {
  auto chosen = replicas_.begin();
  std::advance(chosen, random_.Below(replicas_.size()));
  return chosen->second->running() ? chosen->second.get() : nullptr;
}

void Simulation::TickSome() {
  // Clocks drift: one may run at twice the pace of another for a while.
  for (auto& [id, replica] : replicas_) {
    if (!replica->running() || Chance(30)) continue;
    replica->raft().Tick();
    checker_.AfterInput(*replica);
  }
}

void Simulation::RunSome() {
  for (auto& [id, replica] : replicas_) {
    if (replica->running() && Chance(60)) RunHost(id);
  }
}

// A host may crash, and its Raft hear something new, between any two of its steps.
void Simulation::RunHost(std::uint64_t id) {
  TestReplica& replica = *replicas_.at(id);
  std::optional<Output>& output = outputs_[id];
  if (!output) {
    if (!replica.raft().HasOutput()) return;
    output = replica.Take();
    checker_.AfterInput(replica);
    Send(replica, output->messages_now);
    return;
  }
  if (random_.Below(1000) < crash_permille_) {
    if (Chance(50)) {
      checker_.OnWrite(replica, *output);
      replica.disk().Write(*output);
    }
    return Crash(id);
  }
  checker_.OnWrite(replica, *output);
  replica.Save(*output);
  checker_.AfterWrite(replica);
  checker_.AfterInput(replica);
  if (random_.Below(1000) < crash_permille_) return Crash(id);
  Send(replica, output->messages_after_save);
  replica.Finish(*output);
  output.reset();
  Collect(replica);
}

void Simulation::Send(TestReplica& from, std::vector<Envelope>& messages) {
  for (Envelope& message : messages) {
    checker_.OnSend(from, message);
    ++statistics_.messages;
    if (cuts_when_sent_ && !Connected(from.id().value(), message.to.value())) {
      ++statistics_.lost;
      continue;
    }
    if (Chance(linger_percent_) && lingering_.size() < kLingering) {
      lingering_.push_back(std::move(message));
    } else {
      network_.push_back(std::move(message));
    }
  }
  messages.clear();
}

void Simulation::Collect(TestReplica& replica) {
  const std::uint64_t id = replica.id().value();
  for (const SendSnapshot& request : std::exchange(replica.snapshots, {})) {
    network_.push_back({.shard = kShard,
                        .from = replica.id(),
                        .to = request.to,
                        .term = Term{0},
                        .message = InstallSnapshot{request.snapshot}});
    statuses_.push_back({.from = id, .to = request.to});
  }
  for (const ReadReady& ready : std::exchange(replica.reads, {})) {
    checker_.OnReadReady(read_floors_.at(ready.context.low), ready.index);
    ++statistics_.reads;
  }
  for (const DroppedProposal& dropped : std::exchange(replica.dropped, {})) {
    if (dropped.entry.type != EntryType::kConfigChange) {
      checker_.OnDropped(std::string(dropped.entry.command.view()));
    }
  }
  replica.dropped_reads.clear();
  replica.leader_changes.clear();
}

void Simulation::DeliverSome() {
  for (std::size_t n = 1 + random_.Below(1 + network_.size()); n > 0; --n) DeliverOne();
}

void Simulation::DeliverOne() {
  if (!lingering_.empty() && random_.Below(1000) < 5) {
    const std::size_t late = random_.Below(lingering_.size());
    std::swap(lingering_[late], lingering_.back());
    network_.insert(network_.begin(), std::move(lingering_.back()));
    lingering_.pop_back();
  }
  if (network_.empty()) return;
  // Mostly the oldest, but anything may overtake.
  const std::size_t at = Chance(70) ? 0 : random_.Below(network_.size());
  const auto chosen = network_.begin() + static_cast<std::ptrdiff_t>(at);
  Envelope envelope = *chosen;
  // Some arrive twice. Not proposals: a transport that doubled them would apply them twice.
  const bool once = std::holds_alternative<ForwardedProposal>(envelope.message);
  if (once || !Chance(4)) network_.erase(chosen);
  if (network_.size() > 400) network_.erase(network_.begin(), network_.begin() + 200);
  const bool cut = !cuts_when_sent_ && !Connected(envelope.from.value(), envelope.to.value());
  if (Chance(loss_percent_) || cut) {
    ++statistics_.lost;
    return;
  }
  Deliver(std::move(envelope));
}

void Simulation::Deliver(Envelope envelope) {
  const auto to = replicas_.find(envelope.to.value());
  if (to == replicas_.end() || !to->second->running()) return;
  TestReplica& replica = *to->second;
  replica.raft().Step(std::move(envelope));
  checker_.AfterInput(replica);
}

void Simulation::ApplySome() {
  for (auto& [id, replica] : replicas_) {
    if (!replica->running() || !replica->HasToApply() || Chance(50)) continue;
    if (id != lazy_ || Chance(5)) ApplyAt(*replica);
  }
  StartJoiners();
}

void Simulation::ApplyAt(TestReplica& replica) {
  const Index before = replica.applied();
  replica.Apply(1 + random_.Below(4));
  if (replica.applied() > before + 4) ++statistics_.restored;
  checker_.AfterInput(replica);
  // A host stops the replica that has learned of its removal; some do so late.
  if (replica.members().removed.contains(replica.id()) && Chance(50)) Crash(replica.id().value());
}

void Simulation::StartJoiners() {
  for (const auto& [id, replica] : replicas_) {
    for (const auto& [wanted, role] : wanted_) {
      if (replicas_.contains(wanted) || !IsMember(replica->members(), ReplicaId(wanted))) continue;
      return AddReplica(wanted, role, Membership{});
    }
  }
}

void Simulation::AskSomething() {
  TestReplica* replica = Any();
  if (replica == nullptr) return;
  const std::uint64_t dice = random_.Below(10);
  if (dice < 5) {
    Propose(*replica);
  } else if (dice < 8) {
    Read(*replica);
  } else if (dice < 9) {
    if (changes_members_) ChangeMembers(*replica);
  } else if (Chance(50)) {
    replica->raft().TransferLeadership(ReplicaId(random_.Below(next_id_)));
  }
  checker_.AfterInput(*replica);
}

void Simulation::Propose(TestReplica& at) {
  std::vector<Entry> entries;
  for (std::uint64_t n = 1 + random_.Below(3); n > 0; --n) {
    const std::uint64_t key = next_command_++;
    std::string text = "c" + std::to_string(key);
    text.resize(text.size() + random_.Below(100), '.');
    entries.push_back(Command(text, key));
  }
  at.raft().Propose(std::move(entries));
}

void Simulation::Read(TestReplica& at) {
  const ReadContext context{.low = next_read_++, .high = 1};
  read_floors_[context.low] = checker_.ReadFloor();
  at.raft().ReadIndex(context);
}

void Simulation::ChangeMembers(TestReplica& at) {
  const Membership& members = at.members();
  const std::size_t voters = members.voters.size();
  const std::uint64_t some = 1 + random_.Below(next_id_);
  std::string text;
  if (Chance(50) || voters >= 5) {
    text = "remove " + std::to_string(some);
  } else if (!members.non_votings.empty() && Chance(50)) {
    text = "voter " + std::to_string(members.non_votings.begin()->first.value());
  } else {
    const std::uint64_t kind = random_.Below(3);
    text = kind == 0 ? "voter " : kind == 1 ? "nonvoting " : "witness ";
    const Role role = kind == 0 ? Role::kFollower : kind == 1 ? Role::kNonVoting : Role::kWitness;
    if (kind == 2 && members.witnesses.size() >= 2) return;
    wanted_[next_id_] = role;
    text += std::to_string(next_id_++);
  }
  ++statistics_.changes;
  at.raft().Propose({Change(text)});
}

void Simulation::ReportSnapshot() {
  if (statuses_.empty()) return;
  const Status status = statuses_.front();
  statuses_.erase(statuses_.begin());
  TestReplica& sender = *replicas_.at(status.from);
  sender.raft().SnapshotStatus(status.to, Chance(30));
  checker_.AfterInput(sender);
}

void Simulation::Disturb() {
  const std::uint64_t dice = random_.Below(100);
  if (dice < 15) return Partition();
  if (dice < 30) return cuts_.clear();
  if (dice < 60) {
    for (auto& [id, replica] : replicas_) {
      if (!replica->running() && Chance(50)) Start(id);
    }
    return;
  }
  TestReplica* replica = Any();
  if (replica == nullptr) return;
  if (dice < 70) {
    if (random_.Below(1000) < crash_permille_ * 20) Crash(replica->id().value());
  } else if (dice < 85) {
    const bool idle = !outputs_[replica->id().value()] && !replica->HasToApply();
    const bool witness = replica->options().initial_role == Role::kWitness;
    if (takes_snapshots_ && idle && !witness) replica->TakeSnapshot(random_.Below(10));
  } else {
    replica->raft().Unreachable(ReplicaId(1 + random_.Below(next_id_)));
    checker_.AfterInput(*replica);
  }
}

// A leader that nobody hears goes on for a while: what it says then must do no harm.
void Simulation::IsolateLeader() {
  TestReplica* leader = Leader();
  if (leader == nullptr) return;
  const std::uint64_t id = leader->id().value();
  const std::uint64_t direction = random_.Below(3);  // both, or one of them
  for (const auto& [other, replica] : replicas_) {
    if (direction != 1) cuts_.insert({id, other});
    if (direction != 2) cuts_.insert({other, id});
  }
}

void Simulation::Partition() {
  cuts_.clear();
  if (Chance(30)) return IsolateLeader();
  if (Chance(30)) {  // one direction between two
    cuts_.insert({1 + random_.Below(next_id_), 1 + random_.Below(next_id_)});
    return;
  }
  std::set<std::uint64_t> side;
  for (const auto& [id, replica] : replicas_) {
    if (Chance(50)) side.insert(id);
  }
  for (const auto& [a, first] : replicas_) {
    for (const auto& [b, second] : replicas_) {
      if (side.contains(a) != side.contains(b)) cuts_.insert({a, b});
    }
  }
}

// -- The calm after the storm ---------------------------------------------------------------------

const Membership& Simulation::NewestMembers() const {
  const TestReplica* newest = replicas_.begin()->second.get();
  for (const auto& [id, replica] : replicas_) {
    if (replica->members().config_change_id > newest->members().config_change_id) {
      newest = replica.get();
    }
  }
  return newest->members();
}

void Simulation::RunEverything() {
  for (int round = 0; round < 50; ++round) {
    std::vector<std::uint64_t> ids;
    for (const auto& [id, replica] : replicas_) ids.push_back(id);
    for (std::uint64_t id : ids) {
      TestReplica& replica = *replicas_.at(id);
      if (!replica.running()) continue;
      while (outputs_[id] || replica.raft().HasOutput()) RunHost(id);
      replica.Apply();
      checker_.AfterInput(replica);
      if (replica.members().removed.contains(replica.id())) Crash(id);
    }
    StartJoiners();
    for (Envelope& envelope : std::exchange(network_, {})) Deliver(std::move(envelope));
    for (const Status& status : std::exchange(statuses_, {})) {
      replicas_.at(status.from)->raft().SnapshotStatus(status.to, false);
    }
  }
}

TestReplica* Simulation::Leader() {
  TestReplica* leader = nullptr;
  for (auto& [id, replica] : replicas_) {
    if (!replica->running() || replica->raft().role() != Role::kLeader) continue;
    if (leader == nullptr || replica->raft().term() > leader->raft().term()) leader = replica.get();
  }
  return leader;
}

bool Simulation::Converged() const {
  const Membership& members = NewestMembers();
  for (const auto& [id, replica] : replicas_) {
    if (!IsMember(members, ReplicaId(id))) continue;
    if (!replica->running() || replica->applied().value() != checker_.committed_entries()) {
      return false;
    }
  }
  return true;
}

void Simulation::Converge() {
  crash_permille_ = linger_percent_ = 0;
  cuts_.clear();
  for (auto& [id, replica] : replicas_) {
    // Those that learned of their removal stay down, as a host would have it.
    if (!replica->running() && !replica->members().removed.contains(replica->id())) Start(id);
  }
  const std::uint64_t before = next_command_;
  const std::uint64_t reads_before = statistics_.reads;
  // Ten election timeouts (P6), behind five of silence.
  for (std::uint64_t tick = 0; tick < 15 * options_.election_ticks; ++tick) {
    for (auto& [id, replica] : replicas_) {
      if (!replica->running()) continue;
      replica->raft().Tick();
      checker_.AfterInput(*replica);
    }
    RunEverything();
    TestReplica* leader = Leader();
    if (leader == nullptr || tick < 5 * options_.election_ticks) continue;
    if (tick % options_.election_ticks == 0) {
      Propose(*leader);
      Read(*leader);
      RunEverything();
    }
    if (next_command_ > before && statistics_.reads > reads_before && Converged()) break;
  }
  statistics_.entries += checker_.committed_entries();
  statistics_.terms += checker_.terms_with_leaders();
  if (Leader() == nullptr) throw Violation("no leader although everything is mended");
  if (!Converged()) throw Violation("members do not converge although everything is mended");
  if (statistics_.reads == reads_before) throw Violation("no read is served");
}

}  // namespace drumbeat::raft::testing
