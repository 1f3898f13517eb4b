// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "raft/test_shard.h"

// Who is removed stops, so it is to hear of it when those who stay can do without it.
namespace drumbeat::raft::testing {
namespace {

std::string Removal(std::uint64_t id) { return "remove " + std::to_string(id); }

bool KnowsOfItsRemoval(TestShard& shard, std::uint64_t id) {
  return shard[id].members().removed.contains(ReplicaId(id));
}

/// Loses every message by which `to` would learn that more than `index` is committed.
auto HidesCommitsBehind(Index index, std::uint64_t to) {
  return [=](const Envelope& e) {
    const auto* append = std::get_if<AppendEntries>(&e.message);
    const auto* heartbeat = std::get_if<Heartbeat>(&e.message);
    const Index commit = append != nullptr      ? append->commit
                         : heartbeat != nullptr ? heartbeat->commit
                                                : Index{0};
    return e.to != ReplicaId(to) || commit <= index;
  };
}

/// Runs `shard` until `messages` were delivered; those that are then under way are lost.
/// Returns whether there were so many.
bool RunUntilLost(TestShard& shard, int messages) {
  bool busy = true;
  while (busy) {
    busy = false;
    for (const auto& [id, replica] : shard.replicas()) {
      while (replica->running() && replica->raft().HasOutput()) shard.Run(id);
    }
    if (shard.network.empty()) return false;
    if (messages-- == 0) break;
    shard.DeliverNext();
    busy = true;
  }
  shard.network.clear();
  return true;
}

// However far the news of it has come, when the removed one stops and another member dies, those
// who are left go on, as they would in a group that never had it.
TEST(RemovalTest, WhoStaysNeedsNoVoteOfTheRemoved) {
  for (const std::uint64_t voters : {2u, 3u, 4u, 5u}) {
    for (const std::uint64_t leaver : {std::uint64_t{1}, voters}) {
      for (std::uint64_t dies = 0; dies <= voters; ++dies) {
        if (dies == leaver || (dies != 0 && voters < 4)) continue;
        for (std::uint64_t lags = 0; lags <= voters; ++lags) {
          if (lags == 1 || lags == leaver || lags == dies || (lags != 0 && voters < 4)) continue;
          bool more = true;
          for (int messages = 0; more; ++messages) {
            TestShard shard(voters);
            ASSERT_TRUE(shard.Elect(1));
            if (lags != 0) shard.Isolate(lags);
            shard.raft(1).Propose({Change(Removal(leaver))});
            more = RunUntilLost(shard, messages);
            if (KnowsOfItsRemoval(shard, leaver)) shard[leaver].Crash();
            if (dies != 0) shard[dies].Crash();
            shard.Heal();
            ASSERT_NE(shard.WaitForLeader(), 0u)
                << voters << " voters, " << leaver << " is removed, " << dies << " dies, " << lags
                << " lags, lost after " << messages << " messages";
          }
        }
      }
    }
  }
}

TEST(RemovalTest, ALeaderStaysUntilTheOtherOneKnows) {
  TestShard shard(2);
  ASSERT_TRUE(shard.Elect(1));
  shard.filter = HidesCommitsBehind(shard.raft(1).committed(), 2);
  shard.Change(1, "remove 1");
  shard.TickAll(5);
  EXPECT_EQ(shard.raft(1).role(), Role::kLeader);
  EXPECT_FALSE(KnowsOfItsRemoval(shard, 1));
  shard.filter = nullptr;
  shard.TickAll(2);
  EXPECT_TRUE(KnowsOfItsRemoval(shard, 1));
  EXPECT_EQ(shard.Leader(), 2u);
}

// Who stays may be away for long, and the removed one be enough to commit.
TEST(RemovalTest, WhatIsBehindItIsBounded) {
  Options options = TestShard::DefaultOptions();
  options.max_apply_bytes = 2000;
  TestShard shard(2, options);
  ASSERT_TRUE(shard.Elect(1));
  shard.filter = HidesCommitsBehind(shard.raft(1).committed(), 2);
  shard.Change(1, "remove 1");
  for (int i = 0; i < 100; ++i) shard.Propose(1, "a");
  EXPECT_LT(shard.raft(1).in_memory_bytes(), 2500u);
  ASSERT_FALSE(shard[1].dropped.empty());
  EXPECT_EQ(shard[1].dropped.back().reason, DropReason::kBusy);
}

TEST(RemovalTest, AChangeThatWaitsBehindItIsForgottenBeforeLong) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  // 2 answers and hears of it, but cannot show that.
  shard.filter = [before = shard.raft(1).committed()](const Envelope& e) {
    const auto* append = std::get_if<AppendEntries>(&e.message);
    return e.to != ReplicaId{2} || append == nullptr || append->commit <= before;
  };
  shard.Change(1, "remove 3");
  shard.Deliver(Make(2, 1, 0, ForwardedProposal{.entries = {Change("nonvoting 5")}}));
  shard.TickAll(2 * TestShard::DefaultOptions().election_ticks);
  ASSERT_EQ(shard.raft(1).role(), Role::kLeader);
  ASSERT_FALSE(shard[1].members().removed.contains(ReplicaId{3}));
  shard.filter = nullptr;
  shard.TickAll(2);
  EXPECT_TRUE(shard[1].members().removed.contains(ReplicaId{3}));
  EXPECT_FALSE(shard[1].members().non_votings.contains(ReplicaId{5}));
}

TEST(RemovalTest, AMemberIsToldWhenAMajorityOfThoseWhoStayKnows) {
  for (const Membership& members : {Members({1, 2, 3}), Members({1, 2}, {}, {3})}) {
    TestShard shard(members);
    ASSERT_TRUE(shard.Elect(1));
    shard.TickAll(2);
    shard.filter = HidesCommitsBehind(shard.raft(1).committed(), 2);
    shard.Change(1, "remove 3");
    shard.TickAll(3);
    EXPECT_FALSE(KnowsOfItsRemoval(shard, 3));
    EXPECT_EQ(shard[1].applied(), shard[3].applied()) << "nor is it applied anywhere else";
    const auto held = shard.raft(1).status().held_removal;
    ASSERT_TRUE(held.has_value());
    EXPECT_EQ(held->change, shard[1].applied() + 1);
    EXPECT_EQ(held->leaver, ReplicaId{3});
    EXPECT_EQ(held->awaited, std::vector{ReplicaId{2}});
    shard.filter = nullptr;
    shard.TickAll(2);
    EXPECT_FALSE(shard.raft(1).status().held_removal.has_value());
    EXPECT_TRUE(KnowsOfItsRemoval(shard, 3));
    EXPECT_TRUE(shard[1].members().removed.contains(ReplicaId{3}));
  }
}

// -- Whoever was removed may not know it yet -----------------------------------------------------

/// Loses what 1 appends to 3's log.
bool NothingIsAppendedTo3(const Envelope& envelope) {
  return envelope.to != ReplicaId{3} || !std::holds_alternative<AppendEntries>(envelope.message);
}

/// 1 leads and removes 3, which gets nothing of that.
void RemoveUnheard(TestShard& shard) {
  ASSERT_TRUE(shard.Elect(1));
  shard.TickAll(2);
  shard.filter = NothingIsAppendedTo3;
  shard.Propose(1, "a");
  shard.Change(1, "remove 3");
}

TEST(RemovalTest, WhoeverLacksTheEntryGetsItStill) {
  TestShard shard(3);
  RemoveUnheard(shard);
  ASSERT_TRUE(shard[1].members().removed.contains(ReplicaId{3}));
  shard.TickAll(2);
  EXPECT_FALSE(KnowsOfItsRemoval(shard, 3));
  shard.filter = nullptr;
  shard.TickAll(2);
  EXPECT_TRUE(KnowsOfItsRemoval(shard, 3));
}

TEST(RemovalTest, TheMessageThatTellsItMayGetLost) {
  for (const Membership& members :
       {Members({1, 2, 3}), Members({1, 2}, {3}), Members({1, 2}, {}, {3})}) {
    TestShard shard(members);
    ASSERT_TRUE(shard.Elect(1));
    shard.TickAll(2);
    shard.filter = HidesCommitsBehind(shard.raft(1).committed(), 3);
    shard.Change(1, "remove 3");
    ASSERT_TRUE(shard[1].members().removed.contains(ReplicaId{3}));
    shard.filter = nullptr;
    shard.TickAll(2);
    EXPECT_TRUE(KnowsOfItsRemoval(shard, 3));
  }
}

TEST(RemovalTest, TheNextLeaderTellsItToo) {
  TestShard shard(3);
  RemoveUnheard(shard);
  shard.raft(1).TransferLeadership(ReplicaId{2});
  shard.Settle();
  ASSERT_EQ(shard.Leader(), 2u);
  EXPECT_FALSE(KnowsOfItsRemoval(shard, 3));
  shard.filter = nullptr;
  shard.TickAll(2);
  EXPECT_TRUE(KnowsOfItsRemoval(shard, 3));
}

TEST(RemovalTest, WhatIsBehindItsRemovalIsNotSentToIt) {
  TestShard shard(3);
  RemoveUnheard(shard);
  const Index last = shard.raft(1).status().last_index;
  shard.filter = nullptr;
  shard.sent.clear();
  for (int i = 0; i < 5; ++i) {
    shard.Propose(1, "a");
    shard.TickAll();
  }
  for (const Envelope& envelope : Only<AppendEntries>(shard.sent)) {
    if (envelope.to != ReplicaId{3}) continue;
    const auto& append = std::get<AppendEntries>(envelope.message);
    EXPECT_LE(append.previous + append.entries.size(), last);
  }
  EXPECT_TRUE(KnowsOfItsRemoval(shard, 3));
}

// What it applies again after a restart was told long ago.
TEST(RemovalTest, ARestartTellsNobodyAgain) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.TickAll(2);
  shard.Isolate(3);
  shard.Change(1, "remove 3");
  shard.TickAll(3 * TestShard::DefaultOptions().election_ticks);
  shard[1].Crash();
  shard.Tick(2, TestShard::DefaultOptions().election_ticks);
  shard[1].Start();
  ASSERT_TRUE(shard.Elect(1));
  ASSERT_TRUE(shard[1].members().removed.contains(ReplicaId{3}));
  shard.sent.clear();
  shard.TickAll(3);
  EXPECT_EQ(std::ranges::count(shard.sent, ReplicaId{3}, &Envelope::to), 0);
}

