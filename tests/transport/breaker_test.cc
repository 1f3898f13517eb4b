// SPDX-License-Identifier: Apache-2.0
#include "transport/breaker.h"

#include <set>

#include <gtest/gtest.h>

namespace drumbeat::transport {
namespace {

using std::chrono::milliseconds;

TEST(BreakerTest, AllowsUntilSomethingFails) {
  Breaker breaker(1);
  const Time start{std::chrono::hours(1)};
  EXPECT_TRUE(breaker.Allows(start));
  breaker.Failed(start);
  EXPECT_FALSE(breaker.Allows(start));
  EXPECT_FALSE(breaker.Allows(breaker.retry_at() - Duration(1)));
  EXPECT_TRUE(breaker.Allows(breaker.retry_at()));
}

TEST(BreakerTest, PausesGrowByHalfToASecondAndAreSpread) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Breaker breaker(seed);
    const Time now{std::chrono::hours(1)};
    for (const Duration nominal : {Duration(milliseconds(500)), Duration(milliseconds(750)),
                                   Duration(milliseconds(1000)), Duration(milliseconds(1000))}) {
      breaker.Failed(now);
      EXPECT_GE(breaker.retry_at() - now, nominal / 2);
      EXPECT_LE(breaker.retry_at() - now, nominal * 3 / 2);
    }
  }
}

TEST(BreakerTest, HostsDoNotComeBackInStep) {
  std::set<Time> times;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Breaker breaker(seed);
    breaker.Failed(Time{});
    times.insert(breaker.retry_at());
  }
  EXPECT_GT(times.size(), 90u);
}

TEST(BreakerTest, SuccessStartsOver) {
  Breaker breaker(1);
  const Time now{std::chrono::hours(1)};
  for (int i = 0; i < 5; ++i) breaker.Failed(now);
  breaker.Succeeded();
  EXPECT_TRUE(breaker.Allows(now));
  breaker.Failed(now);
  EXPECT_LE(breaker.retry_at() - now, Breaker::kFirstPause * 3 / 2);
}

TEST(BreakerTest, HearingOfTheAddressEndsThePause) {
  Breaker breaker(1);
  const Time now{std::chrono::hours(1)};
  breaker.Failed(now);
  breaker.Heard(now + milliseconds(10));
  EXPECT_TRUE(breaker.Allows(now + milliseconds(10)));
  EXPECT_FALSE(breaker.Allows(now + milliseconds(9)));
}

TEST(BreakerTest, HearingOfTheAddressNeverMakesAPauseLonger) {
  Breaker breaker(1);
  const Time now{std::chrono::hours(1)};
  breaker.Heard(now);
  EXPECT_TRUE(breaker.Allows(now));
  breaker.Failed(now);
  breaker.Heard(now);
  breaker.Failed(now);
  const Time end = breaker.retry_at();
  breaker.Heard(end - milliseconds(1));
  EXPECT_LE(breaker.retry_at(), end);
}

TEST(BreakerTest, WhoeverClaimsToBeThereAllTheTimeCausesFewDials) {
  Breaker breaker(1);
  const Time start{std::chrono::hours(1)};
  int dials = 0;
  for (Time now = start; now < start + std::chrono::seconds(10); now += milliseconds(1)) {
    breaker.Heard(now);
    if (!breaker.Allows(now)) continue;
    ++dials;
    breaker.Failed(now);
  }
  EXPECT_LE(dials, 1 + std::chrono::seconds(10) / Breaker::kHeardPause);
}

}  // namespace
}  // namespace drumbeat::transport
