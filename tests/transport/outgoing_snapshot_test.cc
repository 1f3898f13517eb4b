// SPDX-License-Identifier: Apache-2.0
#include "transport/outgoing_snapshot.h"

#include <gtest/gtest.h>

#include "codec/frame.h"

namespace drumbeat::transport {
namespace {

using Step = SnapshotStep;
using std::chrono::milliseconds;
using std::chrono::seconds;

class OutgoingSnapshotTest : public testing::Test {
 protected:
  void Connect() {
    ASSERT_EQ(snapshot_.Start(), Step::kDial);
    ASSERT_EQ(snapshot_.Dialed(), Step::kFetch);
  }
  void WriteChunk() {
    ASSERT_EQ(snapshot_.FetchedChunk(now_, Time::min()), Step::kWrite);
    ASSERT_EQ(snapshot_.Written(now_), Step::kFetch);
  }
  void WritePoison() {
    ASSERT_EQ(snapshot_.FetchedEnd(now_), Step::kPoison);
    ASSERT_EQ(snapshot_.Written(now_), Step::kNothing);
  }

  OutgoingSnapshot snapshot_;
  Time now_{std::chrono::hours(1)};
};

TEST_F(OutgoingSnapshotTest, ChunksThenPoisonThenConfirmation) {
  Connect();
  for (int i = 0; i < 3; ++i) WriteChunk();
  WritePoison();
  EXPECT_EQ(snapshot_.deadline(), now_ + OutgoingSnapshot::kAckLimit);
  EXPECT_EQ(snapshot_.Received(codec::kPoison), Step::kFinish);
  EXPECT_TRUE(snapshot_.result());
  EXPECT_FALSE(snapshot_.deadline());
}

TEST_F(OutgoingSnapshotTest, TheConfirmationMayComeByteByByteAndEarly) {
  Connect();
  ASSERT_EQ(snapshot_.FetchedEnd(now_), Step::kPoison);
  EXPECT_EQ(snapshot_.Received(codec::kPoison.substr(0, 1)), Step::kNothing);
  EXPECT_EQ(snapshot_.Received(codec::kPoison.substr(1, 1)), Step::kFinish);
  EXPECT_TRUE(snapshot_.result());
  EXPECT_EQ(snapshot_.Written(now_), Step::kNothing);
}

TEST_F(OutgoingSnapshotTest, AnythingElseThanTheConfirmationIsAFailure) {
  Connect();
  WriteChunk();
  EXPECT_EQ(snapshot_.Received(codec::kPoison), Step::kFinish) << "before its time";
  EXPECT_FALSE(snapshot_.result());

  OutgoingSnapshot other;
  other.Start();
  other.Dialed();
  other.FetchedEnd(now_);
  other.Written(now_);
  EXPECT_EQ(other.Received("no"), Step::kFinish);
  EXPECT_FALSE(other.result());
}

TEST_F(OutgoingSnapshotTest, NoConfirmationInTimeIsAFailure) {
  Connect();
  WritePoison();
  now_ += OutgoingSnapshot::kAckLimit - milliseconds(1);
  EXPECT_EQ(snapshot_.Tick(now_), Step::kNothing);
  now_ += milliseconds(1);
  EXPECT_EQ(snapshot_.Tick(now_), Step::kFinish);
  ASSERT_FALSE(snapshot_.result());
  EXPECT_EQ(snapshot_.result().error().code, ErrorCode::kTimeout);
}

TEST_F(OutgoingSnapshotTest, AReceiverThatTakesNothingIsGivenUp) {
  Connect();
  ASSERT_EQ(snapshot_.FetchedChunk(now_, Time::min()), Step::kWrite);
  now_ += OutgoingSnapshot::kStallLimit - milliseconds(1);
  EXPECT_EQ(snapshot_.Tick(now_), Step::kNothing);
  snapshot_.Progress(now_);
  now_ += OutgoingSnapshot::kStallLimit - milliseconds(1);
  EXPECT_EQ(snapshot_.Tick(now_), Step::kNothing);
  now_ += milliseconds(1);
  EXPECT_EQ(snapshot_.Tick(now_), Step::kFinish);
  EXPECT_FALSE(snapshot_.result());
}

TEST_F(OutgoingSnapshotTest, TheRateLimitHoldsAChunkBackBeforeItsFirstByte) {
  Connect();
  const Time free_at = now_ + seconds(30);
  ASSERT_EQ(snapshot_.FetchedChunk(now_, free_at), Step::kPause);
  EXPECT_EQ(snapshot_.deadline(), free_at);
  EXPECT_EQ(snapshot_.Tick(free_at - milliseconds(1)), Step::kNothing);
  EXPECT_EQ(snapshot_.Tick(free_at), Step::kWrite);
  EXPECT_EQ(snapshot_.deadline(), free_at + OutgoingSnapshot::kStallLimit);
}

TEST_F(OutgoingSnapshotTest, ASlowSourceIsWaitedFor) {
  Connect();
  WriteChunk();
  EXPECT_FALSE(snapshot_.deadline());
  EXPECT_EQ(snapshot_.Tick(now_ + std::chrono::hours(1)), Step::kNothing);
}

TEST_F(OutgoingSnapshotTest, AFailureAtAnyPointFinishesOnce) {
  for (int steps = 0; steps <= 6; ++steps) {
    OutgoingSnapshot snapshot;
    if (steps > 0) snapshot.Start();
    if (steps > 1) snapshot.Dialed();
    if (steps > 2) snapshot.FetchedChunk(now_, Time::min());
    if (steps > 3) snapshot.Written(now_);
    if (steps > 4) snapshot.FetchedEnd(now_);
    if (steps > 5) snapshot.Written(now_);
    EXPECT_EQ(snapshot.Failed({ErrorCode::kTerminated, "reset"}), Step::kFinish) << steps;
    ASSERT_FALSE(snapshot.result());
    EXPECT_EQ(snapshot.result().error().message, "reset");
    // Whatever comes later changes nothing.
    EXPECT_EQ(snapshot.Failed({ErrorCode::kClosed, "stop"}), Step::kNothing);
    EXPECT_EQ(snapshot.Dialed(), Step::kNothing);
    EXPECT_EQ(snapshot.FetchedChunk(now_, Time::min()), Step::kNothing);
    EXPECT_EQ(snapshot.FetchedEnd(now_), Step::kNothing);
    EXPECT_EQ(snapshot.Written(now_), Step::kNothing);
    EXPECT_EQ(snapshot.Received(codec::kPoison), Step::kNothing);
    EXPECT_EQ(snapshot.Tick(now_ + std::chrono::hours(1)), Step::kNothing);
    EXPECT_EQ(snapshot.result().error().message, "reset");
  }
}

}  // namespace
}  // namespace drumbeat::transport
