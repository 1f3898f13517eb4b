// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "raft/core.h"

namespace drumbeat::raft {

// Raft section 5.3, receiver rules 2 to 5.
void Core::HandleAppendEntries(ReplicaId leader, AppendEntries& request) {
  OnRemovalTold(request.commit);
  // Committed entries match by definition; a late message must not look below them.
  if (request.previous < log_.committed()) return Acknowledge(leader, log_.committed());
  if (!log_.Matches(request.previous, request.previous_term)) {
    Send(leader, AppendReply{.index = request.previous,
                             .rejected = true,
                             .hint = log_.ConflictHint(request.previous, request.previous_term)});
    return;
  }
  const Index conflict = log_.FirstConflict(request.entries);
  if (conflict <= log_.last()) ForgetAcknowledged(conflict);
  const Index last_new = log_.Merge(request.previous, std::move(request.entries));
  // Entries past last_new may be leftovers of an older term: not committed here.
  log_.CommitTo(std::min(request.commit, last_new));
  Acknowledge(leader, last_new);
}

void Core::Acknowledge(ReplicaId leader, Index index) {
  // Answers add up: of several to one leader the last says all.
  if (!out_.messages_after_save.empty()) {
    Envelope& last = out_.messages_after_save.back();
    auto* reply = std::get_if<AppendReply>(&last.message);
    if (reply != nullptr && !reply->rejected && last.to == leader && last.term == term_) {
      reply->index = std::max(reply->index, index);
      return;
    }
  }
  Send(leader, AppendReply{.index = index, .hint = {}});
}

// Several leaders may speak between two saves.
void Core::ForgetAcknowledged(Index index) {
  std::erase_if(out_.messages_after_save, [index](const Envelope& envelope) {
    const auto* reply = std::get_if<AppendReply>(&envelope.message);
    return reply != nullptr && !reply->rejected && reply->index >= index;
  });
}

void Core::HandleHeartbeat(ReplicaId leader, const Heartbeat& heartbeat) {
  // A leader commits in a heartbeat only what this replica has acknowledged to it.
  if (heartbeat.commit > log_.last()) {
    complaint_ = "replica " + std::to_string(options_.replica.value()) +
                 " lost its data: remove it and add a new id";
    return;
  }
  OnRemovalTold(heartbeat.commit);
  log_.CommitTo(heartbeat.commit);
  told_to_campaign_ = false;  // a leader that still wants it says so again, behind its heartbeat
  Send(leader, HeartbeatReply{.context = heartbeat.context});
}

// The sender's term is not known: the snapshot may come from a leader that was deposed. What it
// holds is committed all the same, but it does not make its sender a leader.
void Core::HandleInstallSnapshot(Sender sender, const InstallSnapshot& install) {
  const SnapshotRecord& snapshot = install.snapshot;
  const bool known = sender.id == leader_ || FindMember(sender.id) != nullptr;
  if (!known && !membership_.voters.empty()) return;
  if (snapshot.witness && role_ != Role::kWitness) return;  // it holds no state
  OnRemovalTold(snapshot.index);
  if (snapshot.index > log_.committed()) {
    StopStanding();
    if (log_.Matches(snapshot.index, snapshot.term)) {
      log_.CommitTo(snapshot.index);
    } else {
      Restore(snapshot);
    }
  }
  election_.elapsed = 0;
  Acknowledge(sender.id, log_.committed());
}

void Core::Restore(const SnapshotRecord& snapshot) {
  // An entry of that term was committed, so the term existed.
  if (snapshot.term > term_) BecomeFollower(snapshot.term, ReplicaId{0});
  ForgetAcknowledged(snapshot.index + 1);
  log_.Restore(snapshot);
  received_snapshot_ = snapshot;
  restoring_ = snapshot.index;
}

}  // namespace drumbeat::raft
