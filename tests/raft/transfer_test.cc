// SPDX-License-Identifier: Apache-2.0
#include <functional>
#include <map>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "raft/test_shard.h"

namespace drumbeat::raft::testing {
namespace {

class TransferTest : public ::testing::Test {
 protected:
  /// A new shard, which replica 1 leads.
  template <class... Arguments>
  TestShard& Led(const Arguments&... arguments) {
    shard_.emplace(arguments...);
    EXPECT_TRUE(shard_->Elect(1));
    return *shard_;
  }
  /// Asks replica `at`, and waits for what comes of it.
  void Transfer(std::uint64_t at, std::uint64_t target) {
    shard_->raft(at).TransferLeadership(ReplicaId(target));
    shard_->Settle();
  }
  /// Whom replica 1 is handing over to.
  ReplicaId Target() { return shard_->raft(1).status().transfer_target; }

 private:
  std::optional<TestShard> shard_;
};

TEST_F(TransferTest, ATargetThatHasEverythingIsToldAtOnce) {
  TestShard& shard = Led(3);
  shard.raft(1).TransferLeadership(ReplicaId{2});
  const Output output = shard[1].Take();
  const auto told = Only<TimeoutNow>(output.messages_after_save);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].to, ReplicaId{2});
}

TEST_F(TransferTest, ATargetThatLagsIsBroughtUpFirst) {
  TestShard& shard = Led(3);
  shard.Isolate(2);
  for (int i = 0; i < 5; ++i) shard.Propose(1, "a");
  Transfer(1, 2);
  EXPECT_EQ(shard.Leader(), 1u);
  shard.Heal();
  shard.TickAll(3);
  EXPECT_EQ(shard.Leader(), 2u);
  EXPECT_EQ(shard[2].history(), shard[1].history());
}

TEST_F(TransferTest, ATargetThatCouldNotCampaignIsToldAgain) {
  TestShard& shard = Led(3);
  shard.Cut(1, 2);
  Transfer(1, 2);
  ASSERT_EQ(shard.Leader(), 1u) << "what it was told is lost";
  shard.Heal();
  shard.TickAll(TestShard::DefaultOptions().heartbeat_ticks);
  EXPECT_EQ(shard.Leader(), 2u);
}

TEST_F(TransferTest, TheTargetsCampaignOverridesLeasesAndSkipsPreVote) {
  Options options = TestShard::DefaultOptions();
  options.pre_vote = true;
  TestShard& shard = Led(3, options);
  shard.sent.clear();
  Transfer(1, 3);
  EXPECT_EQ(shard.Leader(), 3u);
  EXPECT_TRUE(Only<RequestPreVote>(shard.sent).empty());
  for (const Envelope& e : Only<RequestVote>(shard.sent)) {
    EXPECT_TRUE(std::get<RequestVote>(e.message).transfer);
  }
}