TEST(RemovalTest, ItIsToldForTwoElectionTimeoutsAtMost) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.TickAll(2);
  shard.Isolate(3);
  shard.Change(1, "remove 3");
  const auto sent_to_3 = [&] {
    return std::ranges::count(shard.sent, ReplicaId{3}, &Envelope::to);
  };
  shard.sent.clear();
  shard.TickAll(3);
  EXPECT_GT(sent_to_3(), 0);
  shard.TickAll(2 * TestShard::DefaultOptions().election_ticks);
  shard.sent.clear();
  shard.Propose(1, "a");
  shard.TickAll(3);
  EXPECT_EQ(sent_to_3(), 0);
}

TEST(RemovalTest, WhatItAnswersCountsForNothing) {
  TestShard shard(4);
  ASSERT_TRUE(shard.Elect(1));
  shard.TickAll(2);
  shard.filter = HidesCommitsBehind(shard.raft(1).committed(), 4);
  shard.Change(1, "remove 4");
  ASSERT_TRUE(shard[1].members().removed.contains(ReplicaId{4}));
  shard.Isolate(2);
  shard.Isolate(3);
  const Index before = shard.raft(1).committed();
  shard.Propose(1, "a");
  const Index last = shard.raft(1).status().last_index;
  ASSERT_GT(last, before);
  const Term term = shard.raft(1).term();
  shard.Deliver(
      Make(4, 1, term.value(), AppendReply{.index = last, .rejected = false, .hint = {}}));
  shard.Settle();
  EXPECT_EQ(shard.raft(1).committed(), before);
  // Nor does a term that it alone got to.
  shard.Deliver(Make(4, 1, 7, AppendReply{.index = before, .rejected = true, .hint = before}));
  shard.Deliver(Make(4, 1, 7, HeartbeatReply{}));
  EXPECT_EQ(shard.raft(1).role(), Role::kLeader);
  EXPECT_EQ(shard.raft(1).term(), term);
}

