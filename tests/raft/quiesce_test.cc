// SPDX-License-Identifier: Apache-2.0
#include "raft/quiesce.h"

#include <gtest/gtest.h>

namespace drumbeat::raft {
namespace {

constexpr std::uint64_t kElection = 10;
constexpr int kIdle = 20 * kElection;

int TicksUntilAsleep(Quiescence& quiescence) {
  for (int tick = 1; tick <= 10 * kIdle; ++tick) {
    if (quiescence.Tick(true)) return tick;
  }
  return -1;
}

TEST(QuiescenceTest, FallsAsleepAfterTwentyElectionTimeouts) {
  Quiescence quiescence(true, kElection);
  EXPECT_EQ(TicksUntilAsleep(quiescence), kIdle + 1);
  EXPECT_TRUE(quiescence.asleep());
  EXPECT_FALSE(quiescence.Tick(true));
}

TEST(QuiescenceTest, NeverWhenItIsOff) {
  Quiescence quiescence(false, kElection);
  EXPECT_EQ(TicksUntilAsleep(quiescence), -1);
  EXPECT_FALSE(quiescence.OnNotice(true));
}

TEST(QuiescenceTest, NotWhileSomethingIsGoingOn) {
  Quiescence quiescence(true, kElection);
  for (int i = 0; i < 2 * kIdle; ++i) ASSERT_FALSE(quiescence.Tick(false));
  EXPECT_FALSE(quiescence.OnNotice(false));
  EXPECT_TRUE(quiescence.Tick(true));
}

TEST(QuiescenceTest, ActivityWakesAndStartsTheCountAnew) {
  Quiescence quiescence(true, kElection);
  TicksUntilAsleep(quiescence);
  EXPECT_TRUE(quiescence.OnActivity());
  EXPECT_FALSE(quiescence.asleep());
  EXPECT_FALSE(quiescence.OnActivity());
  EXPECT_EQ(TicksUntilAsleep(quiescence), kIdle + 1);
}

TEST(QuiescenceTest, ANoticePutsItToSleep) {
  Quiescence quiescence(true, kElection);
  for (int i = 0; i < kIdle; ++i) {
    quiescence.OnActivity();
    quiescence.Tick(true);
  }
  EXPECT_FALSE(quiescence.OnNotice(true));  // too young
  quiescence.Tick(true);
  EXPECT_TRUE(quiescence.OnNotice(true));
  EXPECT_TRUE(quiescence.asleep());
  EXPECT_FALSE(quiescence.OnNotice(true));
}

TEST(QuiescenceTest, ANoticeRightAfterWakingIsALateOne) {
  Quiescence quiescence(true, kElection);
  TicksUntilAsleep(quiescence);
  quiescence.OnActivity();
  EXPECT_FALSE(quiescence.OnNotice(true));
}

TEST(QuiescenceTest, AHeartbeatWakesOnlyWhenItCannotBeALateOne) {
  Quiescence quiescence(true, kElection);
  EXPECT_FALSE(quiescence.OnPlainHeartbeat());
  TicksUntilAsleep(quiescence);
  for (std::uint64_t i = 0; i < 2 * kElection; ++i) {
    EXPECT_FALSE(quiescence.OnPlainHeartbeat());
    quiescence.Tick(true);
  }
  EXPECT_TRUE(quiescence.OnPlainHeartbeat());
  EXPECT_FALSE(quiescence.asleep());
}

}  // namespace
}  // namespace drumbeat::raft
