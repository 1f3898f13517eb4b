// SPDX-License-Identifier: Apache-2.0
#include "node_host/replica_raft.h"

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>

#include "node_host/replica_start.h"
#include "node_host/snapshot_chunks.h"

namespace drumbeat::node_host {
namespace {

/// How long the outcome of a snapshot stream waits, so that a receiver has time to load it before
/// the leader asks again (Dragonboat's values).
constexpr std::uint64_t kStreamEndedTicks = 10;
constexpr std::uint64_t kSnapshotReceivedTicks = 2;

/// Of the entries that founding members begin with.
constexpr Term kFoundingTerm(1);

/// For how many election timeouts a removal may wait before that is logged, and a replica that
/// cannot campaign for a leader before it calls the others.
constexpr std::uint64_t kPatientElections = 2;

// Such as "1, 2".
std::string Listed(const std::vector<ReplicaId>& replicas) {
  std::string list;
  for (const ReplicaId replica : replicas) {
    if (!list.empty()) list += ", ";
    list += std::to_string(replica.value());
  }
  return list;
}

Error DropError(raft::DropReason reason) {
  switch (reason) {
    case raft::DropReason::kChangeInProgress:
      return {ErrorCode::kInProgress, "another change is under way"};
    case raft::DropReason::kWouldEndQuorum:
      return {ErrorCode::kRejected,
              "too few of those who would stay answer: the shard could not go on without it"};
    case raft::DropReason::kBusy:
      return {ErrorCode::kBusy, "too much of the log is not applied yet"};
    case raft::DropReason::kNoLeader: break;
  }
  return {ErrorCode::kNoLeader, {}};
}

}  // namespace

ReplicaRaft::ReplicaRaft(ReplicaState& state, std::shared_ptr<Applier> applier,
                         const ReplicaStart& start)
    : state_(state),
      applier_(std::move(applier)),
      start_(start),
      log_(state.services.log_store, state.ref, start.log, start.snapshot) {}

ReplicaRaft::~ReplicaRaft() = default;

void ReplicaRaft::Start() {
  raft::StoredState stored;
  stored.hard_state = start_.log.hard_state;
  stored.hard_state.commit = std::max(stored.hard_state.commit, start_.snapshot.index);
  stored.membership = start_.snapshot.membership;
  stored.applied = start_.snapshot.index;
  told_applied_ = stored.applied;
  raft_ = std::make_unique<raft::Raft>(RaftOptions(state_.config, start_.seed), stored, log_);
  Publish();
  state_.SetRunning();
  // Before its first election nobody has missed it.
  if (stored.hard_state.term <= kFoundingTerm) return;
  Greet();
  // Members that neither a snapshot nor the StartOptions name come with the log.
  if (stored.applied < stored.hard_state.commit) greets_again_at_ = stored.hard_state.commit;
}

// Members that dialled in vain while it was away pause until they hear of it. Its leader would, and
// whoever is elected next too: this replica speaks to its leader only, so the others would hear
// nothing until they dial, and it would hear nothing of a leader among them. Of a NoOp nothing but
// its term counts, and that of this one nowhere: if the replica was removed or counted its terms up
// alone, it shall not disturb who leads.
void ReplicaRaft::Greet() {
  for (const ReplicaId member : state_.addresses.Members()) {
    if (member == state_.ref.replica || !greeted_.insert(member).second) continue;
    state_.services.transport.Send(state_.addresses.Find(member), {.shard = state_.ref.shard,
                                                                   .from = state_.ref.replica,
                                                                   .to = member,
                                                                   .term = kFoundingTerm,
                                                                   .message = raft::NoOp{}});
  }
}

// One that cannot campaign, and lacks nothing that others would send it: where they all sleep, they
// hear of it in no other way.
void ReplicaRaft::GreetAgain() {
  if (state_.leader().leader) {
    leaderless_ticks_ = 0;
    return;
  }
  if (++leaderless_ticks_ < kPatientElections * state_.config.election_ticks) return;
  leaderless_ticks_ = 0;
  greeted_.clear();
  Greet();
}

void ReplicaRaft::AddLastUpdate(std::vector<storage::ReplicaUpdate>& updates) {
  // So that a restart applies again what was applied here, such as the removal of this replica,
  // which nobody would tell it again. Lost to a power cut, it only comes later.
  if (!unwritten_ || state_.life() == Life::kFailed) return;
  state_.Guarded([&] {
    updates.push_back(
        {.replica = state_.ref, .hard_state = std::exchange(unwritten_, std::nullopt)});
  });
}

// Whoever was told that a snapshot was taken may have ended this replica at once.
void ReplicaRaft::TakeLastCut() {
  if (raft_ == nullptr || state_.life() == Life::kFailed) return;
  state_.Guarded([&] {
    state_.inbox.Take(inputs_);
    for (const ReplicaEvent& event : inputs_.events) {
      if (std::holds_alternative<SnapshotTaken>(event)) Handle(event);
    }
  });
}

bool ReplicaRaft::TakeInputs() {
  if (state_.stopped()) {
    TakeLastCut();
    raft_.reset();
    return false;
  }
  // Before the inbox: the changes that it covers are in there by now.
  const Index applied = applier_->applied();
  state_.inbox.Take(inputs_);
  state_.Guarded([&] {
    for (const ReplicaEvent& event : inputs_.events) Handle(event);
    if (raft_ == nullptr) return;
    if (inputs_.ticks > 0) Tick(inputs_.ticks);
    for (raft::Envelope& message : inputs_.messages) {
      if (std::holds_alternative<raft::SnapshotReceived>(message.message)) {
        if (!state_.addresses.IsMember(message.from)) continue;
        snapshot_statuses_[message.from] = {own_ticks_ + kSnapshotReceivedTicks, false};
      } else {
        if (std::holds_alternative<raft::InstallSnapshot>(message.message)) ++installs_;
        raft_->Step(std::move(message));
      }
    }
    if (applied > told_applied_) {
      raft_->Applied(applied);
      told_applied_ = applied;
      if (greets_again_at_ && applied >= greets_again_at_) {
        greets_again_at_ = Index(0);
        Greet();
      }
    }
    if (!inputs_.proposals.empty()) raft_->Propose(std::exchange(inputs_.proposals, {}));
    if (auto context = state_.reads.StartRound(state_.services.now_tick.load())) {
      raft_->ReadIndex(*context);
    }
    if (raft_->complaint()) {
      state_.End(Life::kFailed, {ErrorCode::kDamaged, *raft_->complaint()});
    }
  });
  if (state_.stopped()) {
    raft_.reset();
    return false;
  }
  return true;
}

void ReplicaRaft::Tick(std::uint64_t ticks) {
  for (std::uint64_t i = 0; i < std::min(ticks, kMaxTicksAtOnce); ++i) {
    ++own_ticks_;
    raft_->Tick();
    if (state_.config.role == ReplicaRole::kNonVoting) GreetAgain();
  }
  for (auto status = snapshot_statuses_.begin(); status != snapshot_statuses_.end();) {
    if (status->second.due_tick > own_ticks_) {
      ++status;
      continue;
    }
    raft_->SnapshotStatus(status->first, status->second.failed);
    status = snapshot_statuses_.erase(status);
  }
  write_unwritten_ = unwritten_.has_value();
}

void ReplicaRaft::Handle(const ReplicaEvent& event) {
  if (std::holds_alternative<StateLoaded>(event)) return Start();
  if (raft_ == nullptr) return;
  std::visit(
      [this](const auto& what) {
        using T = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<T, ChangeApplied>) {
          raft_->ConfigChangeApplied(what.index, what.accepted, what.members);
        } else if constexpr (std::is_same_v<T, RemovedItself>) {
          removed_itself_ = true;
        } else if constexpr (std::is_same_v<T, SnapshotRestored>) {
          raft_->SnapshotRestored(what.snapshot);
        } else if constexpr (std::is_same_v<T, SnapshotTaken>) {
          log_.SetSnapshot(what.snapshot);
          if (const Result<bool> cut = log_.CutThrough(what.cut_through); !cut) {
            return CutFailed(cut.error());
          } else if (*cut) {
            state_.services.events.Post(
                [ref = state_.ref, through = what.cut_through](EventListener& listener) {
                  listener.LogCompacted(ref, through);
                });
          }
          raft_->SnapshotTaken(what.snapshot);
        } else if constexpr (std::is_same_v<T, SnapshotStreamEnded>) {
          streaming_to_.erase(what.to);
          snapshot_statuses_.try_emplace(what.to,
                                         DelayedStatus{own_ticks_ + what.delay_ticks, what.failed});
        } else if constexpr (std::is_same_v<T, PeerUnreachable>) {
          raft_->Unreachable(what.replica);
        } else if constexpr (std::is_same_v<T, TransferWanted>) {
          raft_->TransferLeadership(what.target);
        }
      },
      event);
}

