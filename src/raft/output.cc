// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "base/check.h"
#include "raft/core.h"

namespace drumbeat::raft {

bool Output::empty() const {
  return messages_now.empty() && !hard_state && entries.empty() && !received_snapshot &&
         messages_after_save.empty() && committed.empty() && reads.empty() &&
         dropped_proposals.empty() && dropped_reads.empty() && snapshots_to_send.empty() &&
         !leader_change;
}

bool Core::HasOutput() const {
  return appends_due_ || read_heartbeats_due_ || log_.HasUnsaved() || received_snapshot_ ||
         log_.HasCommitted(options_.max_apply_bytes) || CurrentHardState() != handed_ ||
         leader_ != announced_.leader || term_ != announced_.term || !out_.empty();
}

Output Core::TakeOutput() {
  if (appends_due_) SendAppends();
  if (read_heartbeats_due_) SendReadHeartbeats();
  Output out = std::exchange(out_, {});
  out.received_snapshot = std::exchange(received_snapshot_, std::nullopt);
  if (log_.HasUnsaved()) out.entries = log_.TakeUnsaved();
  FillHardState(out);
  if (log_.HasCommitted(options_.max_apply_bytes)) {
    out.committed = log_.TakeCommitted(options_.max_apply_bytes);
  }
  if (leader_ != announced_.leader || term_ != announced_.term) {
    announced_ = {.leader = leader_, .term = term_};
    out.leader_change = announced_;
  }
  return out;
}

HardState Core::CurrentHardState() const {
  return {.term = term_, .vote = vote_, .commit = CommitFor(options_.replica)};
}

void Core::FillHardState(Output& out) {
  const HardState now = CurrentHardState();
  const bool promised = now.term != handed_.term || now.vote != handed_.vote;
  // Whoever is removed stops when it hears of it. A leader that then forgot would miss its vote.
  const bool changes = log_.HasUnappliedChange(synced_commit_, now.commit);
  out.must_sync = promised || changes || !out.entries.empty() || out.received_snapshot;
  // A membership change must not become durable before the commit index that came with it, or a
  // restart would not know that the change before it is committed (see MayCampaign). So whatever
  // is synced takes the newest commit index along, even if it was written unsynced before.
  if (now != handed_ || (out.must_sync && now.commit != synced_commit_)) out.hard_state = now;
  handed_ = now;
  if (out.must_sync) synced_commit_ = now.commit;
}

Status Core::status() {
  Status status{.role = role_,
                .term = term_,
                .vote = vote_,
                .leader = leader_,
                .committed = log_.committed(),
                .applied = log_.applied(),
                .first_index = log_.first(),
                .last_index = log_.last(),
                .saved = log_.saved(),
                .transfer_target = transfer_ ? transfer_->target : ReplicaId{0},
                .quiesced = quiescence_.asleep(),
                .rate_limited = rate_limiter_.Limited(log_.bytes()),
                .members = {},
                .held_removal = std::nullopt};
  if (role_ != Role::kLeader) return status;
  if (removal_) status.held_removal = {.change = removal_->change, .leaver = removal_->leaver};
  for (const MemberProgress& member : members_) {
    status.members.push_back({.replica = member.id(),
                              .match = member.match(),
                              .next = member.next(),
                              .progress = member.state(),
                              .active = member.active()});
    if (!removal_ || !member.voting() || IsLeaving(member.id())) continue;
    if (member.match() < removal_->notice) status.held_removal->awaited.push_back(member.id());
  }
  return status;
}

}  // namespace drumbeat::raft
