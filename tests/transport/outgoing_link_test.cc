// SPDX-License-Identifier: Apache-2.0
#include "transport/outgoing_link.h"

#include <vector>

#include <gtest/gtest.h>

#include "transport/messages.h"

namespace drumbeat::transport {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A link under a clock of its own, and what became of its messages.
class OutgoingLinkTest : public testing::Test {
 protected:
  void Push(std::uint64_t commit) { link_.Push(HeartbeatOf(128, commit), now_); }
  LinkActions PushAndFlush(std::uint64_t commit) {
    Push(commit);
    return link_.Flush(now_);
  }
  void Connect() {
    ASSERT_TRUE(PushAndFlush(1).dial);
    ASSERT_TRUE(link_.Dialed(now_).write);
    EXPECT_EQ(WriteAll(), (std::vector<std::uint64_t>{1}));
  }
  /// Writes until nothing is left and returns what was written.
  std::vector<std::uint64_t> WriteAll() {
    std::vector<std::uint64_t> commits;
    if (!link_.BeginWrite()) return commits;
    std::vector<QueuedMessage> batch;
    while (true) {
      const NextWrite next = link_.NextToWrite(batch, now_);
      if (next == NextWrite::kNothing) return commits;
      if (next == NextWrite::kRepeat) commits.push_back(kRepeated);
      for (const QueuedMessage& message : batch) commits.push_back(CommitOf(message.envelope));
      batch.clear();
      link_.WroteFrame(now_);
    }
  }
  /// Begins a write that the peer does not take.
  void BeginFrame() {
    ASSERT_TRUE(link_.BeginWrite());
    std::vector<QueuedMessage> batch;
    ASSERT_EQ(link_.NextToWrite(batch, now_), NextWrite::kEncode);
  }
  LinkActions FailDial() { return link_.DialFailed("connect: refused", now_); }
  void GoTo(Time time) { now_ = time; }
  void Pass(Duration duration) { now_ += duration; }