void ReplicaRaft::CutFailed(const Error& error) {
  if (error.code == ErrorCode::kWriteFailed) return state_.services.fail_host(error);
  state_.End(Life::kFailed, error);
}

bool ReplicaRaft::TakeOutput() {
  bool any = false;
  state_.Guarded([&] {
    if (raft_ == nullptr) return;
    any = raft_->HasOutput() || write_unwritten_ || removed_itself_;
    if (any) output_ = raft_->TakeOutput();
  });
  if (!any) InstallsDecided();
  return any && !state_.stopped();
}

void ReplicaRaft::SendNow() {
  state_.Guarded([&] { SendAll(output_.messages_now); });
}

void ReplicaRaft::SendAll(std::vector<raft::Envelope>& messages) {
  for (raft::Envelope& message : messages) {
    const std::string address = state_.addresses.Find(message.to);
    if (!address.empty()) state_.services.transport.Send(address, std::move(message));
  }
  messages.clear();
}

void ReplicaRaft::ApplyDurable() {
  std::vector<raft::Entry>& committed = output_.committed;
  if (committed.empty() || output_.received_snapshot) return;
  // Where nobody waits, sending and writing come first.
  if (state_.proposals.size() == 0) return;
  const bool durable =
      output_.entries.empty() || committed.back().index < output_.entries.front().index;
  // A change may end this replica or its lead: with Finish(), when all has been sent.
  const auto changes = [](const raft::Entry& entry) {
    return entry.type == raft::EntryType::kConfigChange;
  };
  if (!durable || std::ranges::any_of(committed, changes)) return;
  state_.Guarded([&] { applier_->Apply(std::exchange(committed, {})); });
}

