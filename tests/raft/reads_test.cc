// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "raft/test_shard.h"

namespace drumbeat::raft::testing {
namespace {

ReadContext Context(std::uint64_t low) { return {.low = low, .high = 77}; }

/// A leader of `voters` that has committed in its term; nobody gets its messages any more.
void CutOff(TestShard& shard) {
  ASSERT_TRUE(shard.Elect(1));
  shard.filter = [](const Envelope&) { return false; };
  shard.sent.clear();
}

void Confirm(TestShard& shard, std::uint64_t from, ReadContext context) {
  const std::uint64_t term = shard.raft(1).term().value();
  shard.filter = nullptr;
  shard.Deliver(Make(from, 1, term, HeartbeatReply{.context = context}));
  shard.filter = [](const Envelope&) { return false; };
  shard.Settle();
}

// B-33: a new leader does not know what is committed before its own first commit.
TEST(ReadsTest, AReadBeforeTheFirstCommitOfTheTermWaitsForIt) {
  TestShard shard(3);
  shard.filter = [](const Envelope& e) {
    return !std::holds_alternative<AppendEntries>(e.message);
  };
  ASSERT_TRUE(shard.Elect(1));
  shard.Tick(1);  // 2 hears of its leader
  shard.raft(1).ReadIndex(Context(1));
  shard.raft(2).ReadIndex(Context(2));
  shard.Settle();
  EXPECT_TRUE(shard[1].reads.empty());
  EXPECT_TRUE(shard[2].reads.empty());
  shard.filter = nullptr;
  shard.TickAll(3);
  ASSERT_EQ(shard[1].reads.size(), 1u);
  EXPECT_EQ(shard[1].reads[0].index, Index{4});
  ASSERT_EQ(shard[2].reads.size(), 1u);
  EXPECT_EQ(shard[2].reads[0].index, Index{4});
}

// The answer to the first one is lost, or comes from a Dragonboat leader, which gives both the name
// of the second.
TEST(ReadsTest, AnAnswerServesAllThatWerePassedOnBefore) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.Tick(1);  // 2 hears of its leader
  shard.filter = [](const Envelope&) { return false; };
  for (const std::uint64_t low : {1, 2, 3}) shard.raft(2).ReadIndex(Context(low));
  shard.Settle();
  shard.filter = nullptr;
  const std::uint64_t term = shard.raft(1).term().value();
  for (int i = 0; i < 2; ++i) {
    shard.Deliver(Make(1, 2, term, ReadIndexReply{.index = Index(2), .context = Context(2)}));
  }
  shard.Deliver(Make(1, 2, term, ReadIndexReply{.index = Index(2), .context = Context(1)}));
  shard.Settle();
  ASSERT_EQ(shard[2].reads.size(), 2u);
  for (const std::uint64_t low : {1, 2}) {
    EXPECT_EQ(shard[2].reads[low - 1].context, Context(low));
    EXPECT_EQ(shard[2].reads[low - 1].index, Index(2));
  }
}

TEST(ReadsTest, ASingleVoterAnswersAtOnceButNotBeforeItsFirstCommit) {
  TestShard shard(1);
  for (int i = 0; i < 20 && shard.raft(1).role() != Role::kLeader; ++i) shard.raft(1).Tick();
  shard.raft(1).ReadIndex(Context(1));
  Output output = shard[1].Take();
  EXPECT_TRUE(output.reads.empty());
  shard[1].Save(output);
  output = shard[1].Take();
  ASSERT_EQ(output.reads.size(), 1u);
  EXPECT_EQ(output.reads[0].index, Index{2});
  shard.raft(1).ReadIndex(Context(2));
  EXPECT_EQ(shard[1].Take().reads.size(), 1u);
}

TEST(ReadsTest, AMajorityConfirms) {
  TestShard shard(5);
  CutOff(shard);
  shard.raft(1).ReadIndex(Context(1));
  shard.Settle();
  EXPECT_EQ(Only<Heartbeat>(shard.sent).size(), 4u);
  Confirm(shard, 2, Context(1));
  EXPECT_TRUE(shard[1].reads.empty());
  Confirm(shard, 3, Context(1));
  EXPECT_EQ(shard[1].reads.size(), 1u);
}

// B-37, W-21.
TEST(ReadsTest, OnlyVotersConfirmEachOnceAndForWhatWasAsked) {
  TestShard shard(Members({1, 2, 3, 4}, {5}, {6}));
  CutOff(shard);
  shard.raft(1).ReadIndex(Context(1));
  shard.Settle();
  Confirm(shard, 2, Context(1));
  Confirm(shard, 2, Context(1));
  EXPECT_TRUE(shard[1].reads.empty()) << "twice the same";
  Confirm(shard, 5, Context(1));
  EXPECT_TRUE(shard[1].reads.empty()) << "a non-voting member";
  Confirm(shard, 9, Context(1));
  EXPECT_TRUE(shard[1].reads.empty()) << "a stranger";
  Confirm(shard, 3, Context(99));
  EXPECT_TRUE(shard[1].reads.empty()) << "another context";
  Confirm(shard, 3, ReadContext{.low = 1, .high = 78});
  EXPECT_TRUE(shard[1].reads.empty()) << "half the context";
  Confirm(shard, 3, ReadContext{});
  EXPECT_TRUE(shard[1].reads.empty()) << "a plain heartbeat's answer";
  Confirm(shard, 6, Context(1));
  EXPECT_EQ(shard[1].reads.size(), 1u) << "a witness is as good as a voter";
}

TEST(ReadsTest, AnAnswerOfAnOlderTermDoesNotConfirm) {
  TestShard shard(3);
  CutOff(shard);
  shard.raft(1).ReadIndex(Context(1));
  shard.Settle();
  const std::uint64_t term = shard.raft(1).term().value();
  shard.filter = nullptr;
  shard.Deliver(Make(2, 1, term - 1, HeartbeatReply{.context = Context(1)}));
  shard.filter = [](const Envelope&) { return false; };
  shard.Settle();
  EXPECT_TRUE(shard[1].reads.empty());
}

TEST(ReadsTest, ARoundSweepsOlderReadsAlongEachWithItsOwnContextAndIndex) {
  TestShard shard(3);
  CutOff(shard);
  shard.filter = nullptr;
  shard.Deliver(Make(2, 1, 0, ReadIndexRequest{.context = Context(1)}));
  shard.Deliver(Make(3, 1, 0, ReadIndexRequest{.context = Context(2)}));
  shard.filter = [](const Envelope&) { return false; };
  shard.raft(1).ReadIndex(Context(3));
  shard.sent.clear();
  shard.Settle();
  EXPECT_EQ(Only<Heartbeat>(shard.sent).size(), 2u) << "one round for all three";
  shard.sent.clear();
  Confirm(shard, 2, Context(3));
  const auto replies = Only<ReadIndexReply>(shard.sent);
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(replies[0].to, ReplicaId{2});
  EXPECT_EQ(std::get<ReadIndexReply>(replies[0].message).context, Context(1));
  EXPECT_EQ(replies[1].to, ReplicaId{3});
  EXPECT_EQ(std::get<ReadIndexReply>(replies[1].message).context, Context(2));
  ASSERT_EQ(shard[1].reads.size(), 1u);
  EXPECT_EQ(shard[1].reads[0].context, Context(3));
}

TEST(ReadsTest, ALostRoundIsRepeatedWithTheNextHeartbeat) {
  TestShard shard(3);
  CutOff(shard);
  shard.raft(1).ReadIndex(Context(1));
  shard.Settle();
  shard.sent.clear();
  shard.filter = nullptr;
  shard.TickAll(1);
  EXPECT_EQ(shard[1].reads.size(), 1u);
}

// Sharp edge 9 of Dragonboat: non-voting members are not starved of heartbeats by reads.
TEST(ReadsTest, NonVotingMembersGetPlainHeartbeats) {
  TestShard shard(Members({1, 2, 3}, {4}));
  CutOff(shard);
  shard.raft(1).ReadIndex(Context(1));
  shard.Settle();
  shard.sent.clear();
  shard.Tick(1);
  std::size_t plain = 0;
  for (const Envelope& e : Only<Heartbeat>(shard.sent)) {
    const bool has_context = static_cast<bool>(std::get<Heartbeat>(e.message).context);
    EXPECT_EQ(has_context, e.to != ReplicaId{4});
    plain += has_context ? 0 : 1;
  }
  EXPECT_EQ(plain, 1u);
}

TEST(ReadsTest, EveryRoleButAWitnessReads) {
  TestShard shard(Members({1, 2, 3}, {4}, {5}));
  ASSERT_TRUE(shard.Elect(1));
  for (std::uint64_t id : {1u, 2u, 4u}) {
    shard.raft(id).ReadIndex(Context(id));
    shard.Settle();
    EXPECT_EQ(shard[id].reads.size(), 1u) << id;
  }
  shard.raft(5).ReadIndex(Context(5));
  shard.Settle();
  EXPECT_EQ(shard[5].dropped_reads.size(), 1u);
  shard.sent.clear();
  shard.Deliver(Make(5, 1, 0, ReadIndexRequest{.context = Context(6)}));
  shard.Settle();
  EXPECT_TRUE(Only<ReadIndexReply>(shard.sent).empty());
}

// B-34: every read that this replica knows of ends, one way or the other.
TEST(ReadsTest, WithoutALeaderReadsAreDropped) {
  TestShard shard(3);
  shard.raft(1).ReadIndex(Context(1));
  shard.Settle();
  ASSERT_EQ(shard[1].dropped_reads.size(), 1u);
  EXPECT_EQ(shard[1].dropped_reads[0].reason, DropReason::kNoLeader);
  EXPECT_EQ(shard[1].dropped_reads[0].context, Context(1));
}

TEST(ReadsTest, ALostLeadershipDropsItsReads) {
  TestShard shard(3);
  CutOff(shard);
  shard.raft(1).ReadIndex(Context(1));
  shard.Tick(1, 25);
  ASSERT_EQ(shard.raft(1).role(), Role::kFollower);
  ASSERT_EQ(shard[1].dropped_reads.size(), 1u);
  EXPECT_TRUE(shard[1].reads.empty());
}

TEST(ReadsTest, AForwardedReadIsDroppedWhenTheLeaderChanges) {
  TestShard shard(3);
  CutOff(shard);
  shard.raft(2).ReadIndex(Context(1));
  shard.Settle();
  EXPECT_TRUE(shard[2].dropped_reads.empty());
  shard.filter = nullptr;
  shard.Deliver(Make(3, 2, 9, Heartbeat{}));
  shard.Settle();
  ASSERT_EQ(shard[2].dropped_reads.size(), 1u);
  EXPECT_EQ(shard[2].dropped_reads[0].context, Context(1));
}

TEST(ReadsTest, AForgedAnswerIsIgnored) {
  TestShard shard(3);
  CutOff(shard);
  shard.raft(2).ReadIndex(Context(1));
  shard.Settle();
  const std::uint64_t term = shard.raft(1).term().value();
  const auto answer = [&](std::uint64_t from, ReadContext context) {
    shard.filter = nullptr;
    shard.Deliver(Make(from, 2, term, ReadIndexReply{.index = Index{1}, .context = context}));
    shard.Settle();
  };
  answer(3, Context(1));
  EXPECT_TRUE(shard[2].reads.empty()) << "not from the leader";
  answer(1, Context(2));
  EXPECT_TRUE(shard[2].reads.empty()) << "nobody asked";
  answer(1, Context(1));
  EXPECT_EQ(shard[2].reads.size(), 1u);
  answer(1, Context(1));
  EXPECT_EQ(shard[2].reads.size(), 1u) << "answered once";
}

TEST(ReadsTest, TooManyReadsAreRefused) {
  TestShard shard(3);
  CutOff(shard);
  for (std::uint64_t i = 1; i <= 4097; ++i) shard.raft(1).ReadIndex(Context(i));
  shard.Settle();
  ASSERT_EQ(shard[1].dropped_reads.size(), 1u);
  EXPECT_EQ(shard[1].dropped_reads[0].reason, DropReason::kBusy);
}

// A removal shrinks the quorum: what waits may be confirmed by it.
TEST(ReadsTest, ASmallerQuorumConfirmsWhatWaits) {
  TestShard shard(2);
  ASSERT_TRUE(shard.Elect(1));
  shard.raft(1).Propose({Change("remove 2")});
  shard.Run(1);
  shard.filter = [](const Envelope& e) { return !std::holds_alternative<Heartbeat>(e.message); };
  shard.raft(1).ReadIndex(Context(1));
  shard.Settle();
  EXPECT_EQ(shard[1].reads.size(), 1u);
}

}  // namespace
}  // namespace drumbeat::raft::testing
