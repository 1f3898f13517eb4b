// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "raft/answer.h"
#include "raft/test_shard.h"

namespace drumbeat::raft::testing {
namespace {

TEST(TermTest, AStaleLeaderHearsOfTheNewerTerm) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  Answer<VoteReply>(shard, Make(3, 2, 9, Ask(99, 2, true)));
  const auto answer = Answer<NoOp>(shard, Make(1, 2, 2, Heartbeat{}));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->term, Term{9});
  shard.Deliver(*answer);
  EXPECT_EQ(shard.raft(1).role(), Role::kFollower);
  EXPECT_EQ(shard.raft(1).term(), Term{9});
}

// A witness that a removed replica drew into a newer term never campaigns: it has to speak up.
TEST(TermTest, AStaleLeaderHearsOfTheNewerTermWithoutCheckQuorumToo) {
  TestShard shard(3, With(false, false));
  ASSERT_TRUE(shard.Elect(1));
  Answer<VoteReply>(shard, Make(3, 2, 9, Ask(99, 2)));
  const auto answer = Answer<NoOp>(shard, Make(1, 2, 2, Heartbeat{}));
  ASSERT_TRUE(answer);
  shard.Deliver(*answer);
  EXPECT_EQ(shard.raft(1).role(), Role::kFollower);
  EXPECT_EQ(shard.raft(1).term(), Term{9});
}

TEST(TermTest, AStaleCandidateHearsOfTheNewerTermWhereNoLeaderIs) {
  TestShard shard(3, With(false, false));
  Answer<VoteReply>(shard, Make(3, 2, 9, Ask(0, 0)));
  const auto answer = Answer<NoOp>(shard, Make(1, 2, 4, Ask(0, 0)));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->term, Term{9});
  shard.Deliver(*answer);
  EXPECT_EQ(shard.raft(1).term(), Term{9});
}

TEST(TermTest, AStaleCandidateHearsNothingFromWhoHasALeader) {
  TestShard shard(3, With(false, false));
  ASSERT_TRUE(shard.Elect(3));
  EXPECT_FALSE(Answer<NoOp>(shard, Make(1, 2, shard.raft(3).term().value() - 1, Ask(0, 0))));
  EXPECT_FALSE(Answer<NoOp>(shard, Make(1, 3, shard.raft(3).term().value() - 1, Ask(0, 0))));
}

TEST(TermTest, TermsDoNotWrap) {
  TestShard shard(1);
  FakeDisk disk;
  disk.set_hard_state({.term = Term{(std::uint64_t{1} << 62) - 1}, .vote = {}, .commit = {}});
  Options options = TestShard::DefaultOptions();
  options.shard = kShard;
  options.replica = ReplicaId{1};
  Raft raft(options, {.hard_state = disk.hard_state(), .membership = Members({1}), .applied = {}},
            disk);
  for (int i = 0; i < 100; ++i) raft.Tick();
  EXPECT_EQ(raft.role(), Role::kFollower);
}

}  // namespace
}  // namespace drumbeat::raft::testing