TEST(RemovalTest, NoSnapshotIsMadeForIt) {
  TestShard shard(3);
  RemoveUnheard(shard);
  shard[1].TakeSnapshot(0);
  shard.filter = nullptr;
  shard.sent.clear();
  shard.TickAll(3);
  EXPECT_GT(std::ranges::count(shard.sent, ReplicaId{3}, &Envelope::to), 0);
  EXPECT_TRUE(shard[1].snapshots.empty());
  EXPECT_FALSE(KnowsOfItsRemoval(shard, 3));
  EXPECT_EQ(shard.raft(1).role(), Role::kLeader);
}

// -- What would leave nobody who could go on ------------------------------------------------------

/// Why the leader, 1, does not propose it; nothing if it does.
std::optional<DropReason> WhyNot(TestShard& shard, std::uint64_t leaver) {
  shard[1].dropped.clear();
  shard.raft(1).Propose({Change(Removal(leaver))});
  shard.Settle();
  if (shard[1].dropped.empty()) return std::nullopt;
  return shard[1].dropped[0].reason;
}

struct Refusal {
  Membership members;
  std::vector<std::uint64_t> dead;
  std::vector<std::uint64_t> refused;
};

TEST(RemovalTest, NobodyIsRemovedWithoutWhomTooFewAnswer) {
  for (const Refusal& c :
       {Refusal{Members({1, 2, 3}), {3}, {1, 2}}, Refusal{Members({1, 2, 3, 4}), {4}, {}},
        Refusal{Members({1, 2, 3, 4, 5}), {4, 5}, {1, 2, 3}},
        Refusal{Members({1, 2, 3, 4, 5}), {5}, {}}, Refusal{Members({1, 2}, {}, {3}), {2}, {1, 3}},
        Refusal{Members({1, 2}, {}, {3}), {3}, {1, 2}},
        Refusal{Members({1, 2}, {}, {3, 4, 5}), {2}, {1}}}) {
    const std::uint64_t last = c.members.voters.size() + c.members.witnesses.size();
    for (std::uint64_t id = 1; id <= last; ++id) {
      SCOPED_TRACE("of " + std::to_string(c.members.voters.size()) + " voters " +
                   std::to_string(id) + " is removed");
      TestShard shard(c.members);
      ASSERT_TRUE(shard.Elect(1));
      for (const std::uint64_t dead : c.dead) shard[dead].Crash();
      shard.TickAll(4);
      const bool refused = std::ranges::find(c.refused, id) != c.refused.end();
      EXPECT_EQ(WhyNot(shard, id),
                refused ? std::optional(DropReason::kWouldEndQuorum) : std::nullopt);
      EXPECT_EQ(shard[1].members().removed.contains(ReplicaId(id)), !refused);
      shard.Propose(1, "on");
      if (refused) {
        EXPECT_EQ(shard[1].history().back(), "2/on");
      }
    }
  }
}

