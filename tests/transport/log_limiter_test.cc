// SPDX-License-Identifier: Apache-2.0
#include "transport/log_limiter.h"

#include <gtest/gtest.h>

namespace drumbeat::transport {
namespace {

TEST(LogLimiterTest, AFewLinesPassThenTheyAreCounted) {
  LogLimiter limiter;
  const Time now{std::chrono::hours(1)};
  for (std::uint64_t i = 0; i < LogLimiter::kBurst; ++i) EXPECT_EQ(limiter.Allow(now), 0u);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(limiter.Allow(now + LogLimiter::kPeriod / 2));
  EXPECT_EQ(limiter.Allow(now + LogLimiter::kPeriod), 1000u);
  EXPECT_EQ(limiter.Allow(now + LogLimiter::kPeriod), 0u);
}

}  // namespace
}  // namespace drumbeat::transport
