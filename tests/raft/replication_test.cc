// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <gtest/gtest.h>

#include "raft/alone_leader.h"

namespace drumbeat::raft::testing {
namespace {

// -- Commit ---------------------------------------------------------------------------------------

TEST(ReplicationTest, AMajorityCommits) {
  AloneLeader leader;
  leader.shard.Propose(1, "a");
  EXPECT_EQ(leader.shard.raft(1).committed(), Index{leader.last});
  leader.Answer(2, leader.last + 1);
  EXPECT_EQ(leader.shard.raft(1).committed(), Index{leader.last + 1});
}

// Raft figure 3.7 (B-19): an entry of an older term on a majority is not committed by that.
TEST(ReplicationTest, EntriesOfAnOlderTermAreCommittedOnlyWithOneOfTheOwn) {
  TestShard shard(3);
  Entry old = Command("two");
  old.term = Term{2};
  old.index = Index{4};
  shard.Deliver(Make(
      2, 1, 2,
      AppendEntries{
          .previous = Index{3}, .previous_term = Term{1}, .commit = Index{3}, .entries = {old}}));
  shard.Settle();
  ASSERT_TRUE(shard.Elect(1));
  shard.filter = nullptr;
  const std::uint64_t term = shard.raft(1).term().value();
  ASSERT_EQ(shard.raft(1).committed(), Index{5}) << "with its own, both are";

  // The same, with a majority for the old entry only.
  TestShard split(3);
  split.Deliver(Make(
      2, 1, 2,
      AppendEntries{
          .previous = Index{3}, .previous_term = Term{1}, .commit = Index{3}, .entries = {old}}));
  split.Settle();
  split.filter = [](const Envelope& e) {
    return !std::holds_alternative<AppendEntries>(e.message);
  };
  ASSERT_TRUE(split.Elect(1));
  split.filter = nullptr;
  split.Deliver(Make(2, 1, term, AppendReply{.index = Index{4}, .hint = {}}));
  split.Deliver(Make(3, 1, term, AppendReply{.index = Index{4}, .hint = {}}));
  EXPECT_EQ(split.raft(1).committed(), Index{3});
  split.Deliver(Make(3, 1, term, AppendReply{.index = Index{5}, .hint = {}}));
  EXPECT_EQ(split.raft(1).committed(), Index{5});
}

TEST(ReplicationTest, FollowersLearnOfACommitAtOnce) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.Propose(1, "a");  // settles without a tick
  EXPECT_EQ(shard.raft(2).committed(), shard.raft(1).committed());
  EXPECT_EQ(shard.raft(3).committed(), shard.raft(1).committed());
}

// A follower may hold entries of a deposed leader beyond those of the message.
TEST(ReplicationTest, AFollowerCommitsOnlyWhatTheMessageVerified) {
  TestShard shard(3);
  const auto append = [](std::uint64_t previous, std::uint64_t previous_term, std::uint64_t commit,
                         std::vector<Entry> entries) {
    return AppendEntries{.previous = Index{previous},
                         .previous_term = Term{previous_term},
                         .commit = Index{commit},
                         .entries = std::move(entries)};
  };
  const auto at = [](std::uint64_t term, std::uint64_t index) {
    Entry entry = Command("x");
    entry.term = Term{term};
    entry.index = Index{index};
    return entry;
  };
  shard.Deliver(Make(2, 1, 5, append(3, 1, 3, {at(5, 4), at(5, 5), at(5, 6)})));
  shard.Settle();
  shard.Deliver(Make(3, 1, 6, append(4, 5, 6, {})));
  shard.Settle();
  EXPECT_EQ(shard.raft(1).committed(), Index{4});
}

TEST(ReplicationTest, ACommitOfAWitnessCounts) {
  TestShard shard(Members({1, 2}, {}, {3}));
  ASSERT_TRUE(shard.Elect(1));
  shard[2].Crash();
  shard.Propose(1, "secret");
  shard.TickAll(4);
  EXPECT_EQ(shard[1].history().back(), "2/secret");
  EXPECT_EQ(shard[3].history().back(), "2/metadata");
}

TEST(ReplicationTest, ANonVotingMemberDoesNotCount) {
  TestShard shard(Members({1, 2, 3}, {4}));
  ASSERT_TRUE(shard.Elect(1));
  shard.Isolate(2);
  shard.Isolate(3);
  const Index before = shard.raft(1).committed();
  shard.Propose(1, "a");
  EXPECT_EQ(shard.raft(1).committed(), before);
  EXPECT_EQ(shard.raft(4).status().last_index, before + 1);
}

// -- Durability -----------------------------------------------------------------------------------

TEST(ReplicationTest, ALeaderSendsBeforeItsOwnSave) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.raft(1).Propose({Command("a")});
  const Output output = shard[1].Take();
  EXPECT_EQ(Only<AppendEntries>(output.messages_now).size(), 2u);
  EXPECT_EQ(output.entries.size(), 1u);
  EXPECT_TRUE(output.must_sync);
}