// Else it would lie in wait: whoever comes back would commit the removal of itself with the leader.
TEST(RemovalTest, NobodyIsRemovedWhileTooFewAnswerForAnything) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  for (const std::uint64_t dead : {2, 3}) {
    shard[dead].Crash();
    shard.raft(1).Unreachable(ReplicaId{dead});
  }
  for (const std::uint64_t id : {1, 2, 3}) {
    EXPECT_EQ(WhyNot(shard, id), DropReason::kWouldEndQuorum) << id;
  }
}

TEST(RemovalTest, WhoAnswersAgainCounts) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.raft(1).Unreachable(ReplicaId{3});
  EXPECT_EQ(WhyNot(shard, 2), DropReason::kWouldEndQuorum);
  shard.TickAll();
  EXPECT_EQ(WhyNot(shard, 2), std::nullopt);
}

TEST(RemovalTest, OneThatIsInTheLogIsAppliedAllTheSame) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.Isolate(1);
  EXPECT_EQ(WhyNot(shard, 2), std::nullopt) << "3 is not known to be dead";
  shard[3].Crash();
  shard.Heal();
  shard.TickAll(4);
  shard[3].Start();
  shard.TickAll(4);
  EXPECT_TRUE(shard[1].members().removed.contains(ReplicaId{2}));
}

// -- A leader's own removal -----------------------------------------------------------------------

