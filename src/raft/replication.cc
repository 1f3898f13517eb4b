// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/core.h"

namespace drumbeat::raft {
namespace {

/// What a witness gets to keep of an entry.
Entry WitnessCopy(const Entry& entry) {
  Entry copy;
  copy.term = entry.term;
  copy.index = entry.index;
  copy.type = EntryType::kMetadata;
  return copy;
}

void ReduceForWitness(std::vector<Entry>& entries) {
  for (Entry& entry : entries) {
    if (entry.type != EntryType::kConfigChange) entry = WitnessCopy(entry);
  }
}

std::uint64_t SizeOf(const std::vector<Entry>& entries) {
  std::uint64_t bytes = 0;
  for (const Entry& entry : entries) bytes += EntrySize(entry);
  return bytes;
}

/// Entries that no client makes and that would end every Dragonboat member that applies them.
bool IsFitForLog(const Entry& entry) {
  switch (entry.type) {
    case EntryType::kConfigChange: return true;
    case EntryType::kMetadata: return false;
    case EntryType::kEncoded:
      return entry.key != 0 && entry.client_id != 0 && !entry.command.empty();
    case EntryType::kApplication: return entry.key != 0 && entry.client_id != 0;
  }
  return false;
}

}  // namespace

// -- Proposals ------------------------------------------------------------------------------------

void Core::Propose(std::vector<Entry>&& entries) {
  if (entries.empty()) return;
  WakeUp();
  if (role_ == Role::kLeader) return ProposeAsLeader(std::move(entries), Origin::kLocal);
  Relay(std::move(entries), Origin::kLocal);
}

// In pieces: a frame of all that has gathered might be one that no leader takes, and what other
// shards send would wait behind it.
void Core::Relay(std::vector<Entry>&& entries, Origin origin) {
  const bool relays = (role_ == Role::kFollower || role_ == Role::kNonVoting) && leader_;
  ForwardedProposal forwarded;
  std::uint64_t bytes = 0;
  for (Entry& entry : entries) {
    if (!relays) {
      Drop(std::move(entry), DropReason::kNoLeader, origin);
    } else if (origin == Origin::kLocal && entry.type != EntryType::kConfigChange &&
               rate_limiter_.Limited(log_.bytes())) {
      Drop(std::move(entry), DropReason::kBusy, origin);
    } else {
      bytes += EntrySize(entry);
      if (bytes > options_.max_append_bytes && !forwarded.entries.empty()) {
        SendWithTerm(leader_, Term{0}, std::exchange(forwarded, {}));
        bytes = EntrySize(entry);
      }
      forwarded.entries.push_back(std::move(entry));
    }
  }
  if (!forwarded.entries.empty()) SendWithTerm(leader_, Term{0}, std::move(forwarded));
}

void Core::ProposeAsLeader(std::vector<Entry>&& entries, Origin origin) {
  for (Entry& entry : entries) {
    if (IsNextChange(entry, origin)) {
      next_change_ = Waiting<Entry>{.what = std::move(entry)};
      continue;
    }
    if (const auto reason = WhyDropped(entry, origin)) {
      Drop(std::move(entry), *reason, origin);
      continue;
    }
    log_.Append(term_, std::move(entry));
    appends_due_ = true;
  }
}

/// Whoever passed it on may have applied the change before, which is committed, ahead of this
/// leader. It would not hear that it was dropped.
bool Core::IsNextChange(const Entry& entry, Origin origin) const {
  return origin == Origin::kForwarded && entry.type == EntryType::kConfigChange && !next_change_ &&
         log_.HasUnappliedChange(log_.last()) && log_.last_unapplied_change() <= log_.committed();
}

void Core::ProposeNextChange() {
  if (!next_change_ || log_.HasUnappliedChange(log_.last())) return;
  std::vector<Entry> next;
  next.push_back(std::exchange(next_change_, std::nullopt)->what);
  ProposeAsLeader(std::move(next), Origin::kForwarded);
}

std::optional<DropReason> Core::WhyDropped(const Entry& entry, Origin origin) {
  if (transfer_) return DropReason::kNoLeader;
  if (origin == Origin::kForwarded && !IsFitForLog(entry)) return DropReason::kNoLeader;
  if (entry.type == EntryType::kConfigChange) {
    // Thesis 4.1: one at a time. So every message that brings a change also brings the commit
    // index of the one before, which those who may campaign have then applied.
    if (log_.HasUnappliedChange(log_.last())) return DropReason::kChangeInProgress;
    if (WouldEndQuorum(entry)) return DropReason::kWouldEndQuorum;
    return std::nullopt;
  }
  // What is behind a removal that is held back is applied late, if those who stay are away.
  if (removal_ && log_.bytes() >= options_.max_apply_bytes) return DropReason::kBusy;
  const std::uint64_t bytes = log_.bytes();
  if (!rate_limiter_.Limited(bytes)) return std::nullopt;
  // Those who passed theirs on were told so late that they get some slack.
  const bool little = rate_limiter_.Largest(bytes) / 2 < rate_limiter_.max_bytes();
  if (origin == Origin::kForwarded && little) return std::nullopt;
  return DropReason::kBusy;
}

void Core::Drop(Entry&& entry, DropReason reason, Origin origin) {
  if (origin == Origin::kForwarded) return;  // whoever made it waits elsewhere and will time out
  out_.dropped_proposals.push_back({.entry = std::move(entry), .reason = reason});
}

// -- Answers --------------------------------------------------------------------------------------

void Core::HandleAppendReply(Sender sender, const AppendReply& reply) {
  MemberProgress& member = *FindReceiver(sender.id);
  if (reply.index > log_.last()) return;  // nobody has what was never sent
  member.Heard();
  appends_due_ = true;
  if (reply.rejected) {
    member.Reject(reply.index, reply.hint);
    return;
  }
  if (!member.Accept(reply.index)) return;
  if (member.voting()) {
    AdvanceCommit();
    EndKnownRemoval();
  }
  TellTransferTarget();
}

void Core::HandleHeartbeatReply(Sender sender, const HeartbeatReply& reply) {
  MemberProgress& member = *FindReceiver(sender.id);
  member.Heard();
  member.HeartbeatAnswered(log_.last());
  appends_due_ = true;
  if (!reply.context || !member.voting()) return;
  if (const auto sequence = reads_.SequenceOf(reply.context)) {
    member.ConfirmRead(*sequence);
    ConfirmReads();
  }
}

void Core::Unreachable(ReplicaId to) {
  if (to == leader_) WakeUp();
  if (role_ != Role::kLeader || to == options_.replica) return;
  if (MemberProgress* member = FindReceiver(to)) member->Unreachable();
  appends_due_ |= !membership_.witnesses.empty();  // as in SendHeartbeats()
}

void Core::SnapshotStatus(ReplicaId to, bool failed) {
  if (role_ != Role::kLeader) return;
  if (MemberProgress* member = FindReceiver(to)) member->EndSnapshot(failed);
}

// -- Commit ---------------------------------------------------------------------------------------

void Core::Saved(Term last_term, Index last_index) {
  durable_term_ = handed_.term;
  log_.Saved(last_term, last_index);
  if (role_ == Role::kLeader) CountOwnLog();
}

void Core::Applied(Index index) {
  log_.Applied(index);
  CampaignIfTold();
}

// A leader may send before its own disk is done, but it counts itself only then (thesis 10.2.1).
void Core::CountOwnLog() {
  MemberProgress& own = *FindMember(options_.replica);
  // Witnesses may get what is saved now.
  appends_due_ |= own.match() != log_.saved() && !membership_.witnesses.empty();
  own.SetOwnMatch(log_.saved());
  AdvanceCommit();
  EndKnownRemoval();
}

void Core::AdvanceCommit() {
  std::vector<Index> matches;
  matches.reserve(members_.size());
  for (const MemberProgress& member : members_) {
    if (member.voting()) matches.push_back(member.match());
  }
  const Index index = QuorumValue<Index>(matches);
  // Raft section 5.4.2: entries of older terms are committed only along with one of this term.
  if (index <= log_.committed() || log_.TermAt(index) != term_) return;
  const bool first = !HasCommittedInTerm();
  const Index before = log_.committed();
  log_.CommitTo(index);
  HoldRemovalBack(before);
  appends_due_ = true;
  if (first) {
    reads_.SetIndex(index);
    ConfirmReads();
    read_heartbeats_due_ = !reads_.empty();
  }
}

bool Core::HasCommittedInTerm() const { return log_.committed() >= first_of_term_; }

// -- Sending --------------------------------------------------------------------------------------

void Core::SendAppends() {
  appends_due_ = false;
  for (MemberProgress& member : members_) {
    if (member.id() != options_.replica) SendAppendsTo(member, EndFor(member));
  }
  for (Former& former : former_) SendAppendsTo(former.member, former.change);
}

void Core::SendAppendsTo(MemberProgress& member, Index end) {
  const std::uint64_t max_bytes = std::max<std::uint64_t>(1, options_.max_append_bytes);
  bool sent = false;
  while (member.next() <= end && member.MaySendEntries(inflight_limits_) &&
         SendAppend(member, end, max_bytes)) {
    sent = true;
  }
  if (!sent && member.OwesEmpty(CommitFor(member.id()))) SendAppend(member, end, 0);
}

/// Entries up to `end`; `max_bytes` 0: none. Returns whether entries were sent.
bool Core::SendAppend(MemberProgress& member, Index end, std::uint64_t max_bytes) {
  const Index previous = member.next() - 1;
  const std::optional<Term> previous_term = log_.TermAt(previous);
  std::optional<std::vector<Entry>> entries(std::in_place);
  if (max_bytes > 0) entries = log_.Read(member.next(), max_bytes);
  const bool witness = member.kind() == MemberKind::kWitness;
  if (!previous_term || !entries) {
    SendSnapshotTo(member);
    return false;
  }
  while (!entries->empty() && entries->back().index > end) entries->pop_back();
  if (witness) ReduceForWitness(*entries);
  const std::uint64_t bytes = SizeOf(*entries);
  const Index last = previous + entries->size();
  // Before the own save, unless nothing but that save makes them committed (a quorum of one), or
  // the term itself might be used again after a crash, or a removal might be told and forgotten.
  const bool early = !Alone() && durable_term_ == term_ &&
                     !log_.HasUnappliedChange(synced_commit_, log_.committed());
  const Index commit = CommitFor(member.id());
  auto& messages = early ? out_.messages_now : out_.messages_after_save;
  messages.push_back({.shard = options_.shard,
                      .from = options_.replica,
                      .to = member.id(),
                      .term = term_,
                      .message = AppendEntries{.previous = previous,
                                               .previous_term = *previous_term,
                                               .commit = commit,
                                               .entries = *std::move(entries)}});
  member.Sent(last, bytes, commit);
  return last > previous;
}

void Core::SendSnapshotTo(MemberProgress& member) {
  // Not into the void. Whoever was removed so far behind is not worth one.
  if (!member.active() || FindMember(member.id()) == nullptr) return;
  const SnapshotRecord& newest = log_.newest_snapshot();
  DRUMBEAT_CHECK(newest.index + 1 >= log_.first(), "a snapshot stands for what was cut off");
  SendSnapshot request{.to = member.id(), .snapshot = newest};
  if (member.kind() == MemberKind::kWitness) {
    request.snapshot.witness = true;
    request.snapshot.image_bytes = 0;
    request.snapshot.on_disk_index = Index{0};
  }
  member.BeginSnapshot(newest.index);
  out_.snapshots_to_send.push_back(std::move(request));
}

void Core::SendHeartbeats() {
  const ReadContext newest =
      HasCommittedInTerm() ? reads_.newest().value_or(ReadContext{}) : ReadContext{};
  for (MemberProgress& member : members_) {
    if (member.id() == options_.replica) continue;
    SendHeartbeat(member, member.voting() ? newest : ReadContext{});
    member.HeartbeatSent();
  }
  for (const Former& former : former_) SendHeartbeat(former.member, ReadContext{});
  // Witnesses may get what only a voter lacks that does not answer any more.
  appends_due_ |= !membership_.witnesses.empty();
}

// Never beyond what the member is known to have: Dragonboat's would end.
void Core::SendHeartbeat(const MemberProgress& member, ReadContext context) {
  Send(member.id(),
       Heartbeat{.commit = std::min(member.match(), CommitFor(member.id())), .context = context});
}

}  // namespace drumbeat::raft
