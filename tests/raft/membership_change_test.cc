// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "raft/test_shard.h"

namespace drumbeat::raft::testing {
namespace {

Options WithoutLease() {
  Options options = TestShard::DefaultOptions();
  options.check_quorum = false;
  return options;
}

/// The leader, 1 of 3, has `change` committed and has not applied it.
void CommitUnapplied(TestShard& shard, std::string_view change) {
  shard.raft(1).Propose({Change(change)});
  const Index at = shard.raft(1).status().last_index;
  for (int round = 0; round < 6; ++round) {
    Output output = shard[1].Take();
    shard[1].Save(output);
    for (auto* messages : {&output.messages_now, &output.messages_after_save}) {
      for (Envelope& e : *messages) shard.network.push_back(std::move(e));
    }
    shard[1].Finish(output);
    while (!shard.network.empty()) shard.DeliverNext();
    shard.Run(2);
    shard.Run(3);
    while (!shard.network.empty()) shard.DeliverNext();
  }
  ASSERT_EQ(shard.raft(1).committed(), at);
}

TEST(MembershipChangeTest, TakesEffectWhenItIsApplied) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.Isolate(2);
  shard.Isolate(3);
  shard.Change(1, "voter 4");
  EXPECT_EQ(shard.raft(1).status().members.size(), 3u);
  shard.Heal();
  shard.TickAll(2);
  EXPECT_EQ(shard.raft(1).status().members.size(), 4u);
}

TEST(MembershipChangeTest, OneAtATime) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.raft(1).Propose({Change("voter 4"), Change("voter 5"), Command("a")});
  shard.Settle();
  ASSERT_EQ(shard[1].dropped.size(), 1u);
  EXPECT_EQ(shard[1].dropped[0].reason, DropReason::kChangeInProgress);
  EXPECT_EQ(shard[1].dropped[0].entry.command.view(), "voter 5");
  EXPECT_EQ(shard[1].history().back(), "2/a");
  EXPECT_TRUE(shard[1].members().voters.contains(ReplicaId{4}));
}

TEST(MembershipChangeTest, TheNextOneWaitsUntilTheFirstIsAppliedNotOnlyCommitted) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  CommitUnapplied(shard, "nonvoting 4");
  shard.raft(1).Propose({Change("nonvoting 5")});
  Output output = shard[1].Take();
  ASSERT_EQ(output.dropped_proposals.size(), 1u);
  EXPECT_EQ(output.dropped_proposals[0].reason, DropReason::kChangeInProgress);
  shard[1].Apply();
  shard.raft(1).Propose({Change("nonvoting 5")});
  output = shard[1].Take();
  EXPECT_TRUE(output.dropped_proposals.empty());
}

// A follower that has applied one change already passes the next one on. What is dropped there ends
// in a timeout.
TEST(MembershipChangeTest, APassedOnOneWaitsForTheOneBefore) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  CommitUnapplied(shard, "nonvoting 4");
  for (const char* change : {"nonvoting 5", "nonvoting 6"}) {
    shard.raft(1).Step(Make(2, 1, 0, ForwardedProposal{.entries = {Change(change)}}));
  }
  EXPECT_EQ(shard.raft(1).status().last_index, shard.raft(1).committed()) << "one at a time";
  shard.Settle();
  shard.TickAll(2);
  for (const std::uint64_t id : {1, 2, 3}) {
    EXPECT_TRUE(shard[id].members().non_votings.contains(ReplicaId{5}));
    EXPECT_FALSE(shard[id].members().non_votings.contains(ReplicaId{6})) << "one waits at a time";
  }
}

TEST(MembershipChangeTest, APassedOnOneIsDroppedBehindOneThatMayNeverBe) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.raft(1).Propose({Change("nonvoting 4")});
  shard.raft(1).Step(Make(2, 1, 0, ForwardedProposal{.entries = {Change("nonvoting 5")}}));
  shard.Settle();
  EXPECT_TRUE(shard[1].members().non_votings.contains(ReplicaId{4}));
  EXPECT_FALSE(shard[1].members().non_votings.contains(ReplicaId{5}));
}

