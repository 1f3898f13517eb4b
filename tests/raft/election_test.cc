// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "base/random.h"
#include "raft/answer.h"
#include "raft/test_shard.h"

namespace drumbeat::raft::testing {
namespace {

bool Granted(const std::optional<Envelope>& answer) {
  return answer && !std::get<VoteReply>(answer->message).rejected;
}

// B-08.
TEST(ElectionTest, ShardsOfEverySizeElectALeader) {
  for (std::uint64_t voters = 1; voters <= 5; ++voters) {
    for (const bool pre_vote : {false, true}) {
      TestShard shard(voters, With(true, pre_vote));
      EXPECT_NE(shard.WaitForLeader(), 0u) << voters << " voters, pre-vote " << pre_vote;
    }
  }
}

// Raft section 5.2: timeouts are spread, so that votes are seldom split.
TEST(ElectionTest, TimeoutsAreDrawnBetweenOnceAndTwiceTheConfiguredOne) {
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Options options = TestShard::DefaultOptions();
    TestShard shard(2, options);
    shard[1].options().seed = seed;
    shard[1].Crash();
    shard[1].Start();
    shard.Settle();
    std::uint64_t ticks = 0;
    while (shard.raft(1).role() == Role::kFollower && ticks < 100) {
      shard.raft(1).Tick();
      ++ticks;
    }
    ASSERT_GE(ticks, 10u);
    ASSERT_LE(ticks, 19u);
    seen.insert(ticks);
  }
  EXPECT_EQ(seen.size(), 10u);
}

TEST(ElectionTest, ACandidateAsksEveryOtherVoterAndWitness) {
  TestShard shard(Members({1, 2}, {3}, {4}));
  shard.filter = [](const Envelope&) { return false; };
  while (shard.raft(1).role() == Role::kFollower) shard.Tick(1);
  std::set<std::uint64_t> asked;
  for (const Envelope& request : Only<RequestVote>(shard.sent)) {
    asked.insert(request.to.value());
    EXPECT_EQ(request.term, Term{2});
    EXPECT_FALSE(std::get<RequestVote>(request.message).transfer);
  }
  EXPECT_EQ(asked, (std::set<std::uint64_t>{2, 4}));
}

TEST(ElectionTest, AVoteGoesToTheFirstWhoseLogIsAsGood) {
  struct Row {
    std::uint64_t index, term;
    bool granted;
  };
  // The voter's log is 3 founding entries of term 1.
  for (const Row& row :
       {Row{3, 1, true}, Row{4, 1, true}, Row{1, 2, true}, Row{2, 1, false}, Row{0, 0, false}}) {
    TestShard shard(3);
    EXPECT_EQ(Granted(Answer<VoteReply>(shard, Make(2, 1, 5, Ask(row.index, row.term)))),
              row.granted)
        << row.index << " of term " << row.term;
  }
}

TEST(ElectionTest, OneVoteATerm) {
  TestShard shard(3);
  EXPECT_TRUE(Granted(Answer<VoteReply>(shard, Make(2, 1, 5, Ask(3, 1)))));
  EXPECT_FALSE(Granted(Answer<VoteReply>(shard, Make(3, 1, 5, Ask(9, 4)))));
  // B-06: the same candidate, again.
  EXPECT_TRUE(Granted(Answer<VoteReply>(shard, Make(2, 1, 5, Ask(3, 1)))));
  EXPECT_TRUE(Granted(Answer<VoteReply>(shard, Make(3, 1, 6, Ask(9, 4)))));
}

// A candidate that does not hear the answers asks for ever. Each time its timeout and the voter's
// are as likely to be the shorter one.
TEST(ElectionTest, AVoterGetsItsTurnBesideACandidateThatCannotWin) {
  base::Random candidate(1);
  std::uint64_t all = 0;
  std::uint64_t longest = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    TestShard shard(3);
    shard[1].options().seed = seed;
    shard[1].Crash();
    shard[1].Start();
    shard.Settle();
    shard.filter = [](const Envelope& envelope) { return envelope.to == ReplicaId{1}; };
    std::uint64_t rounds = 0;
    while (shard.raft(1).role() == Role::kFollower && rounds < 100) {
      ASSERT_TRUE(Granted(Answer<VoteReply>(shard, Make(2, 1, 5 + rounds++, Ask(3, 1)))));
      shard.Tick(1, 10 + candidate.Below(10));
    }
    all += rounds;
    longest = std::max(longest, rounds);
  }
  EXPECT_LT(all, 300 * 2);
  EXPECT_LE(longest, 12u);
}

