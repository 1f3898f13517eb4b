// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "raft/test_shard.h"

namespace drumbeat::raft::testing {
namespace {

TEST(CoreTest, ASingleVoterElectsItselfAndCommitsOnlyWhatIsSaved) {
  TestShard shard(1);
  for (int i = 0; i < 20 && !shard.raft(1).HasOutput(); ++i) shard.raft(1).Tick();
  ASSERT_EQ(shard.raft(1).role(), Role::kLeader);
  const Index before = shard.raft(1).committed();
  Output first = shard[1].Take();
  EXPECT_EQ(first.entries.size(), 1u);
  EXPECT_TRUE(first.must_sync);
  EXPECT_TRUE(first.committed.empty());
  EXPECT_EQ(shard.raft(1).committed(), before);
  shard[1].Save(first);
  EXPECT_EQ(shard.raft(1).committed(), before + 1);
  Output second = shard[1].Take();
  EXPECT_EQ(second.committed.size(), 1u);
  EXPECT_FALSE(second.must_sync);
}

TEST(CoreTest, ThreeVotersElectOneLeader) {
  TestShard shard(3);
  const std::uint64_t leader = shard.WaitForLeader();
  ASSERT_NE(leader, 0u);
  shard.TickAll(50);
  EXPECT_EQ(shard.Leader(), leader);
  for (std::uint64_t id = 1; id <= 3; ++id) EXPECT_EQ(shard.raft(id).leader(), ReplicaId(leader));
}

TEST(CoreTest, AProposalIsAppliedEverywhere) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.Propose(1, "a");
  shard.Propose(2, "b");
  for (std::uint64_t id = 1; id <= 3; ++id) {
    EXPECT_EQ(shard[id].history(),
              (History{"1/voter 1", "1/voter 2", "1/voter 3", "2/", "2/a", "2/b"}))
        << id;
  }
}

TEST(CoreTest, AReplicaThatJoinsCatchesUp) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.Propose(1, "a");
  shard.Join(4);
  shard.Change(1, "voter 4");
  shard.TickAll(3);
  EXPECT_EQ(shard[4].history(), shard[1].history());
  EXPECT_EQ(shard[4].members(), shard[1].members());
}

TEST(CoreTest, AReplicaThatJoinsAfterACutGetsTheSnapshot) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  for (int i = 0; i < 10; ++i) shard.Propose(1, "a");
  shard[1].TakeSnapshot();
  shard.Join(4);
  shard.Change(1, "voter 4");
  shard.TickAll(3);
  EXPECT_EQ(shard[4].disk().snapshot().index, Index(14));
  EXPECT_EQ(shard[4].history(), shard[1].history());
}

TEST(CoreTest, ALeaderThatIsCutOffIsReplacedAndItsEntriesAreToo) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.Isolate(1);
  shard.Propose(1, "lost");
  shard.TickAll(30);
  const std::uint64_t leader = shard.Leader();
  ASSERT_NE(leader, 1u);
  shard.Propose(leader, "kept");
  shard.Heal();
  shard.TickAll(30);
  EXPECT_EQ(shard[1].history(), shard[leader].history());
  EXPECT_EQ(shard[1].history().back().substr(shard[1].history().back().find('/')), "/kept");
}

TEST(CoreTest, LeadershipIsHandedOver) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.raft(1).TransferLeadership(ReplicaId(3));
  shard.Settle();
  EXPECT_EQ(shard.Leader(), 3u);
  shard.raft(3).TransferLeadership(ReplicaId(0));
  shard.Settle();
  EXPECT_NE(shard.Leader(), 3u);
}

TEST(CoreTest, ReadsAreConfirmedOnEveryRole) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  for (std::uint64_t id = 1; id <= 3; ++id) {
    shard.raft(id).ReadIndex({.low = id, .high = 9});
    shard.Settle();
    ASSERT_EQ(shard[id].reads.size(), 1u) << id;
    EXPECT_EQ(shard[id].reads[0].index, Index(4));
    EXPECT_EQ(shard[id].reads[0].context, (ReadContext{.low = id, .high = 9}));
  }
}

}  // namespace
}  // namespace drumbeat::raft::testing