TEST_F(TransferTest, ProposalsAreDroppedMeanwhileAndReadsAreNot) {
  TestShard& shard = Led(3);
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
TEST_F(TransferTest, IsGivenUpAfterAnElectionTimeout) {
  TestShard& shard = Led(3);
  shard.Cut(1, 2);
  Transfer(1, 2);
  EXPECT_EQ(Target(), ReplicaId{2});
  shard.Tick(1, 9);
  EXPECT_EQ(Target(), ReplicaId{2});
  shard.Tick(1, 1);
  EXPECT_EQ(Target(), ReplicaId{0});
  shard.Propose(1, "a");
  EXPECT_EQ(shard[1].history().back(), "2/a");
}

TEST_F(TransferTest, OnlyOneAtATime) {
  TestShard& shard = Led(3);
  shard.Cut(1, 2);
  shard.raft(1).TransferLeadership(ReplicaId{2});
  shard.raft(1).TransferLeadership(ReplicaId{3});
  EXPECT_EQ(Target(), ReplicaId{2});
}

TEST_F(TransferTest, OnlyVotersButOneselfAreTargets) {
  TestShard& shard = Led(Members({1, 2}, {3}, {4}));
  for (std::uint64_t target : {1u, 3u, 4u, 9u}) {
    shard.raft(1).TransferLeadership(ReplicaId{target});
    EXPECT_EQ(Target(), ReplicaId{0}) << target;
  }
}

/// Replica 1 leads, and is asked to hand over to replica 4 right before it applies the change that
/// makes 4 a voter: another replica has applied it already.
class AskedEarlyTest : public ::testing::Test {
 protected:
  void Begin(TestShard& shard) {
    ASSERT_TRUE(shard.Elect(1));
    shard[1].on_apply = [&](const Entry&) {
      shard.raft(1).Step(Make(2, 1, 0, LeaderTransferRequest{.target = ReplicaId{4}}));
      if (meanwhile_) meanwhile_(shard.raft(1));
    };
  }
  std::function<void(Raft&)> meanwhile_;
};

TEST_F(AskedEarlyTest, AVoterThatTheLeaderHasNotAppliedYetIsATarget) {
  TestShard shard(3);
  Begin(shard);
  shard.Join(4);
  shard.Change(1, "voter 4");
  shard.TickAll(3);
  EXPECT_EQ(shard.Leader(), 4u);
}

TEST_F(AskedEarlyTest, SoIsOneWhosePromotionItHasNotApplied) {
  TestShard shard(Members({1, 2, 3}, {4}));
  Begin(shard);
  shard.Change(1, "voter 4");
  shard.TickAll(3);
  EXPECT_EQ(shard.Leader(), 4u);
}

// A new leader learns last of all what is committed.
TEST_F(AskedEarlyTest, SoIsOneOfWhichItDoesNotKnowThatItIsCommitted) {
  TestShard shard(Members({1, 2, 3}, {4}));
  ASSERT_TRUE(shard.Elect(1));
  shard.raft(1).Propose({Change("voter 4")});
  shard.raft(1).Step(Make(2, 1, 0, LeaderTransferRequest{.target = ReplicaId{4}}));
  shard.Settle();
  shard.TickAll(3);
  EXPECT_EQ(shard.Leader(), 4u);
}

TEST_F(AskedEarlyTest, NotWhenTheChangeMakesItNoVoter) {
  TestShard shard(3);
  Begin(shard);
  shard.Change(1, "nonvoting 4");
  EXPECT_EQ(shard.raft(1).status().transfer_target, ReplicaId{0});
  shard.Change(1, "voter 4");
  EXPECT_EQ(shard.raft(1).status().transfer_target, ReplicaId{4}) << "asked again";
}

TEST_F(AskedEarlyTest, ItIsForgottenBetweenOneAndTwoElectionTimeouts) {
  for (const int ticks : {9, 20}) {
    Options options = TestShard::DefaultOptions();
    options.check_quorum = false;
    TestShard shard(3, options);
    Begin(shard);
    meanwhile_ = [&](Raft& leader) {
      for (int i = 0; i < ticks; ++i) leader.Tick();
    };
    shard.Change(1, "voter 4");
    EXPECT_EQ(shard.raft(1).status().transfer_target, ReplicaId(ticks == 9 ? 4 : 0)) << ticks;
  }
}

TEST_F(AskedEarlyTest, ItIsForgottenWithTheLeadership) {
  TestShard shard(3);
  Begin(shard);
  meanwhile_ = [&](Raft& leader) {
    leader.Step(Make(2, 1, leader.term().value() + 1, Heartbeat{}));
  };
  shard.sent.clear();
  shard.Change(1, "voter 4");
  EXPECT_EQ(shard.raft(1).role(), Role::kFollower);
  EXPECT_TRUE(Only<LeaderTransferRequest>(shard.sent).empty()) << "not passed on either";
}

TEST_F(TransferTest, TargetZeroIsTheBestVoterThatIsAlive) {
  TestShard& shard = Led(Members({1, 2, 3, 4, 5}, {6}));
  shard.TickAll(2);
  shard.Isolate(2);
  shard.Propose(1, "a");
  shard.TickAll(21);
  // 2 lags and is silent.
  shard.raft(1).TransferLeadership(ReplicaId{0});
  EXPECT_EQ(Target(), ReplicaId{3});
}

TEST_F(TransferTest, TargetZeroWithNobodyElseDoesNothing) {
  TestShard& shard = Led(1);
  shard.raft(1).TransferLeadership(ReplicaId{0});
  shard.Propose(1, "a");
  EXPECT_EQ(shard[1].history().back(), "2/a");
}

TEST_F(TransferTest, FollowersPassTheRequestOn) {
  TestShard& shard = Led(Members({1, 2, 3}, {4}));
  Transfer(2, 3);
  EXPECT_EQ(shard.Leader(), 3u);
  Transfer(4, 2);
  EXPECT_EQ(shard.Leader(), 2u);
}

TEST_F(TransferTest, ARemovedTargetEndsIt) {
  TestShard& shard = Led(4);
  shard.Cut(1, 4);
  shard.raft(1).Propose({Change("remove 4")});
  Transfer(1, 4);
  EXPECT_EQ(Target(), ReplicaId{0});
  EXPECT_EQ(shard.Leader(), 1u);
}

TEST_F(TransferTest, UnderLoadEveryCommittedProposalSurvives) {
  TestShard& shard = Led(3);
  for (std::uint64_t round = 0; round < 60; ++round) {
    const std::uint64_t leader = shard.WaitForLeader();
    ASSERT_NE(leader, 0u);
    for (std::uint64_t i = 0; i < 3; ++i) {
      shard.raft(leader).Propose({Command("command " + std::to_string(3 * round + i))});
    }
    shard.raft(leader).TransferLeadership(ReplicaId{1 + round % 3});
    shard.Settle();
    shard.TickAll(2);
  }
  shard.TickAll(5);
  EXPECT_EQ(shard[1].history(), shard[2].history());
  EXPECT_EQ(shard[1].history(), shard[3].history());
  std::map<std::string, int> times;
  for (const std::string& line : shard[1].history()) ++times[line.substr(line.find('/') + 1)];
  for (int i = 0; i < 180; ++i) EXPECT_EQ(times["command " + std::to_string(i)], 1) << i;
}

/// Replica 2 has committed a change that its state machine has yet to apply, and is told to
/// campaign.
class ToldEarlyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(shard_.Elect(1));
    term_ = shard_.raft(1).term().value();
    const Status before = shard_.raft(2).status();
    Entry change = Change("remove 1");
    change.term = Term(term_);
    change.index = before.last_index + 1;
    Hear(1, term_,
         AppendEntries{.previous = before.last_index,
                       .previous_term = Term(term_),
                       .commit = change.index,
                       .entries = {change}});
    Output output = shard_[2].Take();
    shard_[2].Save(output);
    shard_[2].Finish(output);
    Hear(1, term_, TimeoutNow{});
    ASSERT_EQ(shard_.raft(2).role(), Role::kFollower);
  }
  void Hear(std::uint64_t from, std::uint64_t term, Message message) {
    shard_.raft(2).Step(Make(from, 2, term, std::move(message)));
  }

  TestShard shard_{3};
  std::uint64_t term_ = 0;
};

