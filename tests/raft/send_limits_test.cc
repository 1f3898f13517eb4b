// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "raft/alone_leader.h"

namespace drumbeat::raft::testing {
namespace {

/// A leader whose follower 2 lacks a mebibyte, and whose connection broke.
class SendLimitsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    leader_.Answer(2, leader_.last);
    for (int i = 0; i < 64; ++i) {
      leader_.shard.raft(1).Propose({Command(std::string(16u << 10, 'x'))});
    }
    leader_.shard.Settle();
    leader_.shard.raft(1).Unreachable(ReplicaId(2));
    leader_.shard.sent.clear();
    leader_.shard.Propose(1, "y");
  }
  /// How many entries each append has that was sent since the last call.
  std::vector<std::size_t> Sent() {
    std::vector<std::size_t> counts;
    for (const Envelope& append : leader_.AppendsTo(2)) {
      counts.push_back(AsAppend(append).entries.size());
    }
    leader_.shard.sent.clear();
    return counts;
  }
  void AnswerHeartbeat() {
    leader_.shard.filter = nullptr;
    leader_.shard.Deliver(Make(2, 1, leader_.term, HeartbeatReply{}));
    leader_.shard.filter = [](const Envelope&) { return false; };
    leader_.shard.Settle();
  }

  static constexpr std::size_t kAtOnce = (256u << 10) / ((16u << 10) + kEntryOverheadBytes);
  AloneLeader leader_;
};

// N-05: a line that cannot move a message in time would break under each of them.
TEST_F(SendLimitsTest, NoMessageHoldsUpAConnectionForLong) {
  EXPECT_EQ(Sent(), std::vector<std::size_t>{kAtOnce});
  leader_.Answer(2, leader_.last + kAtOnce);
  const std::vector<std::size_t> sent = Sent();
  EXPECT_EQ(std::accumulate(sent.begin(), sent.end(), std::size_t{0}), 65 - kAtOnce);
  EXPECT_EQ(*std::ranges::max_element(sent), kAtOnce);
}

// Heartbeats overtake it: their answers do not say that it was lost.
TEST_F(SendLimitsTest, AProbeIsNotSentAgainAndAgain) {
  EXPECT_EQ(Sent(), std::vector<std::size_t>{kAtOnce});
  for (int i = 0; i < 3; ++i) {
    AnswerHeartbeat();
    EXPECT_EQ(Sent(), std::vector<std::size_t>{0}) << "an empty one, behind the probe";
  }
  leader_.Answer(2, leader_.last);
  EXPECT_EQ(Sent().front(), kAtOnce) << "the probe was lost, the empty one was not";
}

}  // namespace
}  // namespace drumbeat::raft::testing