void ReplicaRaft::AddUpdate(std::vector<storage::ReplicaUpdate>& updates) {
  if (output_.hard_state) unwritten_ = output_.hard_state;
  const bool needed = output_.must_sync || !output_.entries.empty() ||
                      output_.received_snapshot.has_value() || write_unwritten_;
  if (!needed || state_.life() == Life::kFailed) return;
  state_.Guarded([&] {
    updates.push_back({.replica = state_.ref,
                       .hard_state = std::exchange(unwritten_, std::nullopt),
                       .entries = output_.entries,
                       .restart_behind = output_.received_snapshot});
  });
  write_unwritten_ = false;
}

void ReplicaRaft::Finish() {
  state_.Guarded([&] {
    // Of one that failed in this round nothing may have been written.
    if (state_.life() == Life::kFailed) return;
    if (output_.received_snapshot) log_.Restarted(*output_.received_snapshot);
    log_.Saved(output_.entries);
    const bool any = !output_.entries.empty();
    raft_->Saved(any ? output_.entries.back().term : Term(0),
                 any ? output_.entries.back().index : Index(0));
    SendAll(output_.messages_after_save);
    HandOver();
    TellClients();
    Publish();
  });
  output_ = raft::Output();
  InstallsDecided();
  if (removed_itself_) state_.End(Life::kRemoved, {ErrorCode::kReplicaRemoved, {}});
}

void ReplicaRaft::InstallsDecided() {
  // One that was taken up has begun again in HandOver(), until it is loaded.
  for (; installs_ > 0; --installs_) state_.InstallEnds();
}

void ReplicaRaft::HandOver() {
  if (output_.received_snapshot) {
    state_.InstallBegins();
    applier_->Restore(*output_.received_snapshot);
  }
  if (!output_.committed.empty()) applier_->Apply(std::move(output_.committed));
  for (const raft::SendSnapshot& wanted : output_.snapshots_to_send) SendSnapshot(wanted);
}

void ReplicaRaft::TellClients() {
  bool confirmed = false;
  for (const raft::ReadReady& ready : output_.reads) {
    confirmed |= state_.reads.Confirmed(ready.context, ready.index);
  }
  if (confirmed) applier_->AnswerReads();
  for (const raft::DroppedProposal& dropped : output_.dropped_proposals) {
    state_.proposals.Drop(dropped.entry, DropError(dropped.reason));
  }
  for (const raft::DroppedRead& dropped : output_.dropped_reads) {
    state_.reads.Drop(dropped.context, DropError(dropped.reason));
  }
  if (output_.leader_change) NoteLeader(*output_.leader_change);
}

