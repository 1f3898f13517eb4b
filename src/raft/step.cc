// SPDX-License-Identifier: Apache-2.0
#include <concepts>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/check.h"
#include "raft/core.h"
#include "raft/message_check.h"

namespace drumbeat::raft {
namespace {

// A role as a type, to choose a function by.
struct Follower {};
struct PreCandidate {};
struct Candidate {};
struct Leader {};
struct NonVoting {};
struct Witness {};
using AnyRole = std::variant<Follower, PreCandidate, Candidate, Leader, NonVoting, Witness>;

AnyRole ToType(Role role) {
  switch (role) {
    case Role::kFollower: return Follower{};
    case Role::kPreCandidate: return PreCandidate{};
    case Role::kCandidate: return Candidate{};
    case Role::kLeader: return Leader{};
    case Role::kNonVoting: return NonVoting{};
    case Role::kWitness: return Witness{};
  }
  DRUMBEAT_CHECK(false, "every role has a type");
}

/// Several roles that answer a message in the same way.
template <class... Roles>
struct AnyOf {
  template <class R>
    requires(std::same_as<R, Roles> || ...)
  AnyOf(R) {}
};
using Passive = AnyOf<Follower, NonVoting, Witness>;
using Standing = AnyOf<PreCandidate, Candidate>;
using NotLeading = AnyOf<Follower, PreCandidate, Candidate, NonVoting, Witness>;
using Anyone = AnyOf<Follower, PreCandidate, Candidate, Leader, NonVoting, Witness>;

}  // namespace

/// What each role does with each message, once SettleTerm() has settled the terms. A pair that is
/// missing does not compile.
struct Core::RoleTable {
  Core& core;
  Sender sender;

  void operator()(Passive, AppendEntries& m) {
    if (core.Follow(sender.id)) core.HandleAppendEntries(sender.id, m);
  }
  void operator()(Standing, AppendEntries& m) {  // somebody else has won this term
    core.BecomeFollower(core.term_, sender.id);
    core.HandleAppendEntries(sender.id, m);
  }
  void operator()(Leader, AppendEntries&) {}  // nobody else leads this term: forged

  void operator()(Passive, Heartbeat& m) {
    if (core.Follow(sender.id)) core.HandleHeartbeat(sender.id, m);
  }
  void operator()(Standing, Heartbeat& m) {
    core.BecomeFollower(core.term_, sender.id);
    core.HandleHeartbeat(sender.id, m);
  }
  void operator()(Leader, Heartbeat&) {}

  void operator()(NotLeading, InstallSnapshot& m) { core.HandleInstallSnapshot(sender, m); }
  void operator()(Leader, InstallSnapshot&) {}  // a former leader's, late

  void operator()(AnyOf<Follower, NonVoting>, ReadIndexReply& m) {
    if (core.Follow(sender.id)) core.HandleReadIndexReply(sender.id, m);
  }
  void operator()(AnyOf<PreCandidate, Candidate, Leader, Witness>, ReadIndexReply&) {}

  void operator()(Follower, TimeoutNow&) {
    if (core.Follow(sender.id)) core.HandleTimeoutNow();
  }
  void operator()(AnyOf<PreCandidate, Candidate, Leader, NonVoting, Witness>, TimeoutNow&) {}

  // Members vote whatever role they believe to have: they may have been promoted unawares.
  void operator()(Anyone, RequestVote& m) { core.HandleRequestVote(sender, m); }
  void operator()(Anyone, RequestPreVote& m) { core.HandleRequestPreVote(sender, m); }

  void operator()(Candidate, VoteReply& m) { core.HandleVote(sender, m.rejected); }
  void operator()(AnyOf<Follower, PreCandidate, Leader, NonVoting, Witness>, VoteReply&) {}

  void operator()(PreCandidate, PreVoteReply& m) { core.HandlePreVote(sender, m.rejected); }
  void operator()(AnyOf<Follower, Candidate, Leader, NonVoting, Witness>, PreVoteReply&) {}

  void operator()(Leader, AppendReply& m) { core.HandleAppendReply(sender, m); }
  void operator()(NotLeading, AppendReply&) {}  // to a leadership that is lost

  void operator()(Leader, HeartbeatReply& m) { core.HandleHeartbeatReply(sender, m); }
  void operator()(NotLeading, HeartbeatReply&) {}

  void operator()(Leader, RateLimitReport& m) { core.rate_limiter_.Report(sender.id, m.bytes); }
  void operator()(NotLeading, RateLimitReport&) {}

  void operator()(Leader, SnapshotReceived&) { core.SnapshotStatus(sender.id, false); }
  void operator()(NotLeading, SnapshotReceived&) {}

  void operator()(Leader, ForwardedProposal& m) {
    core.ProposeAsLeader(std::move(m.entries), Origin::kForwarded);
  }
  void operator()(AnyOf<Follower, NonVoting>, ForwardedProposal& m) {
    // Never back to where it came from: two that take each other for the leader would go on so.
    if (core.leader_ != sender.id) core.Relay(std::move(m.entries), Origin::kForwarded);
  }
  void operator()(AnyOf<PreCandidate, Candidate, Witness>, ForwardedProposal&) {}

