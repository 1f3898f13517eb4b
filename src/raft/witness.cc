// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "raft/core.h"

// A witness has no state to lead with, but its vote counts, and it refuses it to everybody who has
// less of the log. So it never gets ahead of those voters of whom one would have to be elected if
// the leader went for good.
namespace drumbeat::raft {
namespace {

/// What so many have reached; 0 if there are not so many. Reorders `reached`.
Index ReachedBy(std::vector<Index>& reached, std::size_t many) {
  if (reached.size() < many) return Index{0};
  const auto at = reached.begin() + static_cast<std::ptrdiff_t>(many - 1);
  std::ranges::nth_element(reached, at, std::ranges::greater());
  return *at;
}

}  // namespace

Index Core::EndFor(const MemberProgress& member) const {
  if (member.kind() != MemberKind::kWitness) return log_.last();
  const Index end = EndForWitnesses(ReplicaId{0});
  const Index change = log_.last_unapplied_change();
  if (!change || change > end) return end;
  const ReplicaId leaver = Leaver(change);
  if (!leaver) return end;
  // From the entry on that removes somebody, that holds without this member, too: what a voter and
  // the witnesses committed would else be nowhere when it is gone. So a leader leads on until those
  // who stay can do without it (thesis 4.2.2).
  return std::min(end, std::max(change - 1, EndForWitnesses(leaver)));
}

/// As if `leaver` (0: nobody) were no member any more.
///
/// Best, so many voters hold an entry that every majority has one of them: whoever stays then has
/// somebody whom no witness refuses. When fewer than those are in step, all of them do: more cannot
/// be had, and with the witnesses they can be the majority that goes on. If these few go for good
/// then, what they committed goes with them, as their group knew when it counted on witnesses. Who
/// is taken to be in step decides no more than this: nothing but acknowledgements commits.
Index Core::EndForWitnesses(ReplicaId leaver) const {
  std::vector<Index> matches;
  std::vector<Index> in_step;
  std::size_t witnesses = 0;
  for (const MemberProgress& member : members_) {
    if (member.id() == leaver) continue;
    if (member.kind() == MemberKind::kWitness) ++witnesses;
    if (member.kind() != MemberKind::kVoter) continue;
    matches.push_back(member.match());
    if (member.in_step()) in_step.push_back(member.match());
  }
  const std::size_t voting = matches.size() + witnesses;
  const std::size_t majority = QuorumSize(voting);
  const std::size_t in_every_majority = voting - majority + 1;
  Index end = ReachedBy(matches, in_every_majority);
  if (in_step.size() < in_every_majority) {
    end = std::max(end, ReachedBy(in_step, std::max<std::size_t>(1, in_step.size())));
  }
  // What all witnesses together could not commit with these, they need not have.
  const std::size_t helped = majority > witnesses ? majority - witnesses : 1;
  return std::min(end, ReachedBy(matches, helped));
}

/// Once in an election timeout: who got by now what there was at the last check?
void Core::CheckPace() {
  for (MemberProgress& member : members_) {
    if (member.id() != options_.replica) member.CheckPace(expected_);
  }
  expected_ = log_.last();
  appends_due_ |= !membership_.witnesses.empty();
}

}  // namespace drumbeat::raft
