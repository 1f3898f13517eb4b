// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "raft/test_shard.h"

namespace drumbeat::raft::testing {
namespace {

SnapshotRecord Snapshot(TestShard& shard, std::uint64_t index, std::uint64_t term,
                        Membership members = Members({1, 2, 3})) {
  SnapshotRecord record;
  record.index = Index{index};
  record.term = Term{term};
  record.membership = std::move(members);
  record.membership.config_change_id = 3;
  shard.images()[index] = History(index, "image");
  return record;
}

const MemberStatus& MemberOf(const Status& status, std::uint64_t id) {
  for (const MemberStatus& member : status.members) {
    if (member.replica == ReplicaId{id}) return member;
  }
  throw std::runtime_error("no such member");
}

/// A leader whose log is cut, with member 3 down since before.
void FallBehind(TestShard& shard) {
  ASSERT_TRUE(shard.Elect(1));
  shard[3].Crash();
  for (int i = 0; i < 20; ++i) shard.Propose(1, "a");
  shard[1].TakeSnapshot(2);
}

TEST(SnapshotTest, AMemberThatFellBehindTheCutGetsTheSnapshot) {
  TestShard shard(3);
  FallBehind(shard);
  shard[3].Start();
  shard.TickAll(5);
  EXPECT_EQ(shard[3].history(), shard[1].history());
  EXPECT_EQ(shard[3].disk().snapshot().index, shard[1].disk().snapshot().index);
  EXPECT_EQ(MemberOf(shard.raft(1).status(), 3).progress, Progress::kReplicate);
}

TEST(SnapshotTest, NoneIsSentToAMemberThatIsNotThere) {
  TestShard shard(3);
  shard.stream_snapshots = false;
  FallBehind(shard);
  shard.TickAll(50);
  EXPECT_TRUE(shard[1].snapshots.empty());
}

TEST(SnapshotTest, NothingElseIsSentWhileOneIsOnItsWay) {
  TestShard shard(3);
  shard.stream_snapshots = false;
  FallBehind(shard);
  shard[3].Start();
  shard.TickAll(5);
  ASSERT_EQ(shard[1].snapshots.size(), 1u);
  EXPECT_EQ(MemberOf(shard.raft(1).status(), 3).progress, Progress::kSnapshot);
  shard.sent.clear();
  shard.Propose(1, "b");
  shard.TickAll(20);
  for (const Envelope& e : Only<AppendEntries>(shard.sent)) EXPECT_NE(e.to, ReplicaId{3});
  EXPECT_EQ(shard[1].snapshots.size(), 1u);
}

TEST(SnapshotTest, AFailedOneIsTriedAgain) {
  TestShard shard(3);
  shard.stream_snapshots = false;
  FallBehind(shard);
  shard[3].Start();
  shard.TickAll(5);
  shard[1].snapshots.clear();
  shard.raft(1).SnapshotStatus(ReplicaId{3}, true);
  shard.stream_snapshots = true;
  shard.TickAll(5);
  EXPECT_EQ(shard[3].history(), shard[1].history());
}

TEST(SnapshotTest, TheReceiversNoticeCountsAsArrived) {
  TestShard shard(3);
  shard.stream_snapshots = false;
  FallBehind(shard);
  shard[3].Start();
  shard.TickAll(5);
  ASSERT_EQ(shard[1].snapshots.size(), 1u);
  const SnapshotRecord record = shard[1].snapshots[0].snapshot;
  shard.Deliver(Make(1, 3, 0, InstallSnapshot{record}));
  shard.Deliver(Make(3, 1, 0, SnapshotReceived{}));
  EXPECT_EQ(MemberOf(shard.raft(1).status(), 3).progress, Progress::kProbe);
  shard.TickAll(3);
  EXPECT_EQ(shard[1].snapshots.size(), 1u) << "it is not sent again";
  EXPECT_EQ(shard[3].history(), shard[1].history());
}

TEST(SnapshotTest, AWitnessGetsAStub) {
  TestShard shard(Members({1, 2}, {}, {3}));
  shard.stream_snapshots = false;
  FallBehind(shard);
  shard[3].Start();
  shard.TickAll(5);
  ASSERT_EQ(shard[1].snapshots.size(), 1u);
  EXPECT_TRUE(shard[1].snapshots[0].snapshot.witness);
  EXPECT_EQ(shard[1].snapshots[0].snapshot.image_bytes, 0u);
  EXPECT_EQ(shard[1].snapshots[0].snapshot.on_disk_index, Index{0});
}

// -- Receiving ------------------------------------------------------------------------------------

TEST(SnapshotTest, RestoringReplacesTheLogAndAnswersAfterTheSave) {
  TestShard shard(3);
  shard.Deliver(Make(2, 1, 0, InstallSnapshot{Snapshot(shard, 20, 4)}));
  Output output = shard[1].Take();
  ASSERT_TRUE(output.received_snapshot);
  EXPECT_EQ(output.received_snapshot->index, Index{20});
  EXPECT_TRUE(output.must_sync);
  EXPECT_TRUE(output.messages_now.empty());
  ASSERT_TRUE(output.hard_state);
  EXPECT_EQ(output.hard_state->commit, Index{20});
  const auto replies = Only<AppendReply>(output.messages_after_save);
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(std::get<AppendReply>(replies[0].message).index, Index{20});
  shard[1].Save(output);
  shard[1].Finish(output);
  shard[1].Apply();
  EXPECT_EQ(shard[1].applied(), Index{20});
  EXPECT_EQ(shard.raft(1).status().last_index, Index{20});
}

// Sharp edge 4 of Dragonboat: the sender's term is not known, so it is not taken for the leader.
TEST(SnapshotTest, ALateSnapshotDoesNotMakeItsSenderALeader) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(2));
  shard.Deliver(Make(3, 1, 0, InstallSnapshot{Snapshot(shard, 3, 1)}));
  EXPECT_EQ(shard.raft(1).leader(), ReplicaId{2});
  shard.Deliver(Make(3, 1, 0, InstallSnapshot{Snapshot(shard, 30, 2)}));
  EXPECT_EQ(shard.raft(1).leader(), ReplicaId{2});
}

