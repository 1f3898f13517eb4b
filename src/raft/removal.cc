// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <vector>

#include "raft/core.h"

// Thesis 4.2.2: a leader that is removed leads until those who stay can do without it.
//
// Changes take effect when they are applied, and whoever is removed stops then. Others who have
// the entry, but do not know yet that it is committed, still count on its vote: the other one of
// two for ever, and of four who become three any two. So when a leader has committed the removal of
// a voting member, it neither applies it nor tells that member before a majority of those who stay
// knows, durably. What shows that is one more entry: the message that brings it brings the commit
// index of the removal, too, and who acknowledges it has saved both (Dragonboat's members as well).
//
// A leader that loses its leadership meanwhile applies the removal of somebody else as any follower
// does. Its own it holds back, and has not saved that it is committed: it goes on as one that does
// not know, votes and may lead again, until a leader tells it.
//
// Whoever is removed is no member any more and is sent to for two election timeouts all the same:
// it may lack the entry, or the message that tells it may get lost. What it answers counts for
// nothing.
//
// Safety: the commit index was reached as always; it is used later than it might be, and to know
// less of it is what any member may do at any time, after a crash for one.
namespace drumbeat::raft {
namespace {

/// Of former members as many are told.
constexpr std::size_t kMaxFormer = 16;

}  // namespace

/// The voting member that the entry at `change`, which was not applied, removes; 0: none.
ReplicaId Core::Leaver(Index change) const {
  const auto entries = log_.Read(change, 0);
  return entries ? Leaver(entries->front()) : ReplicaId{};
}

/// The last voter stays.
ReplicaId Core::Leaver(const Entry& change) const {
  if (options_.read_change == nullptr) return {};
  const std::optional<ConfigChange> said = options_.read_change(change);
  if (!said || said->type != ConfigChangeType::kRemove) return {};
  if (membership_.witnesses.contains(said->replica)) return said->replica;
  const bool is_voter = membership_.voters.contains(said->replica);
  return is_voter && membership_.voters.size() > 1 ? said->replica : ReplicaId{};
}

/// Whether `change` would leave too few who are alive to commit anything more, or nobody alive to
/// lead them. With too few alive already it could not be made now, and would lie in wait for those
/// who come back. Dragonboat's leaders make such a change.
bool Core::WouldEndQuorum(const Entry& change) const {
  const ReplicaId leaver = Leaver(change);
  if (!leaver) return false;
  std::size_t alive = 0;
  std::size_t staying = 0;
  bool can_lead = false;
  for (const MemberProgress& member : members_) {
    if (!member.voting() || !member.alive()) continue;
    ++alive;
    if (member.id() == leaver) continue;
    ++staying;
    can_lead |= member.kind() == MemberKind::kVoter;
  }
  return alive < Quorum() || staying < QuorumSize(voting_ - 1) || !can_lead;
}

/// What is behind `before` was committed just now.
void Core::HoldRemovalBack(Index before) {
  const Index change = log_.last_unapplied_change();
  if (change <= before || change > log_.committed()) return;
  const ReplicaId leaver = Leaver(change);
  if (!leaver) return;
  log_.HoldBack(change);
  log_.Append(term_, Entry{});
  removal_ = Removal{.change = change, .leaver = leaver, .notice = log_.last()};
}

/// A new leader's first entry is a notice of the removal that it holds back itself.
void Core::RenewRemoval() {
  if (removal_) removal_->notice = first_of_term_;
}

void Core::EndKnownRemoval() {
  if (!removal_ || role_ != Role::kLeader) return;
  std::vector<Index> staying;
  for (const MemberProgress& member : members_) {
    if (member.voting() && !IsLeaving(member.id())) staying.push_back(member.match());
  }
  if (QuorumValue<Index>(staying) < removal_->notice) return;
  EndRemoval();
  appends_due_ = true;  // the leaver may know
  TellTransferTarget();
}

/// By a leader that has committed up to `commit`.
void Core::OnRemovalTold(Index commit) {
  if (removal_ && commit >= removal_->change) EndRemoval();
}

void Core::EndRemoval() {
  removal_.reset();
  log_.HoldNothingBack();
}

/// After `change`, `members` are about to follow the present ones. Followers keep them as well: one
/// of these may lead at once. Not what a restart applies again.
void Core::KeepFormer(Index change, const Membership& members) {
  if (change <= replayed_) return;
  // What was applied along with it is in `members` as well.
  const Index newest = log_.last_unapplied_change();
  if (newest <= log_.committed()) change = std::max(change, newest);
  for (const MemberProgress& member : members_) {
    if (!members.removed.contains(member.id()) || member.id() == options_.replica) continue;
    former_.push_back({.member = member, .change = change, .ticks = 2 * options_.election_ticks});
  }
  while (former_.size() > kMaxFormer) former_.erase(former_.begin());
}

void Core::FormerTick() {
  for (Former& former : former_) --former.ticks;
  std::erase_if(former_, [](const Former& former) { return former.ticks == 0; });
}

/// To whom this leader sends what is in its log.
MemberProgress* Core::FindReceiver(ReplicaId id) {
  if (MemberProgress* const member = FindMember(id)) return member;
  for (Former& former : former_) {
    if (former.member.id() == id) return &former.member;
  }
  return nullptr;
}

/// What a leader tells `member`.
Index Core::CommitFor(ReplicaId member) const {
  if (!IsLeaving(member)) return log_.committed();
  return std::min(log_.committed(), removal_->change - 1);
}

}  // namespace drumbeat::raft