TEST(ElectionTest, AVoteSurvivesARestart) {
  TestShard shard(3);
  EXPECT_TRUE(Granted(Answer<VoteReply>(shard, Make(2, 1, 5, Ask(3, 1)))));
  shard[1].Crash();
  shard[1].Start();
  EXPECT_FALSE(Granted(Answer<VoteReply>(shard, Make(3, 1, 5, Ask(3, 1)))));
  EXPECT_TRUE(Granted(Answer<VoteReply>(shard, Make(2, 1, 5, Ask(3, 1)))));
}

// B-05.
TEST(ElectionTest, AVoteIsDurableBeforeItIsSent) {
  TestShard shard(3);
  shard.Deliver(Make(2, 1, 5, Ask(3, 1)));
  const Output output = shard[1].Take();
  EXPECT_TRUE(output.messages_now.empty());
  ASSERT_EQ(output.messages_after_save.size(), 1u);
  EXPECT_TRUE(output.must_sync);
  ASSERT_TRUE(output.hard_state);
  EXPECT_EQ(output.hard_state->term, Term{5});
  EXPECT_EQ(output.hard_state->vote, ReplicaId{2});
}

// B-01.
TEST(ElectionTest, SteppingDownWithinATermKeepsTheVote) {
  TestShard shard(3);
  shard.filter = [](const Envelope&) { return false; };
  while (shard.raft(1).role() == Role::kFollower) shard.Tick(1);
  const std::uint64_t term = shard.raft(1).term().value();
  shard.filter = nullptr;
  shard.Deliver(Make(2, 1, term, VoteReply{.rejected = true}));
  shard.Deliver(Make(3, 1, term, VoteReply{.rejected = true}));
  ASSERT_EQ(shard.raft(1).role(), Role::kFollower);
  EXPECT_FALSE(Granted(Answer<VoteReply>(shard, Make(3, 1, term, Ask(9, 1)))));
}

// B-02.
TEST(ElectionTest, ALeaderThatSeesAHigherTermDoesNotVoteForAWorseLog) {
  TestShard shard(3, With(false, false));
  ASSERT_TRUE(shard.Elect(1));
  const std::uint64_t term = shard.raft(1).term().value() + 1;
  EXPECT_FALSE(Granted(Answer<VoteReply>(shard, Make(2, 1, term, Ask(3, 1)))));
  EXPECT_EQ(shard.raft(1).role(), Role::kFollower);
  EXPECT_EQ(shard.raft(1).term(), Term{term});
  EXPECT_EQ(shard.raft(1).status().vote, ReplicaId{0});
}

// B-07.
TEST(ElectionTest, ACandidateYieldsToALeaderOfItsTermButNotOfAnOlderOne) {
  TestShard shard(3);
  shard.filter = [](const Envelope&) { return false; };
  while (shard.raft(1).role() == Role::kFollower) shard.Tick(1);
  while (shard.raft(1).term() < Term{10}) shard.Tick(1);
  ASSERT_EQ(shard.raft(1).role(), Role::kCandidate);
  shard.filter = nullptr;
  shard.Deliver(Make(2, 1, 3, Heartbeat{}));
  EXPECT_EQ(shard.raft(1).role(), Role::kCandidate);
  EXPECT_EQ(shard.raft(1).term(), Term{10});
  shard.Deliver(Make(2, 1, 10, Heartbeat{}));
  EXPECT_EQ(shard.raft(1).role(), Role::kFollower);
  EXPECT_EQ(shard.raft(1).leader(), ReplicaId{2});
  EXPECT_EQ(shard.raft(1).term(), Term{10});
}

