// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "raft/test_shard.h"

namespace drumbeat::raft::testing {
namespace {

TEST(TransferTest, ATargetThatHasEverythingIsToldAtOnce) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.raft(1).TransferLeadership(ReplicaId{2});
  const Output output = shard[1].Take();
  const auto told = Only<TimeoutNow>(output.messages_after_save);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].to, ReplicaId{2});
}

TEST(TransferTest, ATargetThatLagsIsBroughtUpFirst) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.Isolate(2);
  for (int i = 0; i < 5; ++i) shard.Propose(1, "a");
  shard.raft(1).TransferLeadership(ReplicaId{2});
  shard.Settle();
  EXPECT_EQ(shard.Leader(), 1u);
  shard.Heal();
  shard.TickAll(3);
  EXPECT_EQ(shard.Leader(), 2u);
  EXPECT_EQ(shard[2].history(), shard[1].history());
}

TEST(TransferTest, ATargetThatCouldNotCampaignIsToldAgain) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.Cut(1, 2);
  shard.raft(1).TransferLeadership(ReplicaId{2});
  shard.Settle();
  ASSERT_EQ(shard.Leader(), 1u) << "what it was told is lost";
  shard.Heal();
  shard.TickAll(TestShard::DefaultOptions().heartbeat_ticks);
  EXPECT_EQ(shard.Leader(), 2u);
}

TEST(TransferTest, TheTargetsCampaignOverridesLeasesAndSkipsPreVote) {
  Options options = TestShard::DefaultOptions();
  options.pre_vote = true;
  TestShard shard(3, options);
  ASSERT_TRUE(shard.Elect(1));
  shard.sent.clear();
  shard.raft(1).TransferLeadership(ReplicaId{3});
  shard.Settle();
  EXPECT_EQ(shard.Leader(), 3u);
  EXPECT_TRUE(Only<RequestPreVote>(shard.sent).empty());
  for (const Envelope& e : Only<RequestVote>(shard.sent)) {
    EXPECT_TRUE(std::get<RequestVote>(e.message).transfer);
  }
}

TEST(TransferTest, ProposalsAreDroppedMeanwhileAndReadsAreNot) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.Cut(1, 2);
  shard.raft(1).TransferLeadership(ReplicaId{2});
  shard.Propose(1, "a");
  ASSERT_EQ(shard[1].dropped.size(), 1u);
  EXPECT_EQ(shard[1].dropped[0].reason, DropReason::kNoLeader);
  shard.raft(1).ReadIndex({.low = 1, .high = 1});
  shard.Settle();
  EXPECT_EQ(shard[1].reads.size(), 1u);
}

// B-18.
TEST(TransferTest, IsGivenUpAfterAnElectionTimeout) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.Cut(1, 2);
  shard.raft(1).TransferLeadership(ReplicaId{2});
  shard.Settle();
  EXPECT_EQ(shard.raft(1).status().transfer_target, ReplicaId{2});
  shard.Tick(1, 9);
  EXPECT_EQ(shard.raft(1).status().transfer_target, ReplicaId{2});
  shard.Tick(1, 1);
  EXPECT_EQ(shard.raft(1).status().transfer_target, ReplicaId{0});
  shard.Propose(1, "a");
  EXPECT_EQ(shard[1].history().back(), "2/a");
}

TEST(TransferTest, OnlyOneAtATime) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.Cut(1, 2);
  shard.raft(1).TransferLeadership(ReplicaId{2});
  shard.raft(1).TransferLeadership(ReplicaId{3});
  EXPECT_EQ(shard.raft(1).status().transfer_target, ReplicaId{2});
}

TEST(TransferTest, OnlyVotersButOneselfAreTargets) {
  TestShard shard(Members({1, 2}, {3}, {4}));
  ASSERT_TRUE(shard.Elect(1));
  for (std::uint64_t target : {1u, 3u, 4u, 9u}) {
    shard.raft(1).TransferLeadership(ReplicaId{target});
    EXPECT_EQ(shard.raft(1).status().transfer_target, ReplicaId{0}) << target;
  }
}

TEST(TransferTest, TargetZeroIsTheBestVoterThatIsAlive) {
  TestShard shard(Members({1, 2, 3, 4, 5}, {6}));
  ASSERT_TRUE(shard.Elect(1));
  shard.TickAll(2);
  shard.Isolate(2);
  shard.Propose(1, "a");
  shard.TickAll(21);
  // 2 lags and is silent.
  shard.raft(1).TransferLeadership(ReplicaId{0});
  EXPECT_EQ(shard.raft(1).status().transfer_target, ReplicaId{3});
}

TEST(TransferTest, TargetZeroWithNobodyElseDoesNothing) {
  TestShard shard(1);
  ASSERT_TRUE(shard.Elect(1));
  shard.raft(1).TransferLeadership(ReplicaId{0});
  shard.Propose(1, "a");
  EXPECT_EQ(shard[1].history().back(), "2/a");
}

TEST(TransferTest, FollowersPassTheRequestOn) {
  TestShard shard(Members({1, 2, 3}, {4}));
  ASSERT_TRUE(shard.Elect(1));
  shard.raft(2).TransferLeadership(ReplicaId{3});
  shard.Settle();
  EXPECT_EQ(shard.Leader(), 3u);
  shard.raft(4).TransferLeadership(ReplicaId{2});
  shard.Settle();
  EXPECT_EQ(shard.Leader(), 2u);
}

TEST(TransferTest, ARemovedTargetEndsIt) {
  TestShard shard(4);
  ASSERT_TRUE(shard.Elect(1));
  shard.Cut(1, 4);
  shard.raft(1).Propose({Change("remove 4")});
  shard.raft(1).TransferLeadership(ReplicaId{4});
  shard.Settle();
  EXPECT_EQ(shard.raft(1).status().transfer_target, ReplicaId{0});
  EXPECT_EQ(shard.Leader(), 1u);
}

TEST(TransferTest, UnderLoadEveryCommittedProposalSurvives) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  for (std::uint64_t round = 0; round < 60; ++round) {
    const std::uint64_t leader = shard.WaitForLeader();
    ASSERT_NE(leader, 0u);
    for (int i = 0; i < 3; ++i) shard.raft(leader).Propose({Command("x")});
    shard.raft(leader).TransferLeadership(ReplicaId{1 + round % 3});
    shard.Settle();
    shard.TickAll(2);
  }
  shard.TickAll(5);
  EXPECT_EQ(shard[1].history(), shard[2].history());
  EXPECT_EQ(shard[1].history(), shard[3].history());
  EXPECT_GT(shard[1].history().size(), 180u);
}

// W: only the leader of the term may say so.
TEST(TransferTest, TimeoutNowOfSomebodyElseIsIgnored) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  const std::uint64_t term = shard.raft(1).term().value();
  shard.Deliver(Make(3, 2, term, TimeoutNow{}));
  EXPECT_EQ(shard.raft(2).role(), Role::kFollower);
  shard.Deliver(Make(1, 2, term, TimeoutNow{}));
  EXPECT_EQ(shard.raft(2).role(), Role::kCandidate);
}

}  // namespace
}  // namespace drumbeat::raft::testing