TEST(MembershipChangeTest, WhatWaitsIsForgottenWithTheLeadership) {
  TestShard shard(3, WithoutLease());
  ASSERT_TRUE(shard.Elect(1));
  CommitUnapplied(shard, "nonvoting 4");
  shard.raft(1).Step(Make(2, 1, 0, ForwardedProposal{.entries = {Change("nonvoting 5")}}));
  shard.raft(1).Step(Make(3, 1, shard.raft(1).term().value() + 1, NoOp{}));
  ASSERT_EQ(shard.raft(1).role(), Role::kFollower);
  ASSERT_TRUE(shard.Elect(1));
  shard.TickAll(2);
  EXPECT_TRUE(shard[1].members().non_votings.contains(ReplicaId{4}));
  EXPECT_FALSE(shard[1].members().non_votings.contains(ReplicaId{5}));
}

// It stops when it hears of it; a leader that then forgot would wait for its vote for ever.
TEST(MembershipChangeTest, ARemovalIsToldWhenTheLeaderCannotForgetIt) {
  TestShard shard(2);
  ASSERT_TRUE(shard.Elect(1));
  shard.raft(1).Propose({Change("remove 2")});
  const Index at = shard.raft(1).status().last_index;
  for (const std::uint64_t id : {1, 2}) {
    shard.Run(id);
    while (!shard.network.empty()) shard.DeliverNext();
  }
  ASSERT_EQ(shard.raft(1).committed(), at);
  const Output output = shard[1].Take();
  EXPECT_TRUE(output.must_sync);
  ASSERT_TRUE(output.hard_state.has_value());
  EXPECT_EQ(output.hard_state->commit, at);
  EXPECT_TRUE(output.messages_now.empty());
  EXPECT_EQ(Only<AppendEntries>(output.messages_after_save).size(), 1u);
}

TEST(MembershipChangeTest, ARefusedChangeMakesRoomForTheNext) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.Change(1, "voter 2");  // is one already
  shard.Change(1, "voter 4");
  EXPECT_TRUE(shard[1].dropped.empty());
  EXPECT_TRUE(shard[1].members().voters.contains(ReplicaId{4}));
}

// W-25: whatever an entry holds, every replica comes to the same answer.
TEST(MembershipChangeTest, GarbageIsAppliedAsNothing) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  const Membership before = shard[1].members();
  for (const char* garbage : {"\xff\x01garbage", "promote 3", "voter", ""}) {
    const Index applied = shard[1].applied();
    shard.Change(1, garbage);
    shard.TickAll(2);
    for (const std::uint64_t id : {1, 2, 3}) {
      EXPECT_EQ(shard[id].applied(), applied + 1) << garbage << " at " << id;
      EXPECT_TRUE(shard[id].members() == before) << garbage << " at " << id;
    }
    EXPECT_EQ(shard.raft(1).status().members.size(), 3U) << garbage;
  }
  // It does not stand in the way of one that can be read.
  shard.Change(1, "voter 4");
  EXPECT_TRUE(shard[1].dropped.empty());
  shard.TickAll(2);
  for (const std::uint64_t id : {1, 2, 3}) {
    EXPECT_TRUE(shard[id].members().voters.contains(ReplicaId{4})) << id;
  }
}

TEST(MembershipChangeTest, ANewLeaderKnowsTheChangeThatItInherited) {
  TestShard shard(3, WithoutLease());
  ASSERT_TRUE(shard.Elect(1));
  // 1 brings a change to 2 only, then stops.
  shard.Isolate(3);
  shard.filter = [](const Envelope& e) { return !std::holds_alternative<AppendReply>(e.message); };
  shard.Change(1, "voter 4");
  shard[1].Crash();
  shard.Heal();
  // 2 leads but cannot commit yet.
  shard.filter = [](const Envelope& e) {
    return !std::holds_alternative<AppendEntries>(e.message);
  };
  ASSERT_TRUE(shard.Elect(2));
  shard.Change(2, "voter 5");
  ASSERT_EQ(shard[2].dropped.size(), 1u);
  EXPECT_EQ(shard[2].dropped[0].reason, DropReason::kChangeInProgress);
  shard.filter = nullptr;
  shard.TickAll(3);
  EXPECT_TRUE(shard[2].members().voters.contains(ReplicaId{4}));
  EXPECT_FALSE(shard[2].members().voters.contains(ReplicaId{5}));
  shard.Join(4);
  shard.TickAll(3);
  shard.Change(2, "voter 5");
  EXPECT_TRUE(shard[2].members().voters.contains(ReplicaId{5}));
}

