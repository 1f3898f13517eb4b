// SPDX-License-Identifier: Apache-2.0
#include "transport/receive_turns.h"

#include <gtest/gtest.h>

namespace drumbeat::transport {
namespace {

using std::chrono::seconds;

constexpr std::uint64_t kRate = ReceiveTurns::kStreamBytesPerSecond;

class ReceiveTurnsTest : public testing::Test {
 protected:
  const Time now_{};
  int a_ = 0;
  int b_ = 0;
  int c_ = 0;
};

TEST_F(ReceiveTurnsTest, WithoutALimitEverybodyHasOne) {
  ReceiveTurns turns(0);
  for (const int* stream : {&a_, &b_, &c_}) EXPECT_TRUE(turns.Take(stream, now_));
}

// Ten streams, and a disk that writes a chunk in half a second.
TEST_F(ReceiveTurnsTest, WithoutALimitASlowDiskDecides) {
  ReceiveTurns turns(0);
  int streams[10] = {};
  for (int chunk = 0; chunk < 50; ++chunk) {
    std::size_t served = 0;
    for (const int& stream : streams) served += turns.Take(&stream, now_) ? 1 : 0;
    for (std::size_t i = 0; i < served; ++i) {
      turns.Handled(served * std::chrono::milliseconds(500), now_);
    }
    if (chunk == 0) {
      EXPECT_EQ(served, 10u) << "nobody knows yet";
      for (const int& stream : streams) turns.Release(&stream);
    } else {
      EXPECT_EQ(served, 4u) << chunk;
    }
  }
  for (const int& stream : streams) turns.Release(&stream);
  EXPECT_TRUE(turns.Take(&a_, now_)) << "one always has a turn";
  for (int i = 0; i < 50; ++i) turns.Handled(std::chrono::milliseconds(1), now_);
  for (const int& stream : streams) EXPECT_TRUE(turns.Take(&stream, now_)) << "it is fast again";
}

TEST_F(ReceiveTurnsTest, ThereAreAsManyAsTheRateCarriesAndAtLeastOne) {
  ReceiveTurns two(2 * kRate + 1);
  EXPECT_TRUE(two.Take(&a_, now_));
  EXPECT_TRUE(two.Take(&b_, now_));
  EXPECT_FALSE(two.Take(&c_, now_));
  EXPECT_TRUE(two.Take(&a_, now_)) << "who has one keeps it";
  ReceiveTurns one(1);
  EXPECT_TRUE(one.Take(&a_, now_));
  EXPECT_FALSE(one.Free(&b_, now_));
  EXPECT_FALSE(one.Take(&b_, now_));
}

TEST_F(ReceiveTurnsTest, TheNextOneGetsItWhenItIsGivenBack) {
  ReceiveTurns turns(kRate);
  ASSERT_TRUE(turns.Take(&a_, now_));
  turns.Release(&b_);
  EXPECT_FALSE(turns.Free(&b_, now_));
  turns.Release(&a_);
  EXPECT_TRUE(turns.Take(&b_, now_));
}

TEST_F(ReceiveTurnsTest, WhoStallsLosesItToWhoeverWantsIt) {
  ReceiveTurns turns(kRate);
  ASSERT_TRUE(turns.Take(&a_, now_));
  const Time later = now_ + ReceiveTurns::kIdleLimit + seconds(1);
  EXPECT_TRUE(turns.Take(&a_, later)) << "nobody wanted it";
  EXPECT_FALSE(turns.Free(&b_, later));
  const Time much_later = later + ReceiveTurns::kIdleLimit + seconds(1);
  EXPECT_TRUE(turns.Take(&b_, much_later));
  EXPECT_FALSE(turns.Take(&a_, much_later));
}

// A chunk's share of the rate must pass well before its sender gives up, at the least rate too.
TEST_F(ReceiveTurnsTest, NoSenderLosesPatience) {
  EXPECT_EQ(ReceiveTurns::RateFor(0), 0u);
  EXPECT_EQ(ReceiveTurns::RateFor(5 * kRate), 5 * kRate);
  EXPECT_LT((2.0 * (1u << 20)) / static_cast<double>(ReceiveTurns::RateFor(1)), 2.5);
}

}  // namespace
}  // namespace drumbeat::transport
