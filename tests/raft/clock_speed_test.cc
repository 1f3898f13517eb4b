// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "raft/test_shard.h"

namespace drumbeat::raft::testing {
namespace {

// P-07: one clock runs twice as fast as it should and one half as fast; whoever leads stays.
TEST(ClockSpeedTest, FastAndSlowClocksDeposeNobody) {
  for (std::uint64_t leader = 1; leader <= 3; ++leader) {
    for (const bool pre_vote : {false, true}) {
      Options options = TestShard::DefaultOptions();
      options.check_quorum = true;
      options.pre_vote = pre_vote;
      TestShard shard(3, options);
      ASSERT_TRUE(shard.Elect(leader));
      const Term term = shard.raft(leader).term();
      for (int period = 0; period < 200; ++period) {
        shard.Tick(1, 4);
        shard.Tick(2, 2);
        shard.Tick(3, 1);
      }
      EXPECT_EQ(shard.Leader(), leader);
      EXPECT_EQ(shard.raft(leader).term(), term);
      shard.Propose(leader, "still here");
      shard.TickAll(2);
      EXPECT_EQ(shard[1].history(), shard[3].history());
    }
  }
}

// A follower whose clock races may call for an election when it hears nothing, but what it does
// while the others hear their leader comes to nothing.
TEST(ClockSpeedTest, AFollowerThatRacesIsRefused) {
  const Options options = TestShard::CarefulOptions();
  TestShard shard(3, options);
  ASSERT_TRUE(shard.Elect(1));
  const Term term = shard.raft(1).term();
  for (int period = 0; period < 50; ++period) {
    shard.Tick(3, 10 * options.election_ticks);
    shard.Tick(1);
    shard.Tick(2);
  }
  EXPECT_EQ(shard.Leader(), 1u);
  EXPECT_EQ(shard.raft(1).term(), term);
}

}  // namespace
}  // namespace drumbeat::raft::testing