  static constexpr std::uint64_t kRepeated = ~std::uint64_t{0};
  OutgoingLink link_{{.max_bytes = 1u << 20, .max_messages = 100}, 1};
  Time now_{std::chrono::hours(1)};
};

using Commits = std::vector<std::uint64_t>;

TEST_F(OutgoingLinkTest, NothingHappensBeforeAFlush) {
  Push(1);
  EXPECT_FALSE(link_.BeginWrite());
  EXPECT_FALSE(link_.deadline());
  EXPECT_FALSE(link_.Tick(now_).dial);
}

TEST_F(OutgoingLinkTest, TheFirstMessageDialsAndWhatWaitedGoesInOneBatch) {
  EXPECT_TRUE(PushAndFlush(1).dial);
  EXPECT_FALSE(PushAndFlush(2).dial);
  const LinkActions actions = link_.Dialed(now_);
  EXPECT_TRUE(actions.write);
  ASSERT_TRUE(actions.up);
  EXPECT_TRUE(actions.up->tell);
  EXPECT_TRUE(actions.up->log);
  EXPECT_FALSE(actions.up->away);
  EXPECT_EQ(actions.up->ends.shard, ShardId(128));
  EXPECT_EQ(actions.up->ends.from, ReplicaId(1));
  EXPECT_EQ(actions.up->ends.to, ReplicaId(2));
  EXPECT_EQ(WriteAll(), (Commits{1, 2}));
}

TEST_F(OutgoingLinkTest, OneWriterAtATime) {
  Connect();
  EXPECT_FALSE(link_.BeginWrite()) << "there is nothing to write";
  EXPECT_TRUE(PushAndFlush(2).write);
  BeginFrame();
  EXPECT_FALSE(PushAndFlush(3).write);
  EXPECT_FALSE(link_.BeginWrite());
  link_.WroteFrame(now_);
  // Whoever writes also takes what came meanwhile, and only then gives the right back.
  std::vector<QueuedMessage> batch;
  EXPECT_EQ(link_.NextToWrite(batch, now_), NextWrite::kEncode);
  EXPECT_EQ(CommitOf(batch.at(0).envelope), 3u);
  link_.WroteFrame(now_);
  batch.clear();
  EXPECT_EQ(link_.NextToWrite(batch, now_), NextWrite::kNothing);
  EXPECT_FALSE(link_.writing());
}

TEST_F(OutgoingLinkTest, AFullSocketHoldsWritersUntilItTakesMore) {
  Connect();
  Push(2);
  BeginFrame();
  link_.Blocked(now_);
  EXPECT_FALSE(link_.writing());
  EXPECT_FALSE(PushAndFlush(3).write);
  EXPECT_FALSE(link_.BeginWrite());
  link_.Writable();
  ASSERT_TRUE(link_.BeginWrite());
  std::vector<QueuedMessage> batch;
  EXPECT_EQ(link_.NextToWrite(batch, now_), NextWrite::kContinue);
}

TEST_F(OutgoingLinkTest, AFrameThatCannotBeMadeIsLostWithItsConnection) {
  Connect();
  Pass(OutgoingLink::kProofTime);
  Push(2);
  BeginFrame();
  Push(3);
  link_.DropFrame();
  link_.EndWrite();
  EXPECT_FALSE(link_.writing());
  const LinkActions actions = link_.Lost("out of memory", now_);
  EXPECT_TRUE(actions.close);
  EXPECT_TRUE(actions.dial);
  EXPECT_TRUE(link_.Dialed(now_).write);
  EXPECT_EQ(WriteAll(), (Commits{3}));
}

TEST_F(OutgoingLinkTest, ManyMessagesLeaveInBatchesOfBoundedSize) {
  Connect();
  for (int i = 0; i < 5; ++i) link_.Push(AppendOf(1, 1, OutgoingLink::kBatchBytes / 2 - 200), now_);
  ASSERT_TRUE(link_.BeginWrite());
  std::vector<QueuedMessage> batch;
  std::vector<std::size_t> sizes;
  while (link_.NextToWrite(batch, now_) != NextWrite::kNothing) {
    sizes.push_back(batch.size());
    batch.clear();
    link_.WroteFrame(now_);
  }
  EXPECT_EQ(sizes, (std::vector<std::size_t>{2, 2, 1}));
}

TEST_F(OutgoingLinkTest, AFailedDialIsRepeatedAfterAPauseForWhatWaits) {
  ASSERT_TRUE(PushAndFlush(1).dial);
  const LinkActions failed = FailDial();
  EXPECT_FALSE(failed.dial);
  EXPECT_TRUE(failed.watch_deadline);
  ASSERT_TRUE(failed.down);
  EXPECT_TRUE(failed.down->tell);
  EXPECT_TRUE(failed.down->log);
  EXPECT_EQ(failed.down->reason, "connect: refused");
  ASSERT_TRUE(link_.deadline());
  EXPECT_FALSE(PushAndFlush(2).dial);
  EXPECT_FALSE(link_.Tick(*link_.deadline() - Duration(1)).dial);
  GoTo(*link_.deadline());
  EXPECT_TRUE(link_.Tick(now_).dial);
  const LinkActions up = link_.Dialed(now_);
  ASSERT_TRUE(up.up);
  EXPECT_TRUE(up.up->tell);
  EXPECT_TRUE(up.up->away);
  EXPECT_EQ(WriteAll(), (Commits{1, 2}));
}

TEST_F(OutgoingLinkTest, WhoIsHeardOfIsDialledAtOnceForWhatWaits) {
  ASSERT_TRUE(PushAndFlush(1).dial);
  FailDial();
  Pass(milliseconds(10));
  EXPECT_TRUE(link_.Heard(now_).dial);
  EXPECT_TRUE(link_.Dialed(now_).up);
  EXPECT_EQ(WriteAll(), (Commits{1}));
  const LinkActions up = link_.Heard(now_);
  EXPECT_FALSE(up.dial || up.close || up.write || up.fail);
}

TEST_F(OutgoingLinkTest, WhoIsHeardOfWhileNothingWaitsIsDialledWithTheNextMessage) {
  Connect();
  link_.Lost("closed by the other side", now_);
  ASSERT_TRUE(link_.deadline()) << "it pauses";
  EXPECT_FALSE(link_.Heard(now_).dial);
  EXPECT_TRUE(PushAndFlush(2).dial);
}

TEST_F(OutgoingLinkTest, WhoIsHeardOfDuringAFailingDialIsDialledAgainAtOnce) {
  ASSERT_TRUE(PushAndFlush(1).dial);
  EXPECT_FALSE(link_.Heard(now_).dial) << "it is being dialled";
  EXPECT_TRUE(FailDial().dial);
  const LinkActions failed = FailDial();
  EXPECT_FALSE(failed.dial) << "that was before this dial";
  EXPECT_TRUE(failed.watch_deadline);
}

TEST_F(OutgoingLinkTest, WhoIsHeardOfAgainAndAgainButNotThereCausesFewDials) {
  int dials = PushAndFlush(1).dial ? 1 : 0;
  FailDial();
  const Time end = now_ + seconds(10);
  for (; now_ < end; Pass(milliseconds(1))) {
    Push(1);
    bool dial = link_.Heard(now_).dial;
    if (link_.deadline() && now_ >= *link_.deadline()) dial |= link_.Tick(now_).dial;
    if (!dial) continue;
    ++dials;
    FailDial();
  }
  EXPECT_GT(dials, 10);
  EXPECT_LE(dials, 2 + seconds(10) / Breaker::kHeardPause);
}

TEST_F(OutgoingLinkTest, NobodyIsDialledWhenNothingWaits) {
  ASSERT_TRUE(PushAndFlush(1).dial);
  FailDial();
  Pass(OutgoingLink::kMaxAge + milliseconds(1));
  EXPECT_FALSE(link_.Tick(now_).dial);
  EXPECT_TRUE(link_.Drained());
  EXPECT_TRUE(PushAndFlush(2).dial);
}

TEST_F(OutgoingLinkTest, WhatWaitsTooLongIsNotSent) {
  ASSERT_TRUE(PushAndFlush(1).dial);
  Pass(milliseconds(1500));
  PushAndFlush(2);
  Pass(milliseconds(1000));
  link_.Dialed(now_);
  EXPECT_EQ(WriteAll(), (Commits{2}));
}

TEST_F(OutgoingLinkTest, OneFailureIsToldOnceAndLoggedEveryTenSeconds) {
  ASSERT_TRUE(PushAndFlush(1).dial);
  EXPECT_TRUE(FailDial().down->log);
  const Time start = now_;
  int logged = 0;
  int attempts = 0;
  while (now_ < start + seconds(60)) {
    GoTo(*link_.deadline());
    Push(2);
    ASSERT_TRUE(link_.Tick(now_).dial);
    const LinkActions actions = FailDial();
    ASSERT_TRUE(actions.down);
    EXPECT_FALSE(actions.down->tell);
    logged += actions.down->log ? 1 : 0;
    ++attempts;
  }
  EXPECT_GE(attempts, 40);
  EXPECT_GE(logged, 4);
  EXPECT_LE(logged, 6);
}

TEST_F(OutgoingLinkTest, APeerThatWentAwayIsDialledBeforeTheNextMessageIsSpent) {
  Connect();
  Pass(seconds(5));
  const LinkActions lost = link_.Lost("closed by the other side", now_);
  EXPECT_TRUE(lost.close);
  EXPECT_FALSE(lost.dial) << "nobody wants anything of it";
  ASSERT_TRUE(lost.down);
  EXPECT_TRUE(lost.down->tell);
  EXPECT_TRUE(lost.down->log);
  Pass(milliseconds(10));
  EXPECT_TRUE(PushAndFlush(2).dial) << "at once: the connection had lived";
  const LinkActions up = link_.Dialed(now_);
  ASSERT_TRUE(up.up);
  EXPECT_TRUE(up.up->log);
  EXPECT_EQ(up.up->away, Duration(milliseconds(10)));
  EXPECT_EQ(WriteAll(), (Commits{2}));
}

TEST_F(OutgoingLinkTest, AFrameWhoseConnectionBrokeIsWrittenAgainFromItsStart) {
  Connect();
  Pass(seconds(5));
  Push(2);
  BeginFrame();
  link_.Wrote(now_);
  link_.Blocked(now_);
  Push(3);
  EXPECT_TRUE(link_.Lost("reset", now_).dial);
  EXPECT_TRUE(link_.Dialed(now_).write);
  EXPECT_EQ(WriteAll(), (Commits{kRepeated, 3}));
}

TEST_F(OutgoingLinkTest, AnOldFrameIsNotWrittenAgain) {
  Connect();
  Push(2);
  BeginFrame();
  link_.Blocked(now_);
  Pass(OutgoingLink::kMaxAge + milliseconds(1));
  EXPECT_FALSE(link_.Lost("reset", now_).dial);
  EXPECT_TRUE(PushAndFlush(3).dial);
  link_.Dialed(now_);
  EXPECT_EQ(WriteAll(), (Commits{3}));
}

TEST_F(OutgoingLinkTest, APeerThatTakesNothingIsGivenUp) {
  Connect();
  Push(2);
  BeginFrame();
  link_.Blocked(now_);
  EXPECT_EQ(link_.deadline(), now_ + OutgoingLink::kStallLimit);
  Pass(OutgoingLink::kStallLimit - milliseconds(1));
  EXPECT_FALSE(link_.Tick(now_).fail);
  Pass(milliseconds(1));
  const LinkActions actions = link_.Tick(now_);
  ASSERT_TRUE(actions.fail);
  EXPECT_TRUE(link_.Lost(*actions.fail, now_).close);
}

TEST_F(OutgoingLinkTest, AByteNowAndThenKeepsTheConnection) {
  Connect();
  Push(2);
  BeginFrame();
  for (int i = 0; i < 10; ++i) {
    link_.Blocked(now_);
    Pass(OutgoingLink::kStallLimit - milliseconds(1));
    EXPECT_FALSE(link_.Tick(now_).fail);
    link_.Writable();
    ASSERT_TRUE(link_.BeginWrite());
    link_.Wrote(now_);
  }
}

TEST_F(OutgoingLinkTest, AnIdleConnectionIsClosedSilentlyAndComesBackSilently) {
  Connect();
  EXPECT_EQ(link_.deadline(), now_ + OutgoingLink::kIdleLimit);
  Pass(OutgoingLink::kIdleLimit / 2);
  PushAndFlush(2);
  WriteAll();
  Pass(OutgoingLink::kIdleLimit - milliseconds(1));
  EXPECT_FALSE(link_.Tick(now_).close);
  Pass(milliseconds(1));
  const LinkActions idle = link_.Tick(now_);
  EXPECT_TRUE(idle.close);
  EXPECT_FALSE(idle.down);
  EXPECT_TRUE(PushAndFlush(3).dial);
  const LinkActions up = link_.Dialed(now_);
  ASSERT_TRUE(up.up);
  EXPECT_FALSE(up.up->tell);
  EXPECT_FALSE(up.up->log);
  EXPECT_EQ(WriteAll(), (Commits{3}));
}

TEST_F(OutgoingLinkTest, WhoAcceptsAndHangsUpIsNotDialledInALoopNorFillsTheLog) {
  const Time start = now_;
  int dials = 0;
  int logged = 0;
  ASSERT_TRUE(PushAndFlush(1).dial);
  while (now_ < start + seconds(20)) {
    ++dials;
    const LinkActions up = link_.Dialed(now_);
    logged += up.up->log ? 1 : 0;
    WriteAll();
    Pass(milliseconds(1));
    Push(2);
    const LinkActions lost = link_.Lost("closed by the other side", now_);
    logged += lost.down->log ? 1 : 0;
    EXPECT_FALSE(lost.dial);
    GoTo(*link_.deadline());
    Push(2);
    ASSERT_TRUE(link_.Tick(now_).dial);
  }
  EXPECT_LE(dials, 50);
  EXPECT_LE(logged, 6);
}

TEST_F(OutgoingLinkTest, WhoComesBackAfterAShortLifeIsLoggedOnceItStays) {
  Connect();
  Pass(milliseconds(20));
  EXPECT_TRUE(link_.Lost("closed by the other side", now_).down->log);
  Push(2);
  GoTo(*link_.deadline());
  ASSERT_TRUE(link_.Tick(now_).dial);
  const LinkActions up = link_.Dialed(now_);
  ASSERT_TRUE(up.up);
  EXPECT_TRUE(up.up->tell);
  EXPECT_FALSE(up.up->log) << "it may flap";
  WriteAll();

  EXPECT_EQ(link_.deadline(), now_ + OutgoingLink::kProofTime);
  Pass(OutgoingLink::kProofTime);
  const LinkActions stays = link_.Tick(now_);
  ASSERT_TRUE(stays.up);
  EXPECT_FALSE(stays.up->tell) << "told before";
  EXPECT_TRUE(stays.up->log);
  EXPECT_EQ(stays.up->away, up.up->away);
  EXPECT_FALSE(link_.Tick(now_).up) << "once";
}

TEST_F(OutgoingLinkTest, ItsQueueIsBoundedWhileThePeerIsAway) {
  ASSERT_TRUE(PushAndFlush(1).dial);
  for (std::uint64_t i = 2; i <= 1000; ++i) PushAndFlush(i);
  EXPECT_EQ(link_.queued(), 100u);
  link_.Dialed(now_);
  const Commits commits = WriteAll();
  ASSERT_EQ(commits.size(), 100u);
  EXPECT_EQ(commits.front(), 901u);
  EXPECT_EQ(commits.back(), 1000u);
}

TEST_F(OutgoingLinkTest, AFailureOfASnapshotHoldsMessagesBackToo) {
  link_.breaker().Failed(now_);
  const LinkActions actions = PushAndFlush(1);
  EXPECT_FALSE(actions.dial);
  EXPECT_TRUE(actions.watch_deadline);
  GoTo(link_.breaker().retry_at());
  EXPECT_TRUE(link_.Tick(now_).dial);
}

TEST_F(OutgoingLinkTest, DrainedMeansNothingIsLeftThatCouldGo) {
  EXPECT_TRUE(link_.Drained());
  ASSERT_TRUE(PushAndFlush(1).dial);
  EXPECT_FALSE(link_.Drained());
  link_.Dialed(now_);
  EXPECT_FALSE(link_.Drained());
  BeginFrame();
  link_.Blocked(now_);
  EXPECT_FALSE(link_.Drained());
  link_.Writable();
  ASSERT_TRUE(link_.BeginWrite());
  link_.WroteFrame(now_);
  EXPECT_FALSE(link_.Drained()) << "someone may still write";
  std::vector<QueuedMessage> batch;
  EXPECT_EQ(link_.NextToWrite(batch, now_), NextWrite::kNothing);
  EXPECT_TRUE(link_.Drained());
}

TEST_F(OutgoingLinkTest, AnAddressIsForgottenOnlyWhenNothingIsLostByIt) {
  Connect();
  EXPECT_FALSE(link_.Forgettable(now_ + std::chrono::hours(1)));
  Pass(OutgoingLink::kIdleLimit);
  link_.Tick(now_);
  EXPECT_FALSE(link_.Forgettable(now_));
  EXPECT_TRUE(link_.Forgettable(now_ + OutgoingLink::kForgetAfter));
  Push(2);
  EXPECT_FALSE(link_.Forgettable(now_ + OutgoingLink::kForgetAfter));
}

// A shard whose follower is far behind must not cost the others their leaders.
TEST_F(OutgoingLinkTest, HeartbeatsOvertakeALogTail) {
  Connect();
  for (std::uint64_t i = 1; i <= 8; ++i) link_.Push(AppendOf(7, i, 100u << 10), now_);
  ASSERT_TRUE(link_.Flush(now_).write);
  ASSERT_TRUE(link_.BeginWrite());
  const auto next = [&] {
    std::vector<std::uint64_t> shards;
    std::vector<QueuedMessage> batch;
    if (link_.NextToWrite(batch, now_) == NextWrite::kNothing) return shards;
    for (const QueuedMessage& message : batch) shards.push_back(message.envelope.shard.value());
    link_.WroteFrame(now_);
    return shards;
  };
  using Shards = std::vector<std::uint64_t>;
  EXPECT_EQ(next(), Shards{7});
  for (std::uint64_t shard = 1; shard <= 3; ++shard) link_.Push(HeartbeatOf(shard, 9), now_);
  EXPECT_EQ(next(), (Shards{1, 2, 3, 7})) << "and the frame is filled up";
  for (int i = 0; i < 6; ++i) EXPECT_EQ(next(), Shards{7});
  EXPECT_EQ(next(), Shards{});
}

// Data that does not fit beside them has its turn all the same.
TEST_F(OutgoingLinkTest, NobodyOvertakesForEver) {
  Connect();
  link_.Push(AppendOf(7, 1, OutgoingLink::kBatchBytes), now_);
  for (int frame = 1; frame <= 2; ++frame) {
    link_.Push(HeartbeatOf(1, 9), now_);
    ASSERT_EQ(link_.Flush(now_).write, true);
    ASSERT_TRUE(link_.BeginWrite());
    std::vector<QueuedMessage> batch;
    ASSERT_EQ(link_.NextToWrite(batch, now_), NextWrite::kEncode);
    EXPECT_EQ(batch.front().envelope.shard, ShardId(frame == 1 ? 1 : 7)) << frame;
    link_.WroteFrame(now_);
    link_.EndWrite();
  }
}

// Who asks for a transfer wants what was proposed before to be done with.
TEST_F(OutgoingLinkTest, ATransferDoesNotOvertakeProposals) {
  Connect();
  link_.Push(AppendOf(1, 1, 10), now_);
  raft::Envelope transfer = HeartbeatOf(1, 1);
  transfer.message = raft::LeaderTransferRequest{};
  link_.Push(std::move(transfer), now_);
  ASSERT_TRUE(link_.BeginWrite());
  std::vector<QueuedMessage> batch;
  ASSERT_EQ(link_.NextToWrite(batch, now_), NextWrite::kEncode);
  ASSERT_EQ(batch.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<raft::LeaderTransferRequest>(batch[1].envelope.message));
}

}  // namespace
}  // namespace drumbeat::transport
