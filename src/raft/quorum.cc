// SPDX-License-Identifier: Apache-2.0
#include "raft/quorum.h"

namespace drumbeat::raft {

void VoteTally::Record(ReplicaId from, Vote vote) {
  for (const auto& answer : answers_) {
    if (answer.first == from) return;
  }
  answers_.emplace_back(from, vote);
}

VoteResult VoteTally::Result(std::size_t voting) const {
  const auto granted = static_cast<std::size_t>(
      std::ranges::count_if(answers_, [](const auto& a) { return a.second == Vote::kGranted; }));
  const std::size_t rejected = answers_.size() - granted;
  if (granted >= QuorumSize(voting)) return VoteResult::kWon;
  // Lost as soon as those who have not refused are no majority.
  if (rejected > voting - QuorumSize(voting)) return VoteResult::kLost;
  return VoteResult::kPending;
}

}  // namespace drumbeat::raft