void ReplicaRaft::NoteLeader(const raft::LeaderChange& change) {
  const LeaderInfo leader{change.leader, change.term};
  const std::string name = logging::Name(state_.ref);
  const logging::Logger logger = state_.services.logger.For("raft");
  if (!leader.leader) {
    // Once: without a quorum there is a new term with every campaign.
    if (logged_leader_) {
      logger.Info(name + " has no leader in term " + std::to_string(leader.term.value()));
    }
  } else if (leader.leader == state_.ref.replica) {
    logger.Info(name + " became leader in term " + std::to_string(leader.term.value()));
  } else {
    logger.Info(name + " follows leader " + logging::Name(state_.ref.shard, leader.leader) +
                " in term " + std::to_string(leader.term.value()));
  }
  logged_leader_ = leader.leader;
  if (leader.leader && state_.reads.AskAgain()) {
    const auto context = state_.reads.StartRound(state_.services.now_tick.load());
    if (context) raft_->ReadIndex(*context);
  }
  state_.services.events.Post(
      [ref = state_.ref, leader](EventListener& listener) { listener.LeaderChanged(ref, leader); });
}

void ReplicaRaft::SendSnapshot(const raft::SendSnapshot& wanted) {
  // The end of the one that is on its way will tell the Raft how it went.
  if (streaming_to_.contains(wanted.to)) return;
  const Services& services = state_.services;
  const std::string address = state_.addresses.Find(wanted.to);
  if (address.empty()) {
    state_.inbox.AddEvent(SnapshotStreamEnded{wanted.to, true, kStreamEndedTicks});
    return;
  }
  streaming_to_.insert(wanted.to);
  const SnapshotRoute route{state_.ref.shard, state_.ref.replica, wanted.to,
                            services.deployment_id};
  auto chunks = wanted.snapshot.witness
                    ? WitnessChunks(route, wanted.snapshot, services.scheduler.UnixNanoseconds())
                    : StoredSnapshotChunks(services.snapshot_store, route);
  const SnapshotEvent event{.replica = state_.ref,
                            .peer = wanted.to,
                            .index = wanted.snapshot.index,
                            .bytes = wanted.snapshot.image_bytes};
  const std::string what = "snapshot of " + logging::Name(state_.ref) + " at index " +
                           std::to_string(event.index.value()) + " to " +
                           logging::Name(state_.ref.shard, wanted.to);
  services.transport.SendSnapshot(
      address, std::move(chunks),
      [state = state_.shared_from_this(), event, what](Result<void> done) {
        const Services& shared = state->services;
        if (done) {
          shared.logger.For("transport").Info("sent " + what);
          shared.events.Post([event](EventListener& listener) { listener.SnapshotSent(event); });
        } else {
          shared.logger.For("transport")
              .Warning("failed to send " + what + ": " + std::string(done.error().text()));
          shared.events.Post([event, error = done.error()](EventListener& listener) {
            listener.SnapshotSendFailed(event, error);
          });
          // Its own image is bad: as leader it could never help whoever needs it.
          if (done.error().code == ErrorCode::kDamaged) state->End(Life::kFailed, done.error());
        }
        state->inbox.AddEvent(
            SnapshotStreamEnded{event.peer, !done.has_value(), kStreamEndedTicks});
      });
}

void ReplicaRaft::Publish() {
  const raft::Status status = raft_->status();
  state_.Publish({status.leader, status.term}, status.committed, status.last_index);
  NoteRemoval(status.held_removal);
}

void ReplicaRaft::NoteRemoval(const std::optional<raft::HeldRemoval>& removal) {
  const Index change = removal ? removal->change : Index(0);
  if (change != held_removal_.change) {
    if (removal_logged_) LogRemoval(LogLevel::kInfo, " waits no more to remove ", "");
    removal_logged_ = false;
    held_removal_ = removal.value_or(raft::HeldRemoval());
    held_since_ = own_ticks_;
    return;
  }
  const bool late = own_ticks_ - held_since_ > kPatientElections * state_.config.election_ticks;
  if (!removal || !late || change == last_logged_removal_) return;
  removal_logged_ = true;
  last_logged_removal_ = change;
  LogRemoval(LogLevel::kWarning, " waits to remove ",
             " until more of the members " + Listed(removal->awaited) + " answer");
}

void ReplicaRaft::LogRemoval(LogLevel level, const std::string& what, const std::string& why) {
  state_.services.logger.For("raft").Write(level, logging::Name(state_.ref) + what + "replica " +
                                                      std::to_string(held_removal_.leaver.value()) +
                                                      why + ", index " +
                                                      std::to_string(held_removal_.change.value()));
}

}  // namespace drumbeat::node_host