TEST(ReplicationTest, ALeaderThatHasNotSavedDoesNotCountItself) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  const Index before = shard.raft(1).committed();
  const std::uint64_t term = shard.raft(1).term().value();
  shard.raft(1).Propose({Command("a")});
  Output output = shard[1].Take();
  shard.Deliver(Make(2, 1, term, AppendReply{.index = before + 1, .hint = {}}));
  EXPECT_EQ(shard.raft(1).committed(), before) << "one of three disks";
  shard[1].Save(output);
  EXPECT_EQ(shard.raft(1).committed(), before + 1);
}

TEST(ReplicationTest, TheOthersMayCommitWithoutTheLeadersDisk) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  const Index before = shard.raft(1).committed();
  const std::uint64_t term = shard.raft(1).term().value();
  shard.raft(1).Propose({Command("a")});
  const Output output = shard[1].Take();
  for (std::uint64_t id : {2u, 3u}) {
    shard.Deliver(Make(id, 1, term, AppendReply{.index = before + 1, .hint = {}}));
  }
  EXPECT_EQ(shard.raft(1).committed(), before + 1);
}

// Sharp edge 1 of Dragonboat.
TEST(ReplicationTest, AQuorumOfOneSendsOnlyAfterItsSave) {
  TestShard shard(Members({1}, {2}));
  ASSERT_TRUE(shard.Elect(1));
  shard.TickAll(2);
  shard.raft(1).Propose({Command("a")});
  Output output = shard[1].Take();
  EXPECT_TRUE(output.messages_now.empty());
  EXPECT_TRUE(output.committed.empty());
  const auto appends = Only<AppendEntries>(output.messages_after_save);
  ASSERT_EQ(appends.size(), 1u);
  EXPECT_LT(AsAppend(appends[0]).commit, AsAppend(appends[0]).entries.back().index);
  shard[1].Save(output);
  EXPECT_EQ(shard[1].Take().committed.size(), 1u);
}

TEST(ReplicationTest, AWitnessIsSentOnlyWhatIsSaved) {
  TestShard shard(Members({1, 2}, {}, {3}));
  ASSERT_TRUE(shard.Elect(1));
  shard.raft(1).Propose({Command("a")});
  Output output = shard[1].Take();
  ASSERT_EQ(output.messages_now.size(), 1u);
  EXPECT_EQ(output.messages_now[0].to, ReplicaId{2});
  EXPECT_TRUE(Only<AppendEntries>(output.messages_after_save).empty());
  const Status status = shard.raft(1).status();
  shard.Deliver(
      Make(2, 1, status.term.value(), AppendReply{.index = status.last_index, .hint = {}}));
  EXPECT_EQ(shard.raft(1).committed(), status.committed);
  shard[1].Save(output);
  const auto later = Only<AppendEntries>(shard[1].Take().messages_now);
  ASSERT_EQ(later.size(), 2u) << "2 is told that it is committed";
  EXPECT_EQ(later[1].to, ReplicaId{3});
  EXPECT_EQ(AsAppend(later[1]).entries.size(), 1u);
}

