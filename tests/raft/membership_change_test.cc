// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "raft/test_shard.h"

namespace drumbeat::raft::testing {
namespace {

Options WithoutLease() {
  Options options = TestShard::DefaultOptions();
  options.check_quorum = false;
  return options;
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
  shard.raft(1).Propose({Change("nonvoting 4")});
  // Everything but applying at the leader.
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
  ASSERT_EQ(shard.raft(1).committed(), Index{5});
  shard.raft(1).Propose({Change("nonvoting 5")});
  Output output = shard[1].Take();
  ASSERT_EQ(output.dropped_proposals.size(), 1u);
  EXPECT_EQ(output.dropped_proposals[0].reason, DropReason::kChangeInProgress);
  shard[1].Apply();
  shard.raft(1).Propose({Change("nonvoting 5")});
  output = shard[1].Take();
  EXPECT_TRUE(output.dropped_proposals.empty());
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
  shard.Change(1, "\xff\x01garbage");
  shard.Change(1, "voter 4");
  EXPECT_TRUE(shard[1].dropped.empty());
  EXPECT_EQ(shard[2].members(), shard[1].members());
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
  EXPECT_EQ(shard[1].history().back(), "2/a");
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

// B-58: the three schedules of the bug in single-server changes (Ongaro, 2015), in which two
// leaders in turn start from the same members. Here a change waits for the one before it, which is
// what keeps the quorums overlapping.
struct Schedule {
  const char* name;
  std::uint64_t voters;
  const char* first;
  const char* second;
};

TEST(MembershipChangeTest, TwoLeadersInTurnDoNotMakeDisjointQuorums) {
  for (const Schedule& s : {Schedule{"two additions", 4, "voter 5", "voter 6"},
                            Schedule{"an addition and a removal", 2, "voter 3", "remove 1"},
                            Schedule{"two removals", 5, "remove 5", "remove 4"}}) {
    SCOPED_TRACE(s.name);
    TestShard shard(s.voters, WithoutLease());
    ASSERT_TRUE(shard.Elect(1));
    // 1 appends the first change and reaches nobody.
    shard.Isolate(1);
    shard.Change(1, s.first);
    // 2 leads in the next term, starts from the same members and makes the second change.
    shard.Heal();
    shard.filter = [](const Envelope& e) { return e.from != ReplicaId{1} && e.to != ReplicaId{1}; };
    for (int i = 0; i < 40 && shard.raft(2).role() != Role::kLeader; ++i) shard.Tick(2);
    if (shard.raft(2).role() == Role::kLeader) shard.Change(2, s.second);
    const History committed = shard[2].history();
    // 1 tries to lead again with its own change in the log.
    shard.filter = nullptr;
    for (int i = 0; i < 60; ++i) shard.Tick(1);
    shard.TickAll(40);
    const std::uint64_t leader = shard.Leader();
    ASSERT_NE(leader, 0u);
    shard.Propose(leader, "after");
    shard.TickAll(5);
    for (const auto& [id, replica] : shard.replicas()) {
      const History& history = replica->history();
      for (std::size_t i = 0; i < std::min(history.size(), committed.size()); ++i) {
        ASSERT_EQ(history[i], committed[i]) << "replica " << id << " at " << i + 1;
      }
    }
  }
}

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
