// SPDX-License-Identifier: Apache-2.0
#include <string_view>
#include <utility>
#include <variant>

#include <gtest/gtest.h>

#include "raft/test_shard.h"

namespace drumbeat::raft::testing {
namespace {

constexpr std::uint64_t kIdle = 20 * 10 + 2;

Options Quiescing() {
  Options options = TestShard::DefaultOptions();
  options.quiesce = true;
  return options;
}

/// Three replicas with leader 1, all asleep.
void FallAsleep(TestShard& shard) {
  ASSERT_TRUE(shard.Elect(1));
  shard.TickAll(kIdle + 5);
  for (std::uint64_t id = 1; id <= 3; ++id) ASSERT_TRUE(shard.raft(id).quiesced()) << id;
  shard.sent.clear();
}

TEST(SleepingShardTest, AnIdleShardFallsSilent) {
  TestShard shard(3, Quiescing());
  FallAsleep(shard);
  shard.TickAll(1000);
  EXPECT_TRUE(shard.sent.empty());
  EXPECT_EQ(shard.raft(1).role(), Role::kLeader);
}

TEST(SleepingShardTest, TheVotersAreToldOfIt) {
  TestShard shard(Members({1, 2, 3}, {4}), Quiescing());
  ASSERT_TRUE(shard.Elect(1));
  shard.TickAll(kIdle - 10);
  shard.sent.clear();
  shard.TickAll(20);
  const auto notices = Only<QuiesceNotice>(shard.sent);
  ASSERT_FALSE(notices.empty());
  for (const Envelope& e : notices) {
    EXPECT_NE(e.to, ReplicaId{4});
    EXPECT_EQ(e.term, Term{0});
  }
}

TEST(SleepingShardTest, AProposalWakesEverybody) {
  TestShard shard(3, Quiescing());
  FallAsleep(shard);
  shard.Propose(2, "a");
  EXPECT_EQ(shard[3].history().back(), "2/a");
  for (std::uint64_t id = 1; id <= 3; ++id) EXPECT_FALSE(shard.raft(id).quiesced()) << id;
  shard.TickAll(60);
  EXPECT_EQ(shard.Leader(), 1u) << "waking up is no reason to elect";
  EXPECT_EQ(shard.raft(1).term(), Term{2});
}

TEST(SleepingShardTest, AReadWakesTheShard) {
  TestShard shard(3, Quiescing());
  FallAsleep(shard);
  shard.raft(3).ReadIndex({.low = 1, .high = 1});
  shard.Settle();
  EXPECT_EQ(shard[3].reads.size(), 1u);
}

// Sharp edge 7 of Dragonboat: there, proposals do not wake a follower whose leader is dead.
TEST(SleepingShardTest, AProposalAtAFollowerOfADeadLeaderBringsANewOne) {
  for (const bool pre_vote : {false, true}) {
    Options options = Quiescing();
    options.pre_vote = pre_vote;
    TestShard shard(3, options);
    FallAsleep(shard);
    shard[1].Crash();
    shard.Propose(2, "lost");
    shard.TickAll(60);
    const std::uint64_t leader = shard.Leader();
    ASSERT_NE(leader, 0u) << "pre-vote " << pre_vote;
    shard.Propose(leader, "kept");
    EXPECT_EQ(shard[2].history(), shard[3].history());
  }
}

TEST(SleepingShardTest, ALeaderThatCannotBeReachedWakesItsFollower) {
  TestShard shard(3, Quiescing());
  FallAsleep(shard);
  shard[1].Crash();
  shard.raft(2).Unreachable(ReplicaId{3});
  EXPECT_TRUE(shard.raft(2).quiesced());
  shard.raft(2).Unreachable(ReplicaId{1});
  EXPECT_FALSE(shard.raft(2).quiesced());
  shard.TickAll(60);
  EXPECT_NE(shard.Leader(), 0u);
}

TEST(SleepingShardTest, AMemberThatComesBackIsServed) {
  TestShard shard(3, Quiescing());
  ASSERT_TRUE(shard.Elect(1));
  shard[3].Crash();
  shard.Propose(1, "a");
  shard.TickAll(kIdle + 5);
  ASSERT_TRUE(shard.raft(1).quiesced());
  shard[3].Start();
  shard.TickAll(100);
  EXPECT_EQ(shard[3].history(), shard[1].history());
}

TEST(SleepingShardTest, NobodySleepsWhileAMemberThatAnswersLacksSomething) {
  TestShard shard(3, Quiescing());
  ASSERT_TRUE(shard.Elect(1));
  shard.filter = [](const Envelope& e) {
    return e.to != ReplicaId{3} || !std::holds_alternative<AppendEntries>(e.message);
  };
  shard.Propose(1, "a");
  for (std::uint64_t i = 0; i < 3 * kIdle; ++i) {
    shard.TickAll();
    ASSERT_FALSE(shard.raft(1).quiesced()) << i;
  }
  shard.filter = nullptr;
  shard.TickAll(2);
  EXPECT_EQ(shard[3].history(), shard[1].history());
  shard.TickAll(kIdle + 5);
  EXPECT_TRUE(shard.raft(1).quiesced());
}

// It knows nobody, and has no vote.
TEST(SleepingShardTest, ANewcomerThatStartsLateIsServed) {
  TestShard shard(3, Quiescing());
  ASSERT_TRUE(shard.Elect(1));
  for (const auto& [added, role] : {std::pair("voter 4", Role::kFollower),
                                    {"nonvoting 5", Role::kNonVoting},
                                    {"witness 6", Role::kWitness}}) {
    shard.Change(1, added);
    shard.TickAll(kIdle + 5);
    ASSERT_TRUE(shard.raft(1).quiesced()) << "nobody waits for the dead";
    const std::uint64_t id = added[std::string_view(added).size() - 1] - '0';
    shard.Join(id, role);
    shard.TickAll(15);
    EXPECT_EQ(shard[id].applied(), shard[1].applied()) << added;
    EXPECT_FALSE(shard.raft(1).quiesced());
    EXPECT_EQ(shard.raft(1).term(), Term{2});
  }
}

// Also behind an election, when the leader has heard nothing of it.
TEST(SleepingShardTest, ASleepingLeaderCallsTheDeadAndNobodyElse) {
  TestShard shard(3, Quiescing());
  shard[3].Crash();
  ASSERT_TRUE(shard.Elect(1));
  shard.TickAll(kIdle + 5);
  ASSERT_TRUE(shard.raft(1).quiesced());
  shard.sent.clear();
  shard.TickAll(100);
  EXPECT_EQ(shard.sent.size(), 10u);
  for (const Envelope& e : shard.sent) {
    EXPECT_EQ(e.to, ReplicaId{3});
    EXPECT_TRUE(std::holds_alternative<Heartbeat>(e.message));
  }
  EXPECT_TRUE(shard.raft(1).quiesced());
  EXPECT_TRUE(shard.raft(2).quiesced());
}

TEST(SleepingShardTest, WhoseSnapshotFailsMeanwhileIsServed) {
  TestShard shard(Members({1, 2}, {3}), Quiescing());
  ASSERT_TRUE(shard.Elect(1));
  shard[3].Crash();
  shard.Propose(1, "a");
  shard[1].TakeSnapshot();
  shard.stream_snapshots = false;
  shard[3].Start();
  shard.TickAll(2);
  ASSERT_EQ(shard[1].snapshots.size(), 1u);

  // The stream breaks, which the leader hears of late.
  shard.Isolate(3);
  shard.TickAll(2 * kIdle);
  ASSERT_TRUE(shard.raft(1).quiesced());
  shard.raft(1).SnapshotStatus(ReplicaId{3}, true);
  shard[1].snapshots.clear();
  shard.stream_snapshots = true;
  shard.Heal();
  shard.TickAll(15);
  EXPECT_EQ(shard[3].history(), shard[1].history());
}

TEST(SleepingShardTest, WithoutALeaderNobodySleeps) {
  TestShard shard(3, Quiescing());
  shard[2].Crash();
  shard[3].Crash();
  shard.Tick(1, 3 * kIdle);
  EXPECT_FALSE(shard.raft(1).quiesced());
  shard[2].Start();
  EXPECT_NE(shard.WaitForLeader(), 0u);
}

TEST(SleepingShardTest, NoticesAreIgnoredWithTheOptionOff) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.TickAll(300);
  shard.Deliver(Make(1, 2, 0, QuiesceNotice{}));
  EXPECT_FALSE(shard.raft(2).quiesced());
}

}  // namespace
}  // namespace drumbeat::raft::testing