// What the leader and the witness alone held would be no majority, but would keep the witness from
// voting for those who stay when the leader never comes back.
TEST(ReplicationTest, AWitnessIsSentWhatItsVoteCanCommit) {
  TestShard shard(Members({1, 2, 3}, {}, {4}));
  ASSERT_TRUE(shard.Elect(1));
  shard.Cut(1, 2);
  shard.Cut(1, 3);
  shard.Propose(1, "lost");
  shard[1].Crash();
  EXPECT_NE(shard.WaitForLeader(), 0u);
}

// With the longer log, the witness would refuse the only one who can ever lead.
TEST(ReplicationTest, ACrashBeforeTheSaveLeavesNoWitnessAheadOfItsOnlyVoter) {
  TestShard shard(Members({1}, {}, {2}));
  ASSERT_TRUE(shard.Elect(1));
  shard.raft(1).Propose({Command("a")});
  for (Envelope& message : shard[1].Take().messages_now) shard.Deliver(std::move(message));
  shard[1].Crash();
  shard[1].Start();
  shard.Settle();
  EXPECT_EQ(shard.WaitForLeader(), 1u);
}

TEST(ReplicationTest, AFollowerSavesBeforeItAcknowledges) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.raft(1).Propose({Command("a")});
  shard.Run(1);
  while (shard.network.front().to != ReplicaId{2}) {
    shard.network.push_back(std::move(shard.network.front()));
    shard.network.pop_front();
  }
  shard.DeliverNext();
  const Output output = shard[2].Take();
  EXPECT_TRUE(output.messages_now.empty());
  EXPECT_EQ(output.entries.size(), 1u);
  EXPECT_TRUE(output.must_sync);
  EXPECT_EQ(Only<AppendReply>(output.messages_after_save).size(), 1u);
}

TEST(ReplicationTest, AnswersOfOneTermAddUpButNotOverTerms) {
  TestShard shard(3);
  const auto append = [](std::uint64_t term, std::uint64_t previous, std::uint64_t previous_term) {
    Entry entry = Command("x");
    entry.term = Term{term};
    entry.index = Index{previous + 1};
    return Make(2, 1, term,
                AppendEntries{.previous = Index{previous},
                              .previous_term = Term{previous_term},
                              .commit = Index{3},
                              .entries = {entry}});
  };
  shard.Deliver(append(2, 3, 1));
  shard.Deliver(append(2, 4, 2));
  shard.Deliver(append(3, 5, 2));
  const auto replies = Only<AppendReply>(shard[1].Take().messages_after_save);
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(replies[0].term, Term{2});
  EXPECT_EQ(std::get<AppendReply>(replies[0].message).index, Index{5});
  EXPECT_EQ(replies[1].term, Term{3});
  EXPECT_EQ(std::get<AppendReply>(replies[1].message).index, Index{6});
}

TEST(ReplicationTest, AMovedCommitIndexAloneNeedsNoSync) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  const std::uint64_t term = shard.raft(1).term().value();
  const Index last = shard.raft(1).status().last_index;
  Entry entry = Command("a");
  entry.term = Term{term};
  entry.index = last + 1;
  shard.Deliver(
      Make(1, 2, term,
           AppendEntries{
               .previous = last, .previous_term = Term{term}, .commit = last, .entries = {entry}}));
  shard.Run(2);
  shard.Deliver(Make(1, 2, term, Heartbeat{.commit = last + 1, .context = {}}));
  const Output output = shard[2].Take();
  ASSERT_TRUE(output.hard_state);
  EXPECT_EQ(output.hard_state->commit, last + 1);
  EXPECT_FALSE(output.must_sync);
}

// An unsynced commit index may be lost; the next synced write must bring it along, or two changes
// of members could become durable without the news that the first is committed.
TEST(ReplicationTest, EverySyncedWriteBringsTheNewestCommitIndex) {
  TestShard shard(1);
  ASSERT_TRUE(shard.Elect(1));
  shard.Propose(1, "a");
  const Index committed = shard.raft(1).committed();
  ASSERT_EQ(shard[1].disk().hard_state().commit, committed);
  shard.raft(1).Propose({Command("b")});
  const Output output = shard[1].Take();
  EXPECT_TRUE(output.must_sync);
  ASSERT_TRUE(output.hard_state);
  EXPECT_EQ(output.hard_state->commit, committed);
}