// B-15: the member is still starting when the leader looks for its quorum.
TEST(MembershipChangeTest, AddingAMemberThatIsStillStartingDoesNotDeposeTheLeader) {
  for (const std::uint64_t before : {1u, 3u}) {
    TestShard shard(before);
    ASSERT_TRUE(shard.Elect(1));
    const std::uint64_t added = before + 1;
    if (before == 3) shard.Isolate(3);
    shard.TickAll(9);
    shard.Change(1, "voter " + std::to_string(added));
    shard.TickAll(9);
    EXPECT_EQ(shard.raft(1).role(), Role::kLeader) << before;
    shard.Join(added);
    shard.TickAll(30);
    EXPECT_EQ(shard.raft(1).role(), Role::kLeader) << before;
    EXPECT_EQ(shard[added].history(), shard[1].history());
  }
}

TEST(MembershipChangeTest, APromotionKeepsWhatTheMemberHas) {
  TestShard shard(Members({1, 2, 3}, {4}));
  ASSERT_TRUE(shard.Elect(1));
  shard.TickAll(2);
  const Index match = shard.raft(1).status().members.back().match;
  ASSERT_GT(match, Index{0});
  shard.Change(1, "voter 4");
  EXPECT_GE(shard.raft(1).status().members.back().match, match);
  shard.TickAll(2);
  EXPECT_EQ(shard.raft(4).role(), Role::kFollower);
  shard[1].Crash();
  shard[2].Crash();
  shard[1].Start();
  shard.TickAll(40);
  EXPECT_NE(shard.Leader(), 0u) << "3 of 4, with the promoted one";
}

// M-04, B-62.
TEST(MembershipChangeTest, ALeaderThatIsRemovedStepsDownAndIsReplaced) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.Change(1, "remove 1");
  EXPECT_NE(shard.raft(1).role(), Role::kLeader);
  EXPECT_TRUE(shard[1].members().removed.contains(ReplicaId{1}));
  shard[1].Crash();
  const std::uint64_t leader = shard.WaitForLeader();
  EXPECT_NE(leader, 0u);
  shard.Propose(leader, "a");
  EXPECT_EQ(shard[2].history(), shard[3].history());
  EXPECT_FALSE(shard[2].members().voters.contains(ReplicaId{1}));
}

// M-08: it was reachable, so it has learned of it and does not disturb.
TEST(MembershipChangeTest, ARemovedMemberThatRunsOnDoesNotCampaign) {
  TestShard shard(3, WithoutLease());
  ASSERT_TRUE(shard.Elect(1));
  shard.Change(1, "remove 3");
  const Term term = shard.raft(1).term();
  shard.TickAll(200);
  EXPECT_EQ(shard.raft(1).term(), term);
  EXPECT_EQ(shard.raft(1).role(), Role::kLeader);
}

// B-61.
TEST(MembershipChangeTest, RemovingOneOfTwoNeedsBoth) {
  TestShard shard(2);
  ASSERT_TRUE(shard.Elect(1));
  shard.Cut(1, 2);
  shard.Change(1, "remove 2");
  EXPECT_EQ(shard[1].members().voters.size(), 2u) << "the old quorum decides";
  shard.Heal();
  shard.TickAll(2);
  EXPECT_EQ(shard[1].members().voters.size(), 1u);
  shard[2].Crash();
  shard.Propose(1, "alone");
  EXPECT_EQ(shard[1].history().back(), "2/alone");
}

TEST(MembershipChangeTest, ARemovalCommitsWhatWaitedForTheRemoved) {
  TestShard shard(4);
  ASSERT_TRUE(shard.Elect(1));
  shard.Isolate(4);
  shard.raft(1).Propose({Change("remove 4")});
  shard.Run(1);
  // Of this one 3 acknowledges nothing: 2 of 4 is no majority, 2 of 3 is.
  shard.filter = [](const Envelope& e) {
    const auto* append = std::get_if<AppendEntries>(&e.message);
    if (append == nullptr || e.to != ReplicaId{3}) return true;
    for (const Entry& entry : append->entries) {
      if (entry.command.view() == "a") return false;
    }
    return true;
  };
  shard.raft(1).Propose({Command("a")});
  shard.Settle();
  EXPECT_EQ(shard[1].history().rbegin()[1], "2/a");
  EXPECT_EQ(shard[1].history().back(), "2/") << "the notice of the removal";
}

