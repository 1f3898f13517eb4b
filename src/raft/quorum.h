// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "drumbeat/types.h"

namespace drumbeat::raft {

/// How many of `voting` members make a majority.
constexpr std::size_t QuorumSize(std::size_t voting) { return voting / 2 + 1; }

/// The greatest value that a majority has reached, given each voting member's. Reorders `reached`,
/// which is not empty.
template <class T>
T QuorumValue(std::span<T> reached) {
  const std::size_t below = reached.size() - QuorumSize(reached.size());
  std::ranges::nth_element(reached, reached.begin() + static_cast<std::ptrdiff_t>(below));
  return reached[below];
}

enum class Vote : std::uint8_t { kGranted, kRejected };
enum class VoteResult : std::uint8_t { kPending, kWon, kLost };

/// The answers to one campaign. Who may vote is the caller's to check.
class VoteTally {
 public:
  void Reset() { answers_.clear(); }
  /// Only the first answer of each member counts.
  void Record(ReplicaId from, Vote vote);
  VoteResult Result(std::size_t voting) const;

  /// All that it holds, to tell states apart.
  const auto& fields() const { return answers_; }

 private:
  std::vector<std::pair<ReplicaId, Vote>> answers_;
};

}  // namespace drumbeat::raft
