// SPDX-License-Identifier: Apache-2.0
#include "raft/core.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace drumbeat::raft {

Core::Core(const Options& options, const StoredState& stored, const LogReader& log)
    : options_(options),
      inflight_limits_{.messages = std::max<std::uint64_t>(1, options.max_inflight_messages),
                       .bytes = std::max<std::uint64_t>(1, options.max_inflight_bytes)},
      random_(options.seed),
      term_(stored.hard_state.term),
      vote_(stored.hard_state.vote),
      log_(log, stored.hard_state.commit, stored.applied),
      replayed_(log_.committed()),
      quiescence_(options.quiesce, options.election_ticks),
      rate_limiter_(options.max_in_memory_log_bytes),
      handed_(stored.hard_state),
      synced_commit_(stored.hard_state.commit),
      durable_term_(stored.hard_state.term) {
  DRUMBEAT_CHECK(log_.last_term() <= term_, "no entry is newer than the stored term");
  announced_ = {.leader = ReplicaId{0}, .term = term_};
  SetMembers(stored.membership);
  role_ = PassiveRole();
  RestartElectionTimer();
}

// -- The clock ------------------------------------------------------------------------------------

void Core::Tick() {
  FormerTick();
  if (quiescence_.Tick(MaySleep())) TellVotersOfSleep();
  if (quiescence_.asleep()) {
    ++silence_;
    if (role_ == Role::kLeader) CallAbsent();
    return;
  }
  role_ == Role::kLeader ? LeaderTick() : FollowerTick();
}

void Core::FollowerTick() {
  ++silence_;
  ++election_.elapsed;
  if (++report_elapsed_ >= options_.election_ticks) ReportSize();
  if (role_ == Role::kNonVoting || role_ == Role::kWitness) return;
  if (!IsVoter() || election_.elapsed < election_.timeout) return;
  // Drawn anew even if the campaign is skipped, so that two that cannot win do not stay in step.
  RestartElectionTimer();
  Campaign(CampaignCause::kTimeout);
}

void Core::ReportSize() {
  report_elapsed_ = 0;
  rate_limiter_.Tick();
  if (!rate_limiter_.enabled() || !leader_) return;
  const std::uint64_t bytes = log_.bytes();
  const std::uint64_t committed = bytes - std::min(bytes, log_.uncommitted_bytes());
  const bool limited = rate_limiter_.Limited(bytes);
  // A Dragonboat leader without a limit logs each report, so there is none while all is well. The
  // report that it is well again may get lost: the one before is forgotten before long.
  if (limited || reported_limited_)
    Send(leader_, RateLimitReport{.bytes = limited ? committed : 0});
  reported_limited_ = limited;
}

void Core::LeaderTick() {
  if (++election_.elapsed >= options_.election_ticks) LeaderElectionTimeout();
  if (role_ != Role::kLeader) return;
  if (++heartbeat_elapsed_ >= options_.heartbeat_ticks) {
    heartbeat_elapsed_ = 0;
    SendHeartbeats();
    RepeatTransfer();
  }
}

void Core::LeaderElectionTimeout() {
  election_.elapsed = 0;
  rate_limiter_.Tick();
  transfer_.reset();
  ForgetOld(next_transfer_);
  ForgetOld(next_change_);
  CheckPace();
  if (!options_.check_quorum) return;
  std::size_t heard = 0;
  for (MemberProgress& member : members_) {
    const bool self = member.id() == options_.replica;
    if (member.voting() && (self || member.active())) ++heard;
    if (!self) member.set_active(false);
  }
  if (heard < Quorum()) BecomeFollower(term_, ReplicaId{0});
}

// -- Falling asleep and waking up -----------------------------------------------------------------

// Asleep without a leader, a shard would stay without one. Who is dead is not waited for, who
// answers is: asleep, the leader would not send again what was lost on its way.
bool Core::MaySleep() const {
  if (!leader_) return false;
  if (role_ != Role::kLeader) return true;
  const auto catches_up = [this](const MemberProgress& member) {
    return member.alive() && Lacks(member);
  };
  return log_.committed() == log_.last() && reads_.empty() && !transfer_ && !removal_ &&
         former_.empty() && std::ranges::none_of(members_, catches_up);
}

// Whoever starts now may know nobody to wake, as a newcomer does. Its answer wakes the leader.
void Core::CallAbsent() {
  if (++election_.elapsed < options_.election_ticks) return;
  election_.elapsed = 0;
  for (const MemberProgress& member : members_) {
    if (member.id() != options_.replica && Lacks(member)) SendHeartbeat(member, ReadContext{});
  }
}

void Core::TellVotersOfSleep() {
  for (const MemberProgress& member : members_) {
    if (member.kind() != MemberKind::kVoter || member.id() == options_.replica) continue;
    SendWithTerm(member.id(), Term{0}, QuiesceNotice{});
  }
}

void Core::WakeUp() {
  if (quiescence_.OnActivity()) OnWoken();
}

void Core::OnWoken() {
  if (role_ == Role::kLeader) {
    election_.elapsed = 0;
    heartbeat_elapsed_ = options_.heartbeat_ticks;
    return;
  }
  // A leader that is alive gets a whole timeout to show it.
  RestartElectionTimer();
}

void Core::OnQuiesceNotice() {
  if (quiescence_.OnNotice(MaySleep())) TellVotersOfSleep();
}

// -- Roles ----------------------------------------------------------------------------------------

// A witness stays one for ever; a non-voting replica is promoted by becoming a voter.
Role Core::PassiveRole() const {
  if (options_.initial_role == Role::kNonVoting && IsVoter()) return Role::kFollower;
  return options_.initial_role;
}