// -- B-59: a candidate's members must not be two changes behind -----------------------------------

/// Five replicas of which 3 has two additions in its log, both committed, but has applied neither.
class TwoStepsBehind {
 public:
  TwoStepsBehind() : shard(3, WithoutLease()) {
    EXPECT_TRUE(shard.Elect(1));
    shard.Join(4);
    shard.Join(5);
    // 3's state machine stands still from here on.
    AddWithout3Applying("voter 4");
    AddWithout3Applying("voter 5");
  }
  void AddWithout3Applying(const std::string& change) {
    shard.raft(1).Propose({Change(change)});
    for (int round = 0; round < 8; ++round) {
      for (std::uint64_t id : {1u, 2u, 4u, 5u}) {
        while (shard.raft(id).HasOutput()) shard.Run(id);
      }
      while (shard.raft(3).HasOutput()) {
        Output output = shard[3].Take();
        shard[3].Save(output);
        for (Envelope& e : output.messages_after_save) shard.network.push_back(std::move(e));
        shard[3].Finish(output);
      }
      while (!shard.network.empty()) shard.DeliverNext();
    }
  }
  void TickThree() {
    for (int i = 0; i < 50; ++i) shard.raft(3).Tick();
  }

  TestShard shard;
};

TEST(MembershipChangeTest, NoCampaignByTimeoutWithAChangeThatIsNotApplied) {
  TwoStepsBehind s;
  ASSERT_GE(s.shard.raft(3).committed(), Index{6});
  s.TickThree();
  EXPECT_EQ(s.shard.raft(3).role(), Role::kFollower);
  s.shard[3].Apply();
  s.TickThree();
  EXPECT_EQ(s.shard.raft(3).role(), Role::kCandidate);
}

TEST(MembershipChangeTest, NoCampaignByHandoverEither) {
  TwoStepsBehind s;
  const std::uint64_t term = s.shard.raft(1).term().value();
  s.shard.Deliver(Make(1, 3, term, TimeoutNow{}));
  EXPECT_EQ(s.shard.raft(3).role(), Role::kFollower);
  s.shard[3].Apply();
  s.shard.Deliver(Make(1, 3, term, TimeoutNow{}));
  EXPECT_EQ(s.shard.raft(3).role(), Role::kCandidate);
}

TEST(MembershipChangeTest, NoCampaignAfterARestartBeforeWhatWasCommittedIsAppliedAgain) {
  TwoStepsBehind s;
  s.shard[3].Crash(false);
  s.shard[3].Start();
  s.TickThree();
  EXPECT_EQ(s.shard.raft(3).role(), Role::kFollower);
  s.shard.Settle();
  s.TickThree();
  EXPECT_EQ(s.shard.raft(3).role(), Role::kCandidate);
}

// Sharp edge 10 of Dragonboat: a slow state machine that has no change before it may lead.
TEST(MembershipChangeTest, EntriesThatAreNoChangesDoNotHoldACampaignBack) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.raft(1).Propose({Command("a")});
  shard.Run(1);
  while (!shard.network.empty()) shard.DeliverNext();
  const std::uint64_t term = shard.raft(1).term().value();
  Output output = shard[2].Take();
  shard[2].Save(output);
  shard.Deliver(Make(1, 2, term, Heartbeat{.commit = Index{5}, .context = {}}));
  output = shard[2].Take();
  ASSERT_FALSE(output.committed.empty());
  shard[2].Finish(output);  // but not applied
  shard.Deliver(Make(1, 2, term, TimeoutNow{}));
  EXPECT_EQ(shard.raft(2).role(), Role::kCandidate);
}

// B-58: the three schedules of the bug in single-server changes (Ongaro, 2015). Two leaders in turn
// start from the same four members; those of the one's change have a majority that meets none of
// the other's. Here a change counts once it is committed by the members before it, so that neither
// leader gets anywhere with those few.
struct Schedule {
  const char* name;
  const char* first;
  const char* second;
  std::set<std::uint64_t> hear_first;
  std::set<std::uint64_t> hear_second;
};

class DisjointQuorumsTest : public ::testing::TestWithParam<Schedule> {
 protected:
  DisjointQuorumsTest() : shard_(4, WithoutLease()) {
    EXPECT_TRUE(shard_.Elect(1));
    for (const std::uint64_t joiner : {5, 6}) shard_.Join(joiner);
  }

