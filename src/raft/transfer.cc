// SPDX-License-Identifier: Apache-2.0
#include "raft/core.h"

namespace drumbeat::raft {

void Core::TransferLeadership(ReplicaId target) {
  WakeUp();
  if (role_ == Role::kLeader) return StartTransfer(target ? target : BestSuccessor());
  const bool relays = (role_ == Role::kFollower || role_ == Role::kNonVoting) && leader_;
  if (relays && target) SendWithTerm(leader_, Term{0}, LeaderTransferRequest{.target = target});
}

// Thesis 3.10.
void Core::StartTransfer(ReplicaId target) {
  const MemberProgress* member = FindMember(target);
  if (transfer_ || target == options_.replica || member == nullptr ||
      member->kind() != MemberKind::kVoter) {
    return;
  }
  transfer_ = Transfer{.target = target};
  election_.elapsed = 0;  // it has one election timeout
  TellTransferTarget();
  appends_due_ = true;
}

ReplicaId Core::BestSuccessor() const {
  const MemberProgress* best = nullptr;
  for (const MemberProgress& member : members_) {
    if (member.kind() != MemberKind::kVoter || member.id() == options_.replica) continue;
    if (!member.active()) continue;
    if (best == nullptr || member.match() > best->match()) best = &member;
  }
  return best == nullptr ? ReplicaId{0} : best->id();
}

void Core::TellTransferTarget() {
  if (!transfer_ || transfer_->told) return;
  if (FindMember(transfer_->target)->match() != log_.last()) return;
  transfer_->told = true;
  Send(transfer_->target, TimeoutNow{});
}

// A target that has yet to apply what is committed must not campaign and forgets that it was told;
// a Dragonboat target does so whatever the entries are. With the next heartbeat it may.
void Core::RepeatTransfer() {
  if (!transfer_) return;
  transfer_->told = false;
  TellTransferTarget();
}

}  // namespace drumbeat::raft