TEST(ElectionTest, RepeatedAnswersOfOneVoterMakeNoMajority) {
  TestShard shard(5);
  shard.filter = [](const Envelope&) { return false; };
  while (shard.raft(1).role() == Role::kFollower) shard.Tick(1);
  shard.filter = nullptr;
  const std::uint64_t term = shard.raft(1).term().value();
  for (int i = 0; i < 5; ++i) shard.Deliver(Make(2, 1, term, VoteReply{}));
  EXPECT_EQ(shard.raft(1).role(), Role::kCandidate);
  shard.Deliver(Make(9, 1, term, VoteReply{}));  // a stranger
  EXPECT_EQ(shard.raft(1).role(), Role::kCandidate);
  shard.Deliver(Make(3, 1, term - 1, VoteReply{}));  // an older question
  EXPECT_EQ(shard.raft(1).role(), Role::kCandidate);
  shard.Deliver(Make(3, 1, term, VoteReply{}));
  EXPECT_EQ(shard.raft(1).role(), Role::kLeader);
}

TEST(ElectionTest, NonVotingMembersVoteButDoNotCount) {
  TestShard shard(Members({1, 2, 3}, {4}));
  shard.filter = [](const Envelope&) { return false; };
  while (shard.raft(1).role() == Role::kFollower) shard.Tick(1);
  shard.filter = nullptr;
  const std::uint64_t term = shard.raft(1).term().value();
  shard.Deliver(Make(4, 1, term, VoteReply{}));
  EXPECT_EQ(shard.raft(1).role(), Role::kCandidate);
  // B-17, M-12: it may have been promoted without knowing.
  EXPECT_TRUE(Granted(Answer<VoteReply>(shard, Make(1, 4, term, Ask(4, 1)))));
}

TEST(ElectionTest, NorDoTheirPreVotes) {
  Options options = TestShard::DefaultOptions();
  options.pre_vote = true;
  TestShard shard(Members({1, 2, 3}, {4}), options);
  shard.filter = [](const Envelope&) { return false; };
  while (shard.raft(1).role() == Role::kFollower) shard.Tick(1);
  ASSERT_EQ(shard.raft(1).role(), Role::kPreCandidate);
  shard.filter = nullptr;
  const std::uint64_t term = shard.raft(1).term().value();
  shard.Deliver(Make(4, 1, term + 1, PreVoteReply{}));
  EXPECT_EQ(shard.raft(1).role(), Role::kPreCandidate);
  shard.Deliver(Make(2, 1, term + 1, PreVoteReply{}));
  EXPECT_EQ(shard.raft(1).role(), Role::kCandidate);
}

TEST(ElectionTest, NonVotingMembersAndWitnessesNeverCampaign) {
  TestShard shard(Members({1}, {2}, {3}));
  shard[1].Crash();
  shard.TickAll(200);
  EXPECT_EQ(shard.raft(2).role(), Role::kNonVoting);
  EXPECT_EQ(shard.raft(3).role(), Role::kWitness);
  shard.Deliver(Make(1, 2, 1, TimeoutNow{}));
  shard.Deliver(Make(1, 3, 1, TimeoutNow{}));
  EXPECT_EQ(shard.raft(2).role(), Role::kNonVoting);
  EXPECT_EQ(shard.raft(3).role(), Role::kWitness);
  EXPECT_EQ(shard.raft(2).term(), Term{1});
}

TEST(ElectionTest, AWitnessHelpsToElect) {
  TestShard shard(Members({1, 2}, {}, {3}));
  shard[2].Crash();
  EXPECT_TRUE(shard.Elect(1));
}