  // Only these hear each other, and nothing is appended at `deaf`.
  void Connect(const std::set<std::uint64_t>& ids, std::uint64_t deaf = 0) {
    shard_.filter = [=](const Envelope& e) {
      if (e.to == ReplicaId{deaf} && std::holds_alternative<AppendEntries>(e.message)) return false;
      return ids.contains(e.from.value()) && ids.contains(e.to.value());
    };
  }

  // What was applied anywhere so far is what everybody else applies there.
  void ExpectOneHistory() {
    for (const auto& [id, replica] : shard_.replicas()) {
      const History& history = replica->history();
      for (std::size_t i = 0; i < history.size(); ++i) {
        if (i == applied_.size()) applied_.push_back(history[i]);
        EXPECT_EQ(history[i], applied_[i]) << "replica " << id << " at " << i + 1;
      }
    }
  }

  TestShard shard_;
  History applied_;
};

TEST_P(DisjointQuorumsTest, TwoLeadersInTurnDoNotMakeThem) {
  const Schedule& s = GetParam();
  Connect(s.hear_first);
  shard_.Change(1, s.first);
  ExpectOneHistory();

  // 4 votes for the next leader, but gets nothing of its log.
  std::set<std::uint64_t> voters = s.hear_second;
  voters.insert(4);
  Connect(voters, 4);
  ASSERT_TRUE(shard_.Elect(2));
  const Index before = shard_[2].applied();
  shard_.Change(2, s.second);
  ASSERT_TRUE(shard_[2].dropped.empty()) << "it knows of no other change";
  EXPECT_EQ(shard_[2].applied(), before) << "two of four decide nothing";
  ExpectOneHistory();

  // The first one stands again, with its own change in the log and the vote of 4.
  std::set<std::uint64_t> rest = s.hear_first;
  rest.insert(4);
  Connect(rest);
  for (int i = 0; i < 60; ++i) shard_.Tick(1);
  EXPECT_NE(shard_.raft(1).role(), Role::kLeader);
  EXPECT_GT(shard_.raft(1).term(), shard_.raft(2).term()) << "it did stand";
  ExpectOneHistory();

  shard_.filter = nullptr;
  shard_.TickAll(60);
  const std::uint64_t leader = shard_.WaitForLeader();
  ASSERT_NE(leader, 0U);
  shard_.Propose(leader, "after");
  shard_.TickAll(5);
  ExpectOneHistory();
  EXPECT_NE(std::ranges::find_if(applied_, [](auto& text) { return text.ends_with("/after"); }),
            applied_.end());
}

INSTANTIATE_TEST_SUITE_P(
    Schedules, DisjointQuorumsTest,
    ::testing::Values(Schedule{"TwoAdditions", "voter 5", "voter 6", {1, 5}, {2, 3, 6}},
                      Schedule{"AnAdditionAndARemoval", "voter 5", "remove 1", {1, 5}, {2, 3}},
                      Schedule{"TwoRemovals", "remove 2", "remove 1", {1}, {2, 3}}),
    [](const auto& schedule) { return schedule.param.name; });

TEST(MembershipChangeTest, ATransferIsNoWayAroundAnUnappliedChange) {
  TwoStepsBehind s;
  s.shard.raft(1).TransferLeadership(ReplicaId{3});
  for (int round = 0; round < 4; ++round) {
    while (s.shard.raft(1).HasOutput()) s.shard.Run(1);
    while (!s.shard.network.empty()) s.shard.DeliverNext();
  }
  EXPECT_EQ(s.shard.raft(3).role(), Role::kFollower);
  EXPECT_EQ(s.shard.raft(1).role(), Role::kLeader);
}

// Section 6.7 of Dragonboat's behaviour: founders write their own first entries.
TEST(MembershipChangeTest, FoundersFindEachOtherInTheirLogs) {
  TestShard shard(3);
  for (std::uint64_t id = 1; id <= 3; ++id) {
    EXPECT_EQ(shard.raft(id).term(), Term{1});
    EXPECT_EQ(shard.raft(id).committed(), Index{3});
    EXPECT_EQ(shard[id].members().config_change_id, 3u);
    EXPECT_EQ(shard[id].members().voters.size(), 3u);
  }
}

}  // namespace
}  // namespace drumbeat::raft::testing
