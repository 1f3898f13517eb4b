// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "raft/test_shard.h"

// Who may leave a group that has witnesses: they vote, but have nothing to lead with.
namespace drumbeat::raft::testing {
namespace {

// The leader and the witness could commit its removal: then the witness would be ahead of all who
// stay for ever.
TEST(WitnessTest, AVoterThatIsRemovedLeavesNoWitnessAheadOfThoseWhoStay) {
  TestShard shard(Members({1, 2}, {}, {3}));
  ASSERT_TRUE(shard.Elect(1));
  shard.Cut(1, 2);
  shard.Propose(1, "with the witness");
  EXPECT_EQ(shard[1].history().back(), "2/with the witness");
  shard.Change(1, "remove 1");
  shard.Propose(1, "behind");
  shard.TickAll(3);
  EXPECT_TRUE(shard[1].members().voters.contains(ReplicaId{1})) << "nobody could lead without it";
  EXPECT_EQ(shard.raft(3).status().last_index + 2, shard.raft(1).status().last_index);

  shard.Heal();
  shard.TickAll(3);
  EXPECT_FALSE(shard[1].members().voters.contains(ReplicaId{1}));
  shard[1].Crash();
  ASSERT_EQ(shard.WaitForLeader(), 2u);
  shard.Propose(2, "on");
  EXPECT_EQ(shard[2].history().back().substr(2), "on");
  EXPECT_EQ(shard.raft(3).status().last_index, shard.raft(2).status().last_index);
}

TEST(WitnessTest, TheRemovalOfADeadVoterNeedsTheWitnessOnly) {
  TestShard shard(Members({1, 2}, {}, {3}));
  ASSERT_TRUE(shard.Elect(1));
  shard[2].Crash();
  shard.Change(1, "remove 2");
  EXPECT_FALSE(shard[1].members().voters.contains(ReplicaId{2}));
}

TEST(WitnessTest, TheLastVotersRemovalIsRefusedAndHoldsUpNothing) {
  TestShard shard(Members({1}, {}, {2}));
  ASSERT_TRUE(shard.Elect(1));
  shard.Change(1, "remove 1");
  shard.Propose(1, "a");
  EXPECT_EQ(shard[1].history().back(), "2/a");
}

}  // namespace
}  // namespace drumbeat::raft::testing