TEST(ElectionTest, AReplicaWithoutMembersWaits) {
  TestShard shard(1);
  shard.Join(2);
  shard.Tick(2, 500);
  EXPECT_EQ(shard.raft(2).role(), Role::kFollower);
  EXPECT_EQ(shard.raft(2).term(), Term{0});
}

// -- Leases ---------------------------------------------------------------------------------------

TEST(ElectionTest, AMemberThatHearsItsLeaderDoesNotVoteAgainstIt) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  const std::uint64_t term = shard.raft(2).term().value() + 5;
  EXPECT_FALSE(Answer<VoteReply>(shard, Make(3, 2, term, Ask(99, 9))));
  EXPECT_FALSE(Answer<VoteReply>(shard, Make(3, 1, term, Ask(99, 9)))) << "the leader itself";
  EXPECT_LT(shard.raft(2).term(), Term{term});
  EXPECT_EQ(shard.raft(1).role(), Role::kLeader);
}

TEST(ElectionTest, AHandoverOverridesTheLease) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  const std::uint64_t term = shard.raft(2).term().value() + 1;
  EXPECT_TRUE(Granted(Answer<VoteReply>(shard, Make(3, 2, term, Ask(99, 2, true)))));
}

TEST(ElectionTest, TheLeaseEndsAnElectionTimeoutAfterTheLeaderWasHeard) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.Isolate(1);
  const std::uint64_t term = shard.raft(2).term().value() + 5;
  for (int tick = 0; tick < 9; ++tick) shard.raft(2).Tick();
  EXPECT_FALSE(Answer<VoteReply>(shard, Make(3, 2, term, Ask(99, 2))));
  shard.raft(2).Tick();
  EXPECT_TRUE(Granted(Answer<VoteReply>(shard, Make(3, 2, term, Ask(99, 2)))));
}

TEST(ElectionTest, WithoutCheckQuorumThereIsNoLease) {
  TestShard shard(3, With(false, false));
  ASSERT_TRUE(shard.Elect(1));
  const std::uint64_t term = shard.raft(2).term().value() + 5;
  EXPECT_TRUE(Granted(Answer<VoteReply>(shard, Make(3, 2, term, Ask(99, 2)))));
}

TEST(ElectionTest, ALeaderWithoutAQuorumStepsDownWithinTwoTimeouts) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  const Term term = shard.raft(1).term();
  shard.Isolate(1);
  shard.Tick(1, 20);
  EXPECT_EQ(shard.raft(1).role(), Role::kFollower);
  EXPECT_EQ(shard.raft(1).term(), term);
  EXPECT_EQ(shard.raft(1).leader(), ReplicaId{0});
}

TEST(ElectionTest, OneLostFollowerOfThreeIsNoReasonToStepDown) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.Isolate(3);
  shard.TickAll(100);
  EXPECT_EQ(shard.raft(1).role(), Role::kLeader);
}

TEST(ElectionTest, NonVotingMembersDoNotKeepALeaderUp) {
  TestShard shard(Members({1, 2}, {3, 4}));
  ASSERT_TRUE(shard.Elect(1));
  shard[2].Crash();
  shard.TickAll(25);
  EXPECT_EQ(shard.raft(1).role(), Role::kFollower);
}

TEST(ElectionTest, WithoutCheckQuorumALeaderStays) {
  TestShard shard(3, With(false, false));
  ASSERT_TRUE(shard.Elect(1));
  shard.Isolate(1);
  shard.Tick(1, 100);
  EXPECT_EQ(shard.raft(1).role(), Role::kLeader);
}

