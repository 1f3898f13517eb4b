// SPDX-License-Identifier: Apache-2.0
#include "raft/rate_limit.h"

#include <gtest/gtest.h>

namespace drumbeat::raft {
namespace {

TEST(RateLimiterTest, WithoutALimitNothingIsLimited) {
  RateLimiter limiter(0);
  EXPECT_FALSE(limiter.enabled());
  limiter.Report(ReplicaId{2}, 1u << 30);
  EXPECT_FALSE(limiter.Limited(~std::uint64_t{0}));
}

TEST(RateLimiterTest, LimitsAboveAndFreesWellBelow) {
  RateLimiter limiter(1000);
  EXPECT_FALSE(limiter.Limited(1000));
  EXPECT_TRUE(limiter.Limited(1001));
  EXPECT_TRUE(limiter.Limited(900));
  EXPECT_TRUE(limiter.Limited(700));
  EXPECT_FALSE(limiter.Limited(699));
  EXPECT_FALSE(limiter.Limited(900));
}

TEST(RateLimiterTest, AMembersReportCountsUntilItIsOld) {
  RateLimiter limiter(1000);
  limiter.Report(ReplicaId{2}, 2000);
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(limiter.Limited(0)) << i;
    limiter.Tick();
  }
  EXPECT_FALSE(limiter.Limited(0));
}

TEST(RateLimiterTest, ANewerReportReplacesTheOlder) {
  RateLimiter limiter(1000);
  limiter.Report(ReplicaId{2}, 2000);
  EXPECT_TRUE(limiter.Limited(0));
  limiter.Report(ReplicaId{2}, 0);
  EXPECT_FALSE(limiter.Limited(0));
}

// Sharp edge 12 of Dragonboat: its followers' reports may have gone below zero.
TEST(RateLimiterTest, ASizeThatWrappedAroundIsIgnored) {
  RateLimiter limiter(1000);
  limiter.Report(ReplicaId{2}, 18446744073709550656u);
  EXPECT_FALSE(limiter.Limited(0));
}

TEST(RateLimiterTest, ReportsAreVoidInAnotherTerm) {
  RateLimiter limiter(1000);
  limiter.Report(ReplicaId{2}, 2000);
  limiter.ForgetReports();
  EXPECT_FALSE(limiter.Limited(0));
}

}  // namespace
}  // namespace drumbeat::raft