TEST(SnapshotTest, AnOlderOneIsAnsweredWithTheCommitIndex) {
  TestShard shard(3);
  shard.Deliver(Make(2, 1, 0, InstallSnapshot{Snapshot(shard, 20, 4)}));
  shard.Run(1);
  shard.Deliver(Make(2, 1, 0, InstallSnapshot{Snapshot(shard, 10, 3)}));
  const Output output = shard[1].Take();
  EXPECT_FALSE(output.received_snapshot);
  const auto replies = Only<AppendReply>(output.messages_after_save);
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(std::get<AppendReply>(replies[0].message).index, Index{20});
}

TEST(SnapshotTest, OneThatTheLogCoversOnlyMovesTheCommitIndex) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  const Index last = shard.raft(2).status().last_index;
  Entry entry = Command("x");
  entry.term = Term{2};
  entry.index = last + 1;
  shard.Deliver(
      Make(1, 2, 2,
           AppendEntries{
               .previous = last, .previous_term = Term{2}, .commit = last, .entries = {entry}}));
  shard.Run(2);
  shard.Deliver(Make(1, 2, 0, InstallSnapshot{Snapshot(shard, last.value() + 1, 2)}));
  EXPECT_EQ(shard.raft(2).committed(), last + 1);
  EXPECT_FALSE(shard[2].Take().received_snapshot);
}

// B-48.
TEST(SnapshotTest, TwoInShortSuccession) {
  TestShard shard(3);
  shard.Deliver(Make(2, 1, 0, InstallSnapshot{Snapshot(shard, 20, 4)}));
  shard.Deliver(Make(2, 1, 0, InstallSnapshot{Snapshot(shard, 30, 4)}));
  shard.Run(1);
  EXPECT_EQ(shard[1].applied(), Index{30});
  shard.Deliver(Make(2, 1, 0, InstallSnapshot{Snapshot(shard, 40, 4)}));
  Output first = shard[1].Take();
  shard.Deliver(Make(2, 1, 0, InstallSnapshot{Snapshot(shard, 50, 4)}));
  shard[1].Save(first);
  shard[1].Finish(first);
  shard[1].Apply();
  shard.Run(1);
  EXPECT_EQ(shard[1].applied(), Index{50});
}

// B-52.
TEST(SnapshotTest, ACandidateTakesASnapshotAndGivesUp) {
  TestShard shard(3);
  shard.filter = [](const Envelope&) { return false; };
  while (shard.raft(1).role() == Role::kFollower) shard.Tick(1);
  shard.filter = nullptr;
  shard.Deliver(Make(2, 1, 0, InstallSnapshot{Snapshot(shard, 20, 4)}));
  EXPECT_EQ(shard.raft(1).role(), Role::kFollower);
  shard.Settle();
  EXPECT_EQ(shard[1].applied(), Index{20});
}

// The votes were given for the members before the change that it now learns to be committed.
TEST(SnapshotTest, ACandidateGivesUpWhenOneCommitsAChangeInItsLog) {
  TestShard shard(4);
  ASSERT_TRUE(shard.Elect(2));
  const Term term = shard.raft(2).term();
  const Index last = shard.raft(1).status().last_index;
  Entry change = Change("remove 4");
  change.term = term;
  change.index = last + 1;
  shard.Deliver(Make(
      2, 1, term.value(),
      AppendEntries{.previous = last, .previous_term = term, .commit = last, .entries = {change}}));
  shard.Run(1);
  shard.filter = [](const Envelope&) { return false; };
  while (shard.raft(1).role() == Role::kFollower) shard.Tick(1);
  ASSERT_EQ(shard.raft(1).role(), Role::kCandidate);
  shard.filter = nullptr;
  shard.Deliver(Make(2, 1, 0, InstallSnapshot{Snapshot(shard, last.value() + 1, term.value())}));
  EXPECT_EQ(shard.raft(1).role(), Role::kFollower);
  shard.Run(1);
  EXPECT_EQ(shard[1].members().voters.size(), 3u);
}