// B-40 and B-38, as far as the core goes.
TEST(ReplicationTest, ASingleVoterFindsItsCommitsAfterACrash) {
  TestShard shard(1);
  ASSERT_TRUE(shard.Elect(1));
  shard.Propose(1, "a");
  shard[1].Crash(true);
  shard[1].Start();
  shard.Settle();
  ASSERT_TRUE(shard.Elect(1));
  shard.raft(1).ReadIndex({.low = 1, .high = 1});
  shard.Settle();
  ASSERT_EQ(shard[1].reads.size(), 1u);
  EXPECT_GE(shard[1].reads[0].index, Index{3});
  EXPECT_NE(std::ranges::find(shard[1].history(), "2/a"), shard[1].history().end());
}

// B-23.
TEST(ReplicationTest, ProposalsOfALostLeadershipAreDroppedNotStampedAnew) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  const std::uint64_t term = shard.raft(1).term().value();
  shard.Deliver(Make(2, 1, term + 1, NoOp{}));
  shard.raft(1).Propose({Command("late")});
  shard.Settle();
  ASSERT_EQ(shard[1].dropped.size(), 1u);
  EXPECT_EQ(shard[1].dropped[0].reason, DropReason::kNoLeader);
  EXPECT_EQ(shard[1].dropped[0].entry.command.view(), "late");
}

// -- Sending --------------------------------------------------------------------------------------

TEST(ReplicationTest, ManyProposalsBetweenTwoOutputsTravelTogether) {
  AloneLeader leader;
  leader.Answer(2, leader.last);
  leader.shard.sent.clear();
  for (int i = 0; i < 10; ++i) leader.shard.raft(1).Propose({Command("x")});
  leader.shard.Settle();
  const auto appends = leader.AppendsTo(2);
  ASSERT_EQ(appends.size(), 1u);
  EXPECT_EQ(AsAppend(appends[0]).entries.size(), 10u);
}

TEST(ReplicationTest, MessagesAreLimitedInSizeButHoldAtLeastOneEntry) {
  Options options = TestShard::DefaultOptions();
  options.max_append_bytes = 3 * (1 + kEntryOverheadBytes);
  AloneLeader leader(options);
  leader.Answer(2, leader.last);
  leader.shard.sent.clear();
  for (int i = 0; i < 7; ++i) leader.shard.raft(1).Propose({Command("x")});
  leader.shard.raft(1).Propose({Command(std::string(5000, 'y'))});
  leader.shard.Settle();
  std::vector<std::size_t> sizes;
  for (const Envelope& append : leader.AppendsTo(2))
    sizes.push_back(AsAppend(append).entries.size());
  EXPECT_EQ(sizes, (std::vector<std::size_t>{3, 3, 1, 1}));
}

TEST(ReplicationTest, TheWindowBoundsWhatIsOutstanding) {
  Options options = TestShard::DefaultOptions();
  options.max_append_bytes = 1;
  options.max_inflight_messages = 3;
  AloneLeader leader(options);
  leader.Answer(2, leader.last);
  leader.shard.sent.clear();
  for (int i = 0; i < 10; ++i) leader.shard.raft(1).Propose({Command("x")});
  leader.shard.Settle();
  EXPECT_EQ(leader.AppendsTo(2).size(), 3u);
  leader.shard.sent.clear();
  leader.Answer(2, leader.last + 2);
  auto more = leader.AppendsTo(2);
  std::erase_if(more, [](const Envelope& e) { return AsAppend(e).entries.empty(); });
  EXPECT_EQ(more.size(), 2u);
  EXPECT_EQ(AsAppend(more[0]).previous, Index{leader.last + 3});
}

TEST(ReplicationTest, ALostMessageIsFoundByTheNextHeartbeat) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.filter = [](const Envelope& e) {
    return e.to != ReplicaId{3} || !std::holds_alternative<AppendEntries>(e.message);
  };
  shard.Propose(1, "a");
  shard.filter = nullptr;
  EXPECT_LT(shard.raft(3).committed(), shard.raft(1).committed());
  shard.TickAll(2);
  EXPECT_EQ(shard[3].history(), shard[1].history());
}