void Core::BecomeFollower(Term term, ReplicaId leader, Timers timers) {
  DRUMBEAT_CHECK(term >= term_, "terms never go back");
  if (term > term_) {
    term_ = term;
    vote_ = ReplicaId{0};
  }
  role_ = PassiveRole();
  ResetRole(timers);
  SetLeader(leader);
}

void Core::StopStanding() {
  if (role_ != Role::kCandidate && role_ != Role::kPreCandidate) return;
  BecomeFollower(term_, ReplicaId{0});
}

void Core::BecomePreCandidate() {
  role_ = Role::kPreCandidate;
  ResetRole(Timers::kRestart);
  SetLeader(ReplicaId{0});
}

void Core::BecomeCandidate() {
  ++term_;
  vote_ = options_.replica;
  role_ = Role::kCandidate;
  ResetRole(Timers::kRestart);
  SetLeader(ReplicaId{0});
}

void Core::BecomeLeader() {
  DRUMBEAT_CHECK(role_ == Role::kCandidate, "only a candidate is elected");
  role_ = Role::kLeader;
  ResetRole(Timers::kRestart);
  SetLeader(options_.replica);
  for (MemberProgress& member : members_) member.Reset(log_.last());
  for (Former& former : former_) former.member.Reset(log_.last());
  // Raft section 8: only an entry of its own term shows a leader what is committed.
  log_.Append(term_, Entry{});
  first_of_term_ = log_.last();
  expected_ = log_.last();
  RenewRemoval();
  CountOwnLog();
  appends_due_ = true;
}

void Core::ResetRole(Timers timers) {
  if (timers == Timers::kRestart) RestartElectionTimer();
  heartbeat_elapsed_ = 0;
  tally_.Reset();
  transfer_.reset();
  next_transfer_.reset();
  next_change_.reset();
  told_to_campaign_ = false;
  if (!IsLeaving(options_.replica)) EndRemoval();
  rate_limiter_.ForgetReports();
  appends_due_ = false;
  read_heartbeats_due_ = false;
  DropReads();
}

void Core::SetLeader(ReplicaId leader) {
  silence_ = 0;
  if (leader == leader_) return;
  leader_ = leader;
  // What the former leader was asked will not be answered.
  for (const ReadContext& context : forwarded_reads_.TakeAll()) {
    out_.dropped_reads.push_back({.context = context, .reason = DropReason::kNoLeader});
  }
}

// Between one and two times the configured timeout (Raft section 5.2).
void Core::RestartElectionTimer() {
  election_.elapsed = 0;
  election_.timeout = options_.election_ticks + random_.Below(options_.election_ticks);
}

// -- Members --------------------------------------------------------------------------------------

MemberProgress* Core::FindMember(ReplicaId id) {
  const auto found = std::ranges::find(members_, id, &MemberProgress::id);
  return found == members_.end() ? nullptr : &*found;
}

const MemberProgress* Core::FindMember(ReplicaId id) const {
  const auto found = std::ranges::find(members_, id, &MemberProgress::id);
  return found == members_.end() ? nullptr : &*found;
}

bool Core::IsVoter() const { return membership_.voters.contains(options_.replica); }

void Core::SetMembers(const Membership& members) {
  std::vector<MemberProgress> updated;
  const auto add = [&](const MemberMap& of_kind, MemberKind kind) {
    for (const auto& [id, address] : of_kind) {
      if (MemberProgress* known = FindMember(id)) {
        updated.push_back(std::move(*known));
        updated.back().set_kind(kind);
        continue;
      }
      updated.emplace_back(id, kind);
      updated.back().Reset(log_.last());
      // It counts as heard of until the next quorum check, or adding a member that is still
      // starting could cost the leader its quorum.
      updated.back().set_active(true);
      updated.back().Lag();
    }
  };
  add(members.voters, MemberKind::kVoter);
  add(members.non_votings, MemberKind::kNonVoting);
  add(members.witnesses, MemberKind::kWitness);
  std::ranges::sort(updated, {}, &MemberProgress::id);
  members_ = std::move(updated);
  membership_ = members;
  voting_ = members.voters.size() + members.witnesses.size();
}

void Core::ConfigChangeApplied(Index index, bool accepted, const Membership& members) {
  WakeUp();
  log_.ChangeApplied(index);
  if (accepted) {
    KeepFormer(index, members);
    SetMembers(members);
    OnMembersChanged();
  }
  ProposeNextChange();
  StartNextTransfer();
  CampaignIfTold();
}

void Core::SnapshotRestored(const SnapshotRecord& snapshot) {
  if (snapshot.index >= restoring_) restoring_ = Index{0};
  log_.Applied(snapshot.index);
  SetMembers(snapshot.membership);
  OnMembersChanged();
  CampaignIfTold();
}

void Core::OnMembersChanged() {
  const bool leads = role_ == Role::kLeader;
  if (leads && !IsVoter()) return LeaveLeadership();
  StopStanding();
  if (role_ == Role::kNonVoting && IsVoter()) return BecomeFollower(term_, leader_);
  if (!leads) return;
  if (transfer_ && !membership_.voters.contains(transfer_->target)) transfer_.reset();
  // The quorum may have shrunk.
  CountOwnLog();
  ConfirmReads();
  appends_due_ = true;
}

void Core::SendWithTerm(ReplicaId to, Term term, Message&& message) {
  out_.messages_after_save.push_back({.shard = options_.shard,
                                      .from = options_.replica,
                                      .to = to,
                                      .term = term,
                                      .message = std::move(message)});
}

}  // namespace drumbeat::raft