// B-12: any message of the leader counts, not only appends that fit.
TEST(ElectionTest, AFollowerThatOnlyRefusesDoesNotCampaign) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  const std::uint64_t term = shard.raft(2).term().value();
  for (int tick = 0; tick < 200; ++tick) {
    shard.raft(2).Tick();
    AppendEntries beyond{
        .previous = Index{1000}, .previous_term = Term{term}, .commit = {}, .entries = {}};
    shard.Deliver(Make(1, 2, term, beyond));
    ASSERT_EQ(shard.raft(2).role(), Role::kFollower);
  }
}

// B-14: check-quorum voters do not listen to a candidate with a higher term, so it must be told.
TEST(ElectionTest, ACandidateWithAHigherTermIsTakenBack) {
  for (const bool pre_vote : {false, true}) {
    TestShard shard(3, With(true, pre_vote));
    ASSERT_TRUE(shard.Elect(1));
    shard.Isolate(3);
    shard.TickAll(200);
    shard.Heal();
    shard.TickAll(60);
    const std::uint64_t leader = shard.Leader();
    ASSERT_NE(leader, 0u);
    EXPECT_EQ(shard.raft(3).leader(), ReplicaId{leader}) << "pre-vote " << pre_vote;
    EXPECT_EQ(shard.raft(3).term(), shard.raft(leader).term());
  }
}

// -- Pre-vote -------------------------------------------------------------------------------------

TEST(ElectionTest, PreVoteKeepsTheTermOfAnIsolatedReplica) {
  TestShard shard(3, With(true, true));
  ASSERT_TRUE(shard.Elect(1));
  const Term term = shard.raft(1).term();
  shard.Isolate(3);
  shard.TickAll(300);
  EXPECT_EQ(shard.raft(3).term(), term);
  shard.Heal();
  shard.TickAll(30);
  EXPECT_EQ(shard.raft(1).role(), Role::kLeader);
  EXPECT_EQ(shard.raft(1).term(), term);
}

TEST(ElectionTest, APreVoteChangesNothingAtTheVoter) {
  TestShard shard(3, With(true, true));
  const RequestPreVote ask{.last_index = Index{3}, .last_term = Term{1}};
  const auto first = Answer<PreVoteReply>(shard, Make(2, 1, 7, ask));
  ASSERT_TRUE(first);
  EXPECT_FALSE(std::get<PreVoteReply>(first->message).rejected);
  EXPECT_EQ(first->term, Term{7}) << "a grant repeats the term that was asked for";
  const auto second = Answer<PreVoteReply>(shard, Make(3, 1, 7, ask));
  ASSERT_TRUE(second);
  EXPECT_FALSE(std::get<PreVoteReply>(second->message).rejected);
  EXPECT_EQ(shard.raft(1).term(), Term{1});
  EXPECT_EQ(shard.raft(1).status().vote, ReplicaId{0});
}

TEST(ElectionTest, APreVoteForAWorseLogIsRefusedInTheOwnTerm) {
  TestShard shard(3, With(true, true));
  const RequestPreVote ask{.last_index = Index{1}, .last_term = Term{1}};
  const auto answer = Answer<PreVoteReply>(shard, Make(2, 1, 7, ask));
  ASSERT_TRUE(answer);
  EXPECT_TRUE(std::get<PreVoteReply>(answer->message).rejected);
  EXPECT_EQ(answer->term, Term{1});
}

TEST(ElectionTest, APreVoteForATermThatHasBegunIsRefused) {
  TestShard shard(3, With(true, true));
  Answer<VoteReply>(shard, Make(2, 1, 9, Ask(3, 1)));
  const RequestPreVote ask{.last_index = Index{30}, .last_term = Term{8}};
  const auto answer = Answer<PreVoteReply>(shard, Make(3, 1, 9, ask));
  ASSERT_TRUE(answer);
  EXPECT_TRUE(std::get<PreVoteReply>(answer->message).rejected);
}

TEST(ElectionTest, APreVoteOfAnOlderTermIsToldTheNewerOne) {
  TestShard shard(3, With(true, true));
  Answer<VoteReply>(shard, Make(2, 1, 9, Ask(3, 1)));
  const RequestPreVote ask{.last_index = Index{3}, .last_term = Term{1}};
  const auto answer = Answer<NoOp>(shard, Make(3, 1, 5, ask));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->term, Term{9});
}