  void operator()(Leader, ReadIndexRequest& m) { core.HandleReadIndexRequest(sender, m); }
  void operator()(NotLeading, ReadIndexRequest&) {}  // the answer would not find its way back

  void operator()(Leader, LeaderTransferRequest& m) {
    if (m.target) core.StartTransfer(m.target);
  }
  void operator()(AnyOf<Follower, NonVoting>, LeaderTransferRequest& m) {
    if (core.leader_ != sender.id) core.TransferLeadership(m.target);
  }
  void operator()(AnyOf<PreCandidate, Candidate, Witness>, LeaderTransferRequest&) {}

  void operator()(Anyone, NoOp&) {}  // its term was all
  void operator()(Anyone, QuiesceNotice&) { core.OnQuiesceNotice(); }
};

void Core::Step(Envelope&& envelope) {
  if (!IsAddressedHere(envelope) || !IsWellFormed(envelope)) return;
  const Sender sender{.id = envelope.from, .term = envelope.term};
  std::visit([&](auto& message) { StepMessage(sender, message); }, envelope.message);
}

bool Core::IsAddressedHere(const Envelope& envelope) const {
  return envelope.shard == options_.shard && envelope.to == options_.replica && envelope.from &&
         envelope.from != options_.replica;
}

template <class M>
void Core::StepMessage(Sender sender, M& message) {
  if (!kHeardFromStrangers<M> && FindMember(sender.id) == nullptr) {
    // One that was removed answers still. A newer term of its own is nobody else's.
    const bool answers = kIsOneOf<M, AppendReply, HeartbeatReply> && sender.term == term_;
    if (!answers || FindReceiver(sender.id) == nullptr) return;
  }
  // A replica that was away when it was removed campaigns for ever; nobody has to listen.
  if (kIsOneOf<M, RequestVote, RequestPreVote> && membership_.removed.contains(sender.id)) return;
  if constexpr (kIsOneOf<M, Heartbeat, HeartbeatReply>) {
    if (message.context) {
      WakeUp();
    } else if (quiescence_.OnPlainHeartbeat()) {
      OnWoken();
    }
  } else if constexpr (!kIsOneOf<M, QuiesceNotice>) {
    WakeUp();
  }
  if (!SettleTerm(sender, message)) return;
  std::visit([&](auto role) { RoleTable{*this, sender}(role, message); }, ToType(role_));
}

// -- Terms (Raft section 5.1) ---------------------------------------------------------------------

template <class M>
bool Core::SettleTerm(Sender sender, const M& message) {
  if constexpr (!kCarriesTerm<M>) {
    return true;
  } else {
    if (sender.term == term_) return true;
    if (sender.term > term_) return SettleHigherTerm(sender, message);
    AnswerLowerTerm<M>(sender);
    return false;
  }
}

template <class M>
bool Core::SettleHigherTerm(Sender sender, const M& message) {
  if constexpr (kIsOneOf<M, RequestVote, RequestPreVote>) {
    if (InLease() && !message.transfer) return false;
  }
  if constexpr (kIsOneOf<M, RequestPreVote>) {
    return true;  // it only asks what would be
  } else if constexpr (kIsOneOf<M, PreVoteReply>) {
    if (!message.rejected) return true;  // carries the term that was asked for
    BecomeFollower(sender.term, ReplicaId{0});
  } else if constexpr (kIsOneOf<M, RequestVote>) {
    BecomeFollower(sender.term, ReplicaId{0}, Timers::kKeep);
  } else {
    BecomeFollower(sender.term, kSpeaksAsLeader<M> ? sender.id : ReplicaId{0});
  }
  return true;
}

// A leader or pre-candidate of an old term hears of the newer one (section 5.1), or it could go on
// for ever: followers that check for a quorum do not raise their voice, and a witness, which some
// removed replica drew into a newer term, never does. Dragonboat answers only with its quorum check
// or pre-votes on, but understands the answer always.
//
// So does a candidate, where no leader will tell it. Else two could miss each other for ever: the
// one that should win counts its terms up behind one that does not yet know it as a member. A
// replica with a leader keeps quiet, so that whom that one does not reach does not come back to
// disturb it.
template <class M>
void Core::AnswerLowerTerm(Sender sender) {
  const bool campaigns = kIsOneOf<M, RequestVote> && !leader_;
  if (kSpeaksAsLeader<M> || kIsOneOf<M, RequestPreVote> || campaigns) Send(sender.id, NoOp{});
}

bool Core::InLease() const {
  const bool heard = role_ == Role::kLeader || silence_ < options_.election_ticks;
  return options_.check_quorum && leader_ && heard;
}

bool Core::Follow(ReplicaId leader) {
  if (leader_ && leader_ != leader) return false;  // a term has one leader: forged
  SetLeader(leader);
  election_.elapsed = 0;
  return true;
}

}  // namespace drumbeat::raft