TEST_F(ToldEarlyTest, ItCampaignsOnceItHasApplied) {
  shard_[2].Apply();
  EXPECT_EQ(shard_.raft(2).role(), Role::kCandidate);
  for (const Envelope& e : Only<RequestVote>(shard_[2].Take().messages_after_save)) {
    EXPECT_TRUE(std::get<RequestVote>(e.message).transfer);
  }
}

TEST_F(ToldEarlyTest, NotUnderALeaderThatGoesOn) {
  Hear(1, term_, Heartbeat{});
  shard_[2].Apply();
  EXPECT_EQ(shard_.raft(2).role(), Role::kFollower);
}

TEST_F(ToldEarlyTest, NotInALaterTerm) {
  Hear(3, term_ + 1, RequestVote{.last_index = Index{1}, .last_term = Term{1}, .transfer = true});
  ASSERT_EQ(shard_.raft(2).term(), Term(term_ + 1));
  shard_[2].Apply();
  EXPECT_EQ(shard_.raft(2).role(), Role::kFollower);
}

TEST_F(TransferTest, ALeaderThatIsRemovedNamesItsSuccessorAtOnce) {
  for (const std::uint64_t voters : {2u, 3u, 4u, 5u}) {
    TestShard& shard = Led(voters);
    shard.Change(1, "remove 1");
    EXPECT_GT(shard.Leader(), 1u) << "no time has passed; voters: " << voters;
  }
}

TEST_F(TransferTest, ARemovedLeadersSuccessorHoldsWhatIsCommitted) {
  TestShard& shard = Led(5);
  shard.Cut(1, 2);
  shard.Change(1, "remove 1");
  EXPECT_EQ(shard.Leader(), 3u);
}

// 3 and 4 have not been heard of since the last check of the quorum, 2 has, but lags.
TEST_F(TransferTest, ARemovedLeadersSuccessorRatherHoldsItThanBeKnownToBeAlive) {
  TestShard& shard = Led(4);
  shard.Cut(1, 2);
  shard.raft(1).Propose({Change("remove 1")});
  shard[1].on_apply = [&](const Entry&) {
    for (int i = 0; i < 10; ++i) shard.raft(1).Tick();
    shard.raft(1).Step(Make(2, 1, shard.raft(1).term().value(), HeartbeatReply{}));
  };
  shard.sent.clear();
  shard.Settle();
  const auto told = Only<TimeoutNow>(shard.sent);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].to, ReplicaId{3});
}

// Two who are told would take each other's votes.
TEST_F(TransferTest, ALeaderThatIsRemovedAmidATransferTellsNobodyElse) {
  TestShard& shard = Led(3);
  shard.filter = [](const Envelope& e) { return !std::holds_alternative<TimeoutNow>(e.message); };
  shard[1].on_apply = [&](const Entry&) { shard.raft(1).TransferLeadership(ReplicaId{3}); };
  shard.Change(1, "remove 1");
  const auto told = Only<TimeoutNow>(shard.sent);
  ASSERT_EQ(told.size(), 2u) << "by the transfer, and again as it leaves";
  for (const Envelope& e : told) EXPECT_EQ(e.to, ReplicaId{3});
}

// Nobody counts as alive between a check of the quorum and the next answers.
TEST_F(TransferTest, TargetZeroIsFoundRightBehindACheckOfTheQuorum) {
  TestShard& shard = Led(3);
  while (shard.raft(1).status().members.at(1).active) shard.raft(1).Tick();
  shard.raft(1).TransferLeadership(ReplicaId{0});
  EXPECT_TRUE(Target());
}

// W: only the leader of the term may say so.
TEST_F(TransferTest, TimeoutNowOfSomebodyElseIsIgnored) {
  TestShard& shard = Led(3);
  const std::uint64_t term = shard.raft(1).term().value();
  shard.Deliver(Make(3, 2, term, TimeoutNow{}));
  EXPECT_EQ(shard.raft(2).role(), Role::kFollower);
  shard.Deliver(Make(1, 2, term, TimeoutNow{}));
  EXPECT_EQ(shard.raft(2).role(), Role::kCandidate);
}

}  // namespace
}  // namespace drumbeat::raft::testing