// B-32: a follower with a long tail of its own, in the form that Dragonboat's followers have.
TEST(ReplicationTest, ALongDivergingTailIsRepairedInFewRoundTrips) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.Isolate(1);
  for (int i = 0; i < 500; ++i) shard.raft(1).Propose({Command("stale")});
  shard.Settle();
  for (std::uint64_t i = 0; i < 200 && shard.Leader() < 2; ++i) {
    shard.Tick(2);
    shard.Tick(3);
    if (shard.raft(2).role() == Role::kLeader || shard.raft(3).role() == Role::kLeader) break;
  }
  const std::uint64_t leader = shard.Leader();
  ASSERT_NE(leader, 1u);
  for (int i = 0; i < 600; ++i) shard.raft(leader).Propose({Command("new")});
  shard.Settle();
  shard.Heal();
  shard.sent.clear();
  shard.TickAll(3);
  EXPECT_EQ(shard[1].history(), shard[leader].history());
  std::uint64_t rejections = 0;
  for (const Envelope& reply : Only<AppendReply>(shard.sent)) {
    rejections += std::get<AppendReply>(reply.message).rejected ? 1 : 0;
  }
  EXPECT_LE(rejections, 12u);
}

TEST(ReplicationTest, HeartbeatsNeverCommitBeyondWhatTheMemberHas) {
  AloneLeader leader;
  leader.shard.Propose(1, "a");
  leader.Answer(2, leader.last + 1);
  leader.shard.sent.clear();
  leader.shard.Tick(1);
  for (const Envelope& e : Only<Heartbeat>(leader.shard.sent)) {
    const Index limit = e.to == ReplicaId{2} ? Index{leader.last + 1} : Index{leader.last};
    EXPECT_LE(std::get<Heartbeat>(e.message).commit, limit);
  }
  EXPECT_EQ(Only<Heartbeat>(leader.shard.sent).size(), 2u);
}

TEST(ReplicationTest, AnUnreachableMemberIsProbedAndComesBack) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.raft(1).Unreachable(ReplicaId{3});
  shard.TickAll(2);
  const Status status = shard.raft(1).status();
  for (const MemberStatus& member : status.members) {
    const Progress expected =
        member.replica == ReplicaId{1} ? Progress::kProbe : Progress::kReplicate;
    EXPECT_EQ(member.progress, expected);
  }
}

TEST(ReplicationTest, ForwardedRequestsCarryNoTerm) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.sent.clear();
  shard.raft(2).Propose({Command("a")});
  shard.raft(2).ReadIndex({.low = 5, .high = 5});
  shard.raft(2).TransferLeadership(ReplicaId{3});
  shard.Run(2);
  ASSERT_EQ(shard.sent.size(), 3u);
  for (const Envelope& e : shard.sent) {
    EXPECT_EQ(e.term, Term{0});
    EXPECT_EQ(e.to, ReplicaId{1});
  }
}

TEST(ReplicationTest, WithoutALeaderProposalsAreDropped) {
  TestShard shard(3);
  shard.Propose(1, "a");
  ASSERT_EQ(shard[1].dropped.size(), 1u);
  EXPECT_EQ(shard[1].dropped[0].reason, DropReason::kNoLeader);
}

// A forwarded proposal never goes in circles between two that take each other for the leader.
TEST(ReplicationTest, AProposalIsNotSentBackToWhereItCameFrom) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.sent.clear();
  shard.Deliver(Make(1, 2, 0, ForwardedProposal{.entries = {Command("a")}}));
  shard.Settle();
  EXPECT_TRUE(Only<ForwardedProposal>(shard.sent).empty());
  shard.Deliver(Make(3, 2, 0, ForwardedProposal{.entries = {Command("b")}}));
  shard.Settle();
  ASSERT_EQ(Only<ForwardedProposal>(shard.sent).size(), 1u);
  EXPECT_EQ(Only<ForwardedProposal>(shard.sent)[0].from, ReplicaId{2});
  EXPECT_EQ(shard[1].history().back(), "2/b");
}

// -- Back-pressure --------------------------------------------------------------------------------

}  // namespace
}  // namespace drumbeat::raft::testing
