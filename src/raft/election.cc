// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"
#include "raft/core.h"
#include "raft/message_check.h"

namespace drumbeat::raft {

// Raft section 5.2, with the condition that makes single-step changes safe although they take
// effect when they are applied: a candidate's members are never two changes behind its log.
// A change that is committed but not applied here would make them so once a leader has seen it
// applied and appended the next one. The own removal that is held back is the last one in the log,
// so it is one behind.
bool Core::MayCampaign() const {
  const bool may_lead = role_ != Role::kNonVoting && role_ != Role::kWitness && IsVoter();
  return may_lead && role_ != Role::kLeader && !restoring_ && log_.applied() >= replayed_ &&
         (!log_.HasUnappliedChange(log_.committed()) || log_.LacksHeldChangeOnly()) &&
         term_.value() + 1 < kCountLimit;
}

void Core::Campaign(CampaignCause cause) {
  if (!MayCampaign()) return;
  if (options_.pre_vote && cause == CampaignCause::kTimeout) return StartPreVote();
  StartElection(cause);
}

void Core::StartPreVote() {
  BecomePreCandidate();
  tally_.Record(options_.replica, Vote::kGranted);
  if (Alone()) return StartElection(CampaignCause::kTimeout);
  AskForVotes<RequestPreVote>(term_ + 1, CampaignCause::kTimeout);
}

void Core::StartElection(CampaignCause cause) {
  BecomeCandidate();
  tally_.Record(options_.replica, Vote::kGranted);
  if (Alone()) return BecomeLeader();
  AskForVotes<RequestVote>(term_, cause);
}

template <class Request>
void Core::AskForVotes(Term term, CampaignCause cause) {
  for (const MemberProgress& member : members_) {
    if (!member.voting() || member.id() == options_.replica) continue;
    SendWithTerm(member.id(), term,
                 Request{.last_index = log_.last(),
                         .last_term = log_.last_term(),
                         .transfer = cause == CampaignCause::kToldByLeader});
  }
}

void Core::HandleRequestVote(Sender sender, const RequestVote& request) {
  const bool free_to_vote = !vote_ || vote_ == sender.id;
  const bool grant = free_to_vote && log_.IsUpToDate(request.last_index, request.last_term);
  if (grant) {
    vote_ = sender.id;
    // Drawn anew: one of whose answers nothing is heard asks for ever, and would keep a voter with
    // a long timeout, which alone may be able to win, from its turn.
    RestartElectionTimer();
  }
  Send(sender.id, VoteReply{.rejected = !grant});
}

// Thesis 9.6. Nothing is promised, so nothing changes here.
void Core::HandleRequestPreVote(Sender sender, const RequestPreVote& request) {
  const bool grant = sender.term > term_ && log_.IsUpToDate(request.last_index, request.last_term);
  SendWithTerm(sender.id, grant ? sender.term : term_, PreVoteReply{.rejected = !grant});
}

void Core::HandleVote(Sender sender, bool rejected) {
  if (!FindMember(sender.id)->voting()) return;
  tally_.Record(sender.id, rejected ? Vote::kRejected : Vote::kGranted);
  OnTallied();
}

void Core::HandlePreVote(Sender sender, bool rejected) {
  if (!FindMember(sender.id)->voting()) return;
  // A grant repeats the term that it was asked for; one for an older question does not count.
  if (!rejected && sender.term != term_ + 1) return;
  tally_.Record(sender.id, rejected ? Vote::kRejected : Vote::kGranted);
  OnTallied();
}

void Core::OnTallied() {
  switch (tally_.Result(voting_)) {
    case VoteResult::kPending: return;
    case VoteResult::kLost: return BecomeFollower(term_, ReplicaId{0});
    case VoteResult::kWon:
      if (role_ == Role::kCandidate) return BecomeLeader();
      // Much may have been applied since the first question.
      if (MayCampaign()) StartElection(CampaignCause::kTimeout);
      return;
  }
}

}  // namespace drumbeat::raft
