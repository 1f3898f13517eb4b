// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/random.h"
#include "raft/log.h"
#include "raft/progress.h"
#include "raft/quiesce.h"
#include "raft/quorum.h"
#include "raft/raft.h"
#include "raft/rate_limit.h"
#include "raft/read_index.h"

namespace drumbeat::raft {

/// What can be done once the change before it is applied. That may be a removal that is held back
/// for long, and nobody may want this any more: it waits for one or two checks of the quorum.
template <class T>
struct Waiting {
  T what;
  bool old = false;  // a check of the quorum came in between

  auto fields() const { return std::tie(what, old); }
};

/// The protocol behind raft.h, whose comments hold for the functions of the same names here.
///
/// Where to find what:
///   core.cc         start, the clock, roles, members
///   step.cc         what each role does with each message, and the rules of terms
///   election.cc     campaigns and votes
///   replication.cc  a leader's side of the log: proposals, appends, commit, snapshots
///   witness.cc      how far a leader's witnesses may follow
///   removal.cc      a member is removed once those who stay know of it
///   following.cc    a follower's side of the log
///   reads.cc        confirmed reads
///   transfer.cc     handing leadership over
///   output.cc       what the host gets
class Core {
 public:
  Core(const Options& options, const StoredState& stored, const LogReader& log);
  /// A copy goes its own way, but reads the stored log through the same LogReader.
  Core(const Core&) = default;

  void Tick();
  void Step(Envelope&& envelope);
  void Propose(std::vector<Entry>&& entries);
  void ReadIndex(ReadContext context);
  void TransferLeadership(ReplicaId target);
  void Saved(Term last_term, Index last_index);
  void Applied(Index index);
  void ConfigChangeApplied(Index index, bool accepted, const Membership& members);
  void SnapshotRestored(const SnapshotRecord& snapshot);
  void SnapshotStatus(ReplicaId to, bool failed);
  void Unreachable(ReplicaId to);

  bool HasOutput() const;
  Output TakeOutput();

  Role role() const { return role_; }
  Term term() const { return term_; }
  ReplicaId leader() const { return leader_; }
  Index committed() const { return log_.committed(); }
  bool quiesced() const { return quiescence_.asleep(); }
  Status status();
  std::uint64_t in_memory_bytes() const { return log_.bytes(); }
  const std::optional<std::string>& complaint() const { return complaint_; }

  /// All that it holds besides its options, what is stored and its dice, to tell states apart.
  auto fields() const {
    return std::tie(role_, term_, vote_, leader_, log_, replayed_, membership_, members_, voting_,
                    election_, silence_, heartbeat_elapsed_, report_elapsed_, reported_limited_,
                    quiescence_, rate_limiter_, tally_, transfer_, next_transfer_, removal_,
                    former_, next_change_, told_to_campaign_, first_of_term_, expected_, reads_,
                    forwarded_reads_, appends_due_, read_heartbeats_due_, received_snapshot_,
                    restoring_, out_, handed_, synced_commit_, durable_term_, announced_,
                    complaint_);
  }

 private:
  /// Who sent a message, and in which term.
  struct Sender {
    ReplicaId id;
    Term term;
  };
  /// Counts the ticks to the next campaign; starts anew when the leader, or a candidate that gets
  /// the vote, is heard of. On a leader: to the next check of its quorum.
  struct ElectionTimer {
    std::uint64_t elapsed = 0;
    std::uint64_t timeout = 0;

    auto fields() const { return std::tie(elapsed, timeout); }
  };
  struct Transfer {
    ReplicaId target;
    bool told = false;

    auto fields() const { return std::tie(target, told); }
  };
  /// Of a voting member: committed, but held back here. See removal.cc.
  struct Removal {
    Index change;
    ReplicaId leaver;
    Index notice;  // an entry that nobody has without knowing that the change is committed

    auto fields() const { return std::tie(change, leaver, notice); }
  };
  /// Was a member: for two election timeouts whoever leads sends it what tells it so.
  struct Former {
    MemberProgress member;
    Index change;  // that removed it: the end of what it is sent
    std::uint64_t ticks;

