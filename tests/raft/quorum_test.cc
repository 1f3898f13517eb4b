// SPDX-License-Identifier: Apache-2.0
#include "raft/quorum.h"

#include <algorithm>
#include <array>
#include <vector>

#include <gtest/gtest.h>

namespace drumbeat::raft {
namespace {

TEST(QuorumTest, AMajorityIsMoreThanHalf) {
  const std::array<std::size_t, 8> expected = {1, 1, 2, 2, 3, 3, 4, 4};
  for (std::size_t n = 0; n < expected.size(); ++n) EXPECT_EQ(QuorumSize(n), expected[n]) << n;
}

// Against the definition: the greatest value that a majority has reached.
TEST(QuorumTest, TheValueOfAQuorumIsTheGreatestThatAMajorityReached) {
  for (std::size_t members = 1; members <= 5; ++members) {
    std::vector<Index> reached(members);
    std::size_t combinations = 1;
    for (std::size_t i = 0; i < members; ++i) combinations *= 4;
    for (std::size_t code = 0; code < combinations; ++code) {
      std::size_t rest = code;
      for (Index& index : reached) {
        index = Index(rest % 4);
        rest /= 4;
      }
      Index best;
      for (std::uint64_t candidate = 0; candidate < 4; ++candidate) {
        const auto count =
            std::ranges::count_if(reached, [&](Index index) { return index >= Index(candidate); });
        if (static_cast<std::size_t>(count) >= QuorumSize(members)) best = Index(candidate);
      }
      std::vector<Index> scratch = reached;
      EXPECT_EQ(QuorumValue<Index>(scratch), best) << members << " members, code " << code;
    }
  }
}

TEST(VoteTallyTest, IsWonByAMajorityOfGrants) {
  VoteTally tally;
  tally.Record(ReplicaId{1}, Vote::kGranted);
  EXPECT_EQ(tally.Result(1), VoteResult::kWon);
  EXPECT_EQ(tally.Result(2), VoteResult::kPending);
  EXPECT_EQ(tally.Result(3), VoteResult::kPending);
  tally.Record(ReplicaId{2}, Vote::kGranted);
  EXPECT_EQ(tally.Result(2), VoteResult::kWon);
  EXPECT_EQ(tally.Result(3), VoteResult::kWon);
  EXPECT_EQ(tally.Result(4), VoteResult::kPending);
}

TEST(VoteTallyTest, IsLostWhenTheOthersAreNoMajority) {
  VoteTally tally;
  tally.Record(ReplicaId{1}, Vote::kGranted);
  tally.Record(ReplicaId{2}, Vote::kRejected);
  EXPECT_EQ(tally.Result(2), VoteResult::kLost);
  EXPECT_EQ(tally.Result(3), VoteResult::kPending);
  tally.Record(ReplicaId{3}, Vote::kRejected);
  EXPECT_EQ(tally.Result(3), VoteResult::kLost);
  EXPECT_EQ(tally.Result(4), VoteResult::kLost);
  EXPECT_EQ(tally.Result(5), VoteResult::kPending);
}

TEST(VoteTallyTest, CountsOnlyTheFirstAnswerOfEach) {
  VoteTally tally;
  tally.Record(ReplicaId{1}, Vote::kGranted);
  tally.Record(ReplicaId{2}, Vote::kRejected);
  tally.Record(ReplicaId{2}, Vote::kGranted);
  tally.Record(ReplicaId{2}, Vote::kGranted);
  EXPECT_EQ(tally.Result(3), VoteResult::kPending);
  tally.Reset();
  tally.Record(ReplicaId{2}, Vote::kGranted);
  EXPECT_EQ(tally.Result(1), VoteResult::kWon);
}

}  // namespace
}  // namespace drumbeat::raft