TEST(SnapshotTest, ALeaderTakesNone) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  const Index last = shard.raft(1).status().last_index;
  shard.Deliver(Make(2, 1, 0, InstallSnapshot{Snapshot(shard, 20, 2)}));
  EXPECT_EQ(shard.raft(1).role(), Role::kLeader);
  EXPECT_EQ(shard.raft(1).status().last_index, last);
}

TEST(SnapshotTest, NoCampaignBeforeTheStateMachineHasRecovered) {
  TestShard shard(1);
  TestReplica& joiner = shard.Join(2);
  shard.Deliver(Make(1, 2, 0, InstallSnapshot{Snapshot(shard, 20, 4, Members({2}))}));
  Output output = joiner.Take();
  joiner.Save(output);
  joiner.Finish(output);
  for (int i = 0; i < 100; ++i) shard.raft(2).Tick();
  EXPECT_EQ(shard.raft(2).role(), Role::kFollower);
  EXPECT_EQ(shard.raft(2).term(), Term{4}) << "an entry of term 4 was committed, so it existed";
  joiner.Apply();
  for (int i = 0; i < 100; ++i) shard.raft(2).Tick();
  EXPECT_EQ(shard.raft(2).role(), Role::kLeader);
}

TEST(SnapshotTest, AWitnessStubIsNoState) {
  TestShard shard(3);
  SnapshotRecord stub = Snapshot(shard, 20, 4);
  stub.witness = true;
  shard.Deliver(Make(2, 1, 0, InstallSnapshot{stub}));
  EXPECT_EQ(shard.raft(1).committed(), Index{3});
  EXPECT_FALSE(shard[1].Take().received_snapshot);
}

TEST(SnapshotTest, StrangersAreNotBelieved) {
  TestShard shard(3);
  shard.Deliver(Make(9, 1, 0, InstallSnapshot{Snapshot(shard, 20, 4)}));
  EXPECT_EQ(shard.raft(1).committed(), Index{3});
  // One without members takes it from whoever brings it; so does one from the leader it follows.
  shard.Join(4);
  shard.Deliver(Make(9, 4, 0, InstallSnapshot{Snapshot(shard, 20, 4)}));
  EXPECT_EQ(shard.raft(4).committed(), Index{20});
  shard.Deliver(Make(9, 1, 5, Heartbeat{}));
  shard.Deliver(Make(9, 1, 0, InstallSnapshot{Snapshot(shard, 20, 4)}));
  EXPECT_EQ(shard.raft(1).committed(), Index{20});
}

TEST(SnapshotTest, AReplicaIsPromotedByASnapshotThatListsIt) {
  TestShard shard(Members({1, 2}, {3}));
  shard.Deliver(Make(1, 3, 0, InstallSnapshot{Snapshot(shard, 20, 4, Members({1, 2, 3}))}));
  shard.Settle();
  EXPECT_EQ(shard.raft(3).role(), Role::kFollower);
}

TEST(SnapshotTest, ARestartContinuesFromTheSnapshotAndTheRest) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  for (int i = 0; i < 10; ++i) shard.Propose(1, "a");
  shard[2].TakeSnapshot(0);
  for (int i = 0; i < 5; ++i) shard.Propose(1, "b");
  shard.TickAll(1);
  const History before = shard[2].history();
  shard[2].Crash(false);
  shard[2].Start();
  shard.Settle();
  shard.TickAll(2);
  EXPECT_EQ(shard[2].history(), before);
}

// Sharp edge 6 of Dragonboat: the snapshot counts, if the stored commit index lies behind it.
TEST(SnapshotTest, AStoredCommitIndexBelowTheSnapshotIsNoReasonToFail) {
  TestShard shard(1);
  ASSERT_TRUE(shard.Elect(1));
  for (int i = 0; i < 10; ++i) shard.Propose(1, "a");
  shard[1].TakeSnapshot(0);
  HardState behind = shard[1].disk().hard_state();
  behind.commit = Index{2};
  shard[1].disk().set_hard_state(behind);
  shard[1].Crash(false);
  shard[1].Start();
  EXPECT_EQ(shard.raft(1).committed(), shard[1].disk().snapshot().index);
}

}  // namespace
}  // namespace drumbeat::raft::testing
