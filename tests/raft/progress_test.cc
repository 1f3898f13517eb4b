// SPDX-License-Identifier: Apache-2.0
#include "raft/progress.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace drumbeat::raft {
namespace {

constexpr Inflight::Limits kLimits{.messages = 2, .bytes = 1000};

MemberProgress Probing(std::uint64_t last) {
  MemberProgress member(ReplicaId{2}, MemberKind::kVoter);
  member.Reset(Index{last});
  return member;
}

/// Replicating with a log that matches up to `match`.
MemberProgress Replicating(std::uint64_t match) {
  MemberProgress member = Probing(match);
  member.Accept(Index{match});
  return member;
}

TEST(ProgressTest, ANewLeaderProbesAtTheEndOfItsLog) {
  const MemberProgress member = Probing(10);
  EXPECT_EQ(member.state(), Progress::kProbe);
  EXPECT_EQ(member.match(), Index{0});
  EXPECT_EQ(member.next(), Index{11});
}

TEST(ProgressTest, AProbeWaitsForItsAnswer) {
  MemberProgress member = Probing(10);
  EXPECT_TRUE(member.MaySendEntries(kLimits));
  member.Sent(Index{11}, 1, Index{5});
  EXPECT_FALSE(member.MaySendEntries(kLimits));
  EXPECT_FALSE(member.OwesEmpty(Index{100}));
  EXPECT_EQ(member.next(), Index{11});
  member.HeartbeatAnswered(Index{11});
  EXPECT_FALSE(member.MaySendEntries(kLimits)) << "it may only have been overtaken";
  EXPECT_TRUE(member.OwesEmpty(Index{5}));
  member.Sent(Index{10}, 0, Index{5});
  EXPECT_FALSE(member.OwesEmpty(Index{5}));
  EXPECT_FALSE(member.Accept(Index{0})) << "the empty one's answer";
  EXPECT_TRUE(member.MaySendEntries(kLimits));
}

TEST(ProgressTest, AnAcceptedProbeStartsThePipeline) {
  MemberProgress member = Probing(10);
  member.Sent(Index{11}, 1, Index{5});
  EXPECT_TRUE(member.Accept(Index{11}));
  EXPECT_EQ(member.state(), Progress::kReplicate);
  EXPECT_EQ(member.match(), Index{11});
  EXPECT_EQ(member.next(), Index{12});
}

TEST(ProgressTest, AnAnswerWithoutNewsEndsTheProbeToo) {
  MemberProgress member = Replicating(10);
  member.Unreachable();
  EXPECT_EQ(member.state(), Progress::kProbe);
  EXPECT_FALSE(member.Accept(Index{10}));
  EXPECT_EQ(member.state(), Progress::kReplicate);
}

TEST(ProgressTest, TheWindowLimitsThePipeline) {
  MemberProgress member = Replicating(10);
  member.Sent(Index{12}, 100, Index{10});
  EXPECT_EQ(member.next(), Index{13});
  EXPECT_TRUE(member.MaySendEntries(kLimits));
  member.Sent(Index{13}, 100, Index{10});
  EXPECT_FALSE(member.MaySendEntries(kLimits));
  member.Accept(Index{12});
  EXPECT_TRUE(member.MaySendEntries(kLimits));
  member.Sent(Index{14}, 5000, Index{10});
  EXPECT_FALSE(member.MaySendEntries(kLimits));
}

TEST(ProgressTest, AnEmptyMessageTellsOfANewCommitIndexOnce) {
  MemberProgress member = Replicating(10);
  member.Sent(Index{10}, 0, Index{8});
  EXPECT_FALSE(member.OwesEmpty(Index{8}));
  EXPECT_TRUE(member.OwesEmpty(Index{9}));
  member.Sent(Index{10}, 0, Index{9});
  EXPECT_FALSE(member.OwesEmpty(Index{9}));
  EXPECT_EQ(member.next(), Index{11});
}

TEST(ProgressTest, AnAnsweredHeartbeatFindsWhatWasLost) {
  MemberProgress member = Replicating(10);
  member.Sent(Index{12}, 100, Index{10});
  member.HeartbeatAnswered(Index{12});
  EXPECT_TRUE(member.OwesEmpty(Index{0}));
  // The follower refuses what follows the lost one.
  EXPECT_TRUE(member.Reject(Index{12}, Index{10}));
  EXPECT_EQ(member.state(), Progress::kProbe);
  EXPECT_EQ(member.next(), Index{11});
}

TEST(ProgressTest, AnAnsweredHeartbeatOfOneThatHasAllAsksForNothing) {
  MemberProgress member = Replicating(10);
  member.HeartbeatAnswered(Index{10});
  EXPECT_FALSE(member.OwesEmpty(Index{0}));
}

// B-54: an idle shard must not keep a member in probe.
TEST(ProgressTest, AnIdleMemberIsProbedOutOfProbe) {
  MemberProgress member = Replicating(10);
  member.Unreachable();
  member.HeartbeatAnswered(Index{10});
  EXPECT_TRUE(member.OwesEmpty(Index{0}));
  member.Sent(Index{10}, 0, Index{0});
  member.Accept(Index{10});
  EXPECT_EQ(member.state(), Progress::kReplicate);
}

TEST(ProgressTest, ARejectionThatArrivesLateDoesNotMoveNextBackwards) {
  MemberProgress replicating = Replicating(10);
  EXPECT_FALSE(replicating.Reject(Index{9}, Index{3}));
  EXPECT_EQ(replicating.next(), Index{11});
  EXPECT_EQ(replicating.state(), Progress::kReplicate);
  MemberProgress probing = Probing(10);
  EXPECT_FALSE(probing.Reject(Index{7}, Index{3}));  // the outstanding one is at 10
  EXPECT_EQ(probing.next(), Index{11});
}

TEST(ProgressTest, AShortLogsHintIsFollowedAtOnce) {
  MemberProgress member = Probing(100);
  EXPECT_TRUE(member.Reject(Index{100}, Index{7}));
  EXPECT_EQ(member.next(), Index{8});
}

TEST(ProgressTest, AHintOfZeroStartsFromTheBeginning) {
  MemberProgress member = Probing(100);
  EXPECT_TRUE(member.Reject(Index{100}, Index{0}));
  EXPECT_EQ(member.next(), Index{1});
}

// B-32: Dragonboat's followers always hint at the end of their log.
TEST(ProgressTest, ALongConflictingTailCostsFewRoundTrips) {
  constexpr std::uint64_t kAgreed = 10;
  MemberProgress member = Probing(100000);
  int rounds = 0;
  while (member.next().value() - 1 > kAgreed) {
    ASSERT_TRUE(member.Reject(member.next() - 1, Index{200000}));
    ++rounds;
  }
  EXPECT_LE(rounds, 20);
}

// B-25.
TEST(ProgressTest, NextStaysAboveMatchWhateverIsAnswered) {
  base::Random random(7);
  MemberProgress member = Probing(50);
  std::uint64_t last = 50;
  for (int step = 0; step < 100000; ++step) {
    const Index any{random.Below(last + 2)};
    switch (random.Below(8)) {
      case 0:
        if (any.value() <= last) member.Accept(any);
        break;
      case 1: member.Reject(member.next() - 1, any); break;
      case 2:
        member.Reject(any, Index{random.OneIn(9) ? ~std::uint64_t{0} : random.Below(last)});
        break;
      case 3: member.HeartbeatAnswered(Index{last}); break;
      case 4: member.Unreachable(); break;
      case 5:
        if (random.OneIn(5)) member.BeginSnapshot(Index{random.Below(last) + 1});
        break;
      case 6: member.EndSnapshot(random.OneIn(2)); break;
      default:
        ++last;
        if (member.MaySendEntries(kLimits) && member.next().value() <= last) {
          member.Sent(Index{last}, 10, Index{0});
        }
    }
    ASSERT_GT(member.next(), member.match());
    ASSERT_LE(member.match().value(), last);
  }
}

TEST(ProgressTest, NothingIsSentWhileASnapshotIs) {
  MemberProgress member = Probing(10);
  member.BeginSnapshot(Index{8});
  EXPECT_FALSE(member.MaySendEntries(kLimits));
  EXPECT_FALSE(member.OwesEmpty(Index{100}));
  EXPECT_FALSE(member.Reject(Index{10}, Index{0}));
  member.HeartbeatAnswered(Index{10});
  EXPECT_FALSE(member.MaySendEntries(kLimits));
  EXPECT_FALSE(member.OwesEmpty(Index{100}));
}

TEST(ProgressTest, ASnapshotThatArrivedIsFollowedByAProbeAfterTheNextSignOfLife) {
  MemberProgress member = Probing(10);
  member.BeginSnapshot(Index{8});
  member.EndSnapshot(false);
  EXPECT_EQ(member.state(), Progress::kProbe);
  EXPECT_EQ(member.next(), Index{9});
  EXPECT_FALSE(member.OwesEmpty(Index{100}));
  member.HeartbeatAnswered(Index{10});
  EXPECT_TRUE(member.OwesEmpty(Index{0}));
}

TEST(ProgressTest, ASnapshotThatFailedIsForgotten) {
  MemberProgress member = Probing(10);
  member.BeginSnapshot(Index{8});
  member.EndSnapshot(true);
  EXPECT_EQ(member.state(), Progress::kProbe);
  EXPECT_EQ(member.next(), Index{1});
}

TEST(ProgressTest, AMemberThatShowsItHasTheSnapshotIsSentTheRest) {
  MemberProgress member = Probing(10);
  member.BeginSnapshot(Index{8});
  EXPECT_TRUE(member.Accept(Index{5}));  // a late answer, not the snapshot
  EXPECT_EQ(member.state(), Progress::kSnapshot);
  EXPECT_TRUE(member.Accept(Index{8}));
  EXPECT_EQ(member.state(), Progress::kReplicate);
  EXPECT_EQ(member.next(), Index{9});
  member.EndSnapshot(true);  // the stream's own report comes last
  EXPECT_EQ(member.state(), Progress::kReplicate);
}

TEST(ProgressTest, AMemberThatRefusesWhatItHasAcknowledgedIsNotAskedInALoop) {
  MemberProgress member = Replicating(10);
  member.Unreachable();
  member.Sent(Index{10}, 0, Index{0});
  EXPECT_FALSE(member.Reject(Index{10}, Index{3}));
  EXPECT_FALSE(member.MaySendEntries(kLimits));
}

TEST(ProgressTest, AMemberThatCannotBeReachedIsProbed) {
  MemberProgress member = Replicating(10);
  member.Sent(Index{14}, 100, Index{10});
  member.Unreachable();
  EXPECT_EQ(member.state(), Progress::kProbe);
  EXPECT_EQ(member.next(), Index{11});
  member.BeginSnapshot(Index{9});
  member.Unreachable();
  EXPECT_EQ(member.state(), Progress::kSnapshot);
}

TEST(ProgressTest, ConfirmedReadsOnlyRise) {
  MemberProgress member = Probing(1);
  member.ConfirmRead(5);
  member.ConfirmRead(3);
  EXPECT_EQ(member.confirmed_read(), 5u);
  member.Reset(Index{1});
  EXPECT_EQ(member.confirmed_read(), 0u);
}

}  // namespace
}  // namespace drumbeat::raft