// Where Dragonboat ends.
TEST(ElectionTest, APreVoteIsAnsweredAlsoWithTheOptionOff) {
  TestShard shard(3, With(true, false));
  const RequestPreVote ask{.last_index = Index{3}, .last_term = Term{1}};
  EXPECT_TRUE(Answer<PreVoteReply>(shard, Make(2, 1, 7, ask)));
  shard.Deliver(Make(2, 1, 7, PreVoteReply{}));
  EXPECT_EQ(shard.raft(1).term(), Term{1});
}

// B-09.
TEST(ElectionTest, AFormerLeaderCanComeBackByPreVote) {
  TestShard shard(3, With(true, true));
  ASSERT_TRUE(shard.Elect(1));
  shard[3].Crash();
  shard.Cut(1, 2);
  shard.TickAll(25);
  ASSERT_EQ(shard.Leader(), 0u);
  shard.Heal();
  EXPECT_NE(shard.WaitForLeader(), 0u);
}

// B-10.
TEST(ElectionTest, AReplicaWithAnOlderTermHelpsByPreVote) {
  TestShard shard(4, With(true, true));
  ASSERT_TRUE(shard.Elect(1));
  shard[4].Crash();
  shard.raft(1).TransferLeadership(ReplicaId{2});
  shard.Settle();
  ASSERT_EQ(shard.Leader(), 2u);
  shard[2].Crash();
  shard[4].Start();
  EXPECT_NE(shard.WaitForLeader(), 0u);
}

// B-11.
TEST(ElectionTest, GrantsForAnOlderPreVoteDoNotCount) {
  TestShard shard(3, With(true, true));
  shard.filter = [](const Envelope&) { return false; };
  while (shard.raft(1).role() == Role::kFollower) shard.Tick(1);
  ASSERT_EQ(shard.raft(1).role(), Role::kPreCandidate);
  EXPECT_EQ(shard.raft(1).leader(), ReplicaId{0});
  shard.filter = nullptr;
  shard.Deliver(Make(2, 1, 9, PreVoteReply{}));
  EXPECT_EQ(shard.raft(1).role(), Role::kPreCandidate);
  shard.Deliver(Make(2, 1, 2, PreVoteReply{}));
  EXPECT_EQ(shard.raft(1).role(), Role::kCandidate);
  // What was granted to the pre-candidate is no vote for the candidate.
  EXPECT_EQ(shard.raft(1).term(), Term{2});
  shard.Deliver(Make(3, 1, 2, PreVoteReply{}));
  EXPECT_EQ(shard.raft(1).role(), Role::kCandidate);
}

TEST(ElectionTest, ShardsWhereOnlySomeUsePreVoteElectALeader) {
  TestShard shard(3, With(true, true));
  shard[2].options().pre_vote = false;
  shard[2].Crash();
  shard[2].Start();
  const std::uint64_t leader = shard.WaitForLeader();
  ASSERT_NE(leader, 0u);
  shard[leader].Crash();
  EXPECT_NE(shard.WaitForLeader(), 0u);
}

// M-08.
TEST(ElectionTest, AReplicaThatIsKnownToBeRemovedIsNotVotedFor) {
  TestShard shard(3, With(false, false));
  ASSERT_TRUE(shard.Elect(1));
  shard.Isolate(3);
  shard.Change(1, "remove 3");
  shard.TickAll(2);
  ASSERT_TRUE(shard[2].members().removed.contains(ReplicaId{3}));
  EXPECT_FALSE(Answer<VoteReply>(shard, Make(3, 2, 50, Ask(99, 9))));
  EXPECT_LT(shard.raft(2).term(), Term{50});
}

}  // namespace
}  // namespace drumbeat::raft::testing