    auto fields() const { return std::tie(member, change, ticks); }
  };
  template <class T>
  static void ForgetOld(std::optional<Waiting<T>>& next) {
    if (next && std::exchange(next->old, true)) next.reset();
  }
  enum class CampaignCause : std::uint8_t { kTimeout, kToldByLeader };
  enum class Timers : std::uint8_t { kRestart, kKeep };
  /// Whose proposals: only local ones are reported when they are dropped.
  enum class Origin : std::uint8_t { kLocal, kForwarded };
  struct RoleTable;  // step.cc

  // -- core.cc -----------------------------------------------------------------------------------
  void FollowerTick();
  void LeaderTick();
  void LeaderElectionTimeout();
  void ReportSize();
  /// Something happened that a sleeping replica has to be awake for.
  void WakeUp();
  void OnWoken();
  bool MaySleep() const;
  bool Lacks(const MemberProgress& member) const { return member.match() < log_.last(); }
  void CallAbsent();
  void TellVotersOfSleep();
  void BecomeFollower(Term term, ReplicaId leader, Timers timers = Timers::kRestart);
  /// A candidate's votes were counted for the members that it knew, of a log that was not
  /// committed any further: when either changes, it starts over as a follower.
  void StopStanding();
  void BecomePreCandidate();
  void BecomeCandidate();
  void BecomeLeader();
  /// What every change of role or term forgets.
  void ResetRole(Timers timers);
  void SetLeader(ReplicaId leader);
  Role PassiveRole() const;
  void RestartElectionTimer();
  void SetMembers(const Membership& members);
  void OnMembersChanged();
  MemberProgress* FindMember(ReplicaId id);
  const MemberProgress* FindMember(ReplicaId id) const;
  bool IsVoter() const;
  std::size_t Quorum() const { return QuorumSize(voting_); }
  /// The own vote alone is the quorum.
  bool Alone() const { return IsVoter() && voting_ == 1; }
  void Send(ReplicaId to, Message&& message) { SendWithTerm(to, term_, std::move(message)); }
  void SendWithTerm(ReplicaId to, Term term, Message&& message);

  // -- step.cc -----------------------------------------------------------------------------------
  bool IsAddressedHere(const Envelope& envelope) const;
  template <class M>
  void StepMessage(Sender sender, M& message);
  template <class M>
  bool SettleTerm(Sender sender, const M& message);
  template <class M>
  bool SettleHigherTerm(Sender sender, const M& message);
  template <class M>
  void AnswerLowerTerm(Sender sender);
  /// The leader was heard of within an election timeout, so nobody is elected against it (thesis
  /// 4.2.3 and 6.2).
  bool InLease() const;
  /// Follows the leader of this term. False when it is known to be another one.
  bool Follow(ReplicaId leader);
  void OnQuiesceNotice();

  // -- election.cc -------------------------------------------------------------------------------
  bool MayCampaign() const;
  void Campaign(CampaignCause cause);
  void StartPreVote();
  void StartElection(CampaignCause cause);
  void OnTallied();
  template <class Request>
  void AskForVotes(Term term, CampaignCause cause);
  void HandleRequestVote(Sender sender, const RequestVote& request);
  void HandleRequestPreVote(Sender sender, const RequestPreVote& request);
  void HandleVote(Sender sender, bool rejected);
  void HandlePreVote(Sender sender, bool rejected);

  // -- replication.cc ----------------------------------------------------------------------------
  void Relay(std::vector<Entry>&& entries, Origin origin);
  void ProposeAsLeader(std::vector<Entry>&& entries, Origin origin);
  std::optional<DropReason> WhyDropped(const Entry& entry, Origin origin);
  bool IsNextChange(const Entry& entry, Origin origin) const;
  void ProposeNextChange();
  void Drop(Entry&& entry, DropReason reason, Origin origin);
  void HandleAppendReply(Sender sender, const AppendReply& reply);
  void HandleHeartbeatReply(Sender sender, const HeartbeatReply& reply);
  void SendAppends();
  void SendAppendsTo(MemberProgress& member, Index end);
  bool SendAppend(MemberProgress& member, Index end, std::uint64_t max_bytes);
  void SendSnapshotTo(MemberProgress& member);
  void SendHeartbeats();
  void SendHeartbeat(const MemberProgress& member, ReadContext context);
  void CountOwnLog();
  void AdvanceCommit();
  bool HasCommittedInTerm() const;