/// The leader of two has committed its own removal, and the other one does not know.
class OwnRemovalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(shard_.Elect(1));
    before_ = shard_.raft(1).committed();
    shard_.filter = HidesCommitsBehind(before_, 2);
    shard_.Change(1, "remove 1");
    ASSERT_GT(shard_.raft(1).committed(), before_);
    ASSERT_EQ(shard_[1].applied(), before_);
  }
  void ExpectThatTheOtherOneIsAlone() {
    ASSERT_NE(shard_.WaitForLeader(), 0u);
    shard_.TickAll(2);
    EXPECT_EQ(shard_.Leader(), 2u);
    EXPECT_TRUE(KnowsOfItsRemoval(shard_, 1));
    shard_[1].Crash();
    shard_.Propose(2, "alone");
    EXPECT_EQ(shard_[2].history().back().substr(2), "alone");
  }

  TestShard shard_{2};
  Index before_;
};

TEST_F(OwnRemovalTest, ACrashForgetsIt) {
  shard_[1].Crash(false);
  EXPECT_EQ(shard_[1].disk().hard_state().commit, before_);
  shard_.filter = nullptr;
  shard_[1].Start();
  ExpectThatTheOtherOneIsAlone();
}

// It has the longer log, so only it can be elected.
TEST_F(OwnRemovalTest, WithoutItsLeadershipItMayLeadAgain) {
  shard_.Isolate(1);
  shard_.TickAll(40);
  EXPECT_NE(shard_.raft(1).role(), Role::kLeader);
  EXPECT_EQ(shard_[1].applied(), before_);
  shard_.filter = nullptr;
  shard_.Heal();
  ExpectThatTheOtherOneIsAlone();
}

// Three, as the other one of two could not lead without it.
TEST(RemovalTest, AnotherLeaderTellsAFormerOne) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  const Index before = shard.raft(1).committed();
  const auto hides_from_2 = HidesCommitsBehind(before, 2);
  const auto hides_from_3 = HidesCommitsBehind(before, 3);
  shard.filter = [=](const Envelope& e) { return hides_from_2(e) && hides_from_3(e); };
  shard.Change(1, "remove 1");
  shard.Isolate(1);
  // The others have it in their logs, but cannot commit it for now.
  shard.filter = [](const Envelope& e) {
    return !std::holds_alternative<AppendEntries>(e.message);
  };
  shard.TickAll(40);
  ASSERT_GT(shard.Leader(), 0u);
  EXPECT_NE(shard.raft(1).role(), Role::kLeader);
  EXPECT_EQ(shard[1].applied(), before);
  shard.Heal();
  shard.filter = nullptr;
  shard.TickAll(60);
  EXPECT_GT(shard.Leader(), 1u);
  EXPECT_TRUE(KnowsOfItsRemoval(shard, 1));
  EXPECT_FALSE(shard[shard.Leader()].members().voters.contains(ReplicaId{1}));
}

// Who took over with the removal applied would not tell the removed one.
TEST(RemovalTest, ATransferWaitsForIt) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.filter = HidesCommitsBehind(shard.raft(1).committed(), 3);
  shard.Change(1, "remove 1");
  shard.raft(1).TransferLeadership(ReplicaId{2});
  shard.Settle();
  EXPECT_EQ(shard.Leader(), 1u);
  shard.filter = nullptr;
  shard.TickAll(2);
  EXPECT_GT(shard.Leader(), 1u);
  EXPECT_TRUE(KnowsOfItsRemoval(shard, 1));
}

TEST(RemovalTest, AFormerLeaderAppliesTheRemovalOfAnother) {
  TestShard shard(2);
  ASSERT_TRUE(shard.Elect(1));
  const Index before = shard.raft(1).committed();
  shard.raft(1).Propose({Change("remove 2")});
  shard.Run(1);
  shard.DeliverNext();
  shard.Run(2);
  shard.DeliverNext();
  ASSERT_GT(shard.raft(1).committed(), before);
  // Its notice is not saved yet.
  shard.raft(1).Step(Make(2, 1, shard.raft(1).term().value() + 1, NoOp{}));
  ASSERT_EQ(shard.raft(1).role(), Role::kFollower);
  shard.network.clear();
  shard.Isolate(1);
  shard.TickAll(30);
  EXPECT_TRUE(shard[1].members().removed.contains(ReplicaId{2}));
  EXPECT_EQ(shard.raft(1).role(), Role::kLeader) << "alone";
}

}  // namespace
}  // namespace drumbeat::raft::testing
