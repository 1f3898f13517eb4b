// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "raft/core.h"

namespace drumbeat::raft {

void Core::TransferLeadership(ReplicaId target) {
  WakeUp();
  if (role_ == Role::kLeader) return StartTransfer(target ? target : BestSuccessor(Index{0}));
  const bool relays = (role_ == Role::kFollower || role_ == Role::kNonVoting) && leader_;
  if (relays && target) SendWithTerm(leader_, Term{0}, LeaderTransferRequest{.target = target});
}

// Thesis 3.10.
void Core::StartTransfer(ReplicaId target) {
  if (transfer_ || target == options_.replica) return;
  const MemberProgress* member = FindMember(target);
  if (member == nullptr || member->kind() != MemberKind::kVoter) {
    // Whoever asks may have applied the change that makes it a voter ahead of this leader, which,
    // when it is new, need not know yet that the change is committed.
    if (log_.HasUnappliedChange(log_.last())) next_transfer_ = Waiting<ReplicaId>{.what = target};
    return;
  }
  transfer_ = Transfer{.target = target};
  election_.elapsed = 0;  // it has one election timeout
  TellTransferTarget();
  appends_due_ = true;
}

void Core::StartNextTransfer() {
  if (next_transfer_) TransferLeadership(std::exchange(next_transfer_, std::nullopt)->what);
}

// Of those who hold the log up to `least`. Right behind a check of the quorum nobody counts as
// alive.
ReplicaId Core::BestSuccessor(Index least) const {
  const MemberProgress* best = nullptr;
  const auto worth = [](const MemberProgress& member) {
    return std::pair(member.active(), member.match());
  };
  for (const MemberProgress& member : members_) {
    if (member.kind() != MemberKind::kVoter || member.id() == options_.replica) continue;
    if (member.match() < least) continue;
    if (best == nullptr || worth(member) > worth(*best)) best = &member;
  }
  return best == nullptr ? ReplicaId{0} : best->id();
}

void Core::TellTransferTarget() {
  if (!transfer_ || transfer_->told) return;
  if (removal_) return;  // nobody would tell who is removed any more
  if (FindMember(transfer_->target)->match() != log_.last()) return;
  transfer_->told = true;
  Send(transfer_->target, TimeoutNow{});
}

// A Dragonboat target that has yet to apply what is committed forgets that it was told. With the
// next heartbeat it may be ready.
void Core::RepeatTransfer() {
  if (!transfer_) return;
  transfer_->told = false;
  TellTransferTarget();
}

// Thesis 4.2.2: a leader that is no member any more has led until the change was committed.
// Somebody who can be elected is told to campaign, or the shard would wait for an election timeout.
void Core::LeaveLeadership() {
  const bool told = transfer_ && transfer_->told;
  const ReplicaId successor = told ? transfer_->target : BestSuccessor(log_.committed());
  if (successor) Send(successor, TimeoutNow{});
  BecomeFollower(term_, ReplicaId{0});
}

// The message may come right behind the commit index of a change that must be applied first. Who
// sent it may be gone by then, so it is remembered: for this term, and while the leader is silent.
void Core::HandleTimeoutNow() {
  told_to_campaign_ = true;
  CampaignIfTold();
}

void Core::CampaignIfTold() {
  if (told_to_campaign_) Campaign(CampaignCause::kToldByLeader);
}

}  // namespace drumbeat::raft