  // -- following.cc ------------------------------------------------------------------------------
  void HandleAppendEntries(ReplicaId leader, AppendEntries& request);
  void HandleHeartbeat(ReplicaId leader, const Heartbeat& heartbeat);
  void HandleInstallSnapshot(Sender sender, const InstallSnapshot& install);
  void Restore(const SnapshotRecord& snapshot);
  void Acknowledge(ReplicaId leader, Index index);
  /// The log is replaced from `index` on: what was acknowledged of that and not sent is not true.
  void ForgetAcknowledged(Index index);

  // -- witness.cc --------------------------------------------------------------------------------
  Index EndFor(const MemberProgress& member) const;
  Index EndForWitnesses(ReplicaId leaver) const;
  void CheckPace();

  // -- removal.cc --------------------------------------------------------------------------------
  ReplicaId Leaver(Index change) const;
  ReplicaId Leaver(const Entry& change) const;
  bool WouldEndQuorum(const Entry& change) const;
  bool IsLeaving(ReplicaId member) const { return removal_ && removal_->leaver == member; }
  void HoldRemovalBack(Index before);
  void RenewRemoval();
  void EndKnownRemoval();
  void OnRemovalTold(Index commit);
  void EndRemoval();
  void KeepFormer(Index change, const Membership& members);
  void FormerTick();
  MemberProgress* FindReceiver(ReplicaId id);
  Index CommitFor(ReplicaId member) const;

  // -- reads.cc ----------------------------------------------------------------------------------
  void AddRead(ReadContext context, ReplicaId from);
  void ConfirmReads();
  void AnswerRead(const PendingRead& read);
  void DropReads();
  void HandleReadIndexRequest(Sender sender, const ReadIndexRequest& request);
  void HandleReadIndexReply(ReplicaId leader, const ReadIndexReply& reply);
  void SendReadHeartbeats();

  // -- transfer.cc -------------------------------------------------------------------------------
  void StartTransfer(ReplicaId target);
  void StartNextTransfer();
  ReplicaId BestSuccessor(Index least) const;
  void TellTransferTarget();
  void RepeatTransfer();
  void LeaveLeadership();
  void HandleTimeoutNow();
  void CampaignIfTold();

  // -- output.cc ---------------------------------------------------------------------------------
  HardState CurrentHardState() const;
  void FillHardState(Output& out);

  const Options options_;
  const Inflight::Limits inflight_limits_;
  base::Random random_;

  Role role_ = Role::kFollower;
  Term term_;
  ReplicaId vote_;
  ReplicaId leader_;
  Log log_;
  /// What a restart has to apply again: it may hold membership changes, so no campaign before.
  const Index replayed_;

  /// As applied here; `members_` has one element for each, by id. Their progress only has a
  /// meaning on a leader.
  Membership membership_;
  std::vector<MemberProgress> members_;
  std::size_t voting_ = 0;

  ElectionTimer election_;
  std::uint64_t silence_ = 0;  // ticks since the leader was heard of, also those slept through
  std::uint64_t heartbeat_elapsed_ = 0;
  std::uint64_t report_elapsed_ = 0;
  bool reported_limited_ = false;
  Quiescence quiescence_;
  RateLimiter rate_limiter_;

  VoteTally tally_;                   // of a candidate or pre-candidate
  std::optional<Transfer> transfer_;  // of a leader
  std::optional<Removal> removal_;    // of a leader, or of one that was and is to be removed
  std::vector<Former> former_;        // their progress only has a meaning on a leader
  // Of a leader: to whom to hand over, and a change that another member passed on.
  std::optional<Waiting<ReplicaId>> next_transfer_;
  std::optional<Waiting<Entry>> next_change_;
  bool told_to_campaign_ = false;     // of a follower: but it has yet to apply what is committed
  Index first_of_term_;               // a leader's first entry
  Index expected_;                    // of a leader: the end of the log at the last check of paces
  ReadQueue reads_;                   // of a leader
  ForwardedReads forwarded_reads_;    // of a follower
  bool appends_due_ = false;          // of a leader: something to send may be there
  bool read_heartbeats_due_ = false;  // of a leader: a read was added

  /// Received, not handed out yet.
  std::optional<SnapshotRecord> received_snapshot_;
  /// Index of the snapshot that the state machine has yet to recover from; 0: none.
  Index restoring_;

  Output out_;
  HardState handed_;     // the last one that was handed out
  Index synced_commit_;  // the commit index in the last one that had to be synced
  Term durable_term_;
  LeaderChange announced_;
  std::optional<std::string> complaint_;
};

}  // namespace drumbeat::raft
