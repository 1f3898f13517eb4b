// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include <array>
#include <set>

#include <gtest/gtest.h>

namespace drumbeat::base {
namespace {

TEST(RandomTest, ASeedAlwaysGivesTheSameNumbers) {
  Random one(42);
  Random same(42);
  Random other(43);
  int different = 0;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t number = one.Next();
    EXPECT_EQ(number, same.Next());
    different += number != other.Next() ? 1 : 0;
  }
  EXPECT_EQ(different, 100);
}

// Pins the sequence: simulations are told apart by their seeds, on every machine and for ever.
// splitmix64 of seed 0 fills the state with e220a8397b1dcdaf, 6e789e6aa1b965f4, 06c45d188009454f,
// f88bb8a8724c81ec; the first output is rotl(state[1] * 5, 7) * 9.
TEST(RandomTest, TheSequenceIsThatOfItsSource) {
  const std::uint64_t second = 0x6e789e6aa1b965f4u;
  const std::uint64_t product = second * 5;
  const std::uint64_t rotated = (product << 7) | (product >> 57);
  EXPECT_EQ(Random(0).Next(), rotated * 9);
}

TEST(RandomTest, BelowStaysBelowAndReachesEverything) {
  Random random(7);
  std::array<int, 6> seen{};
  for (int i = 0; i < 6000; ++i) {
    const std::uint64_t number = random.Below(6);
    ASSERT_LT(number, 6u);
    ++seen[number];
  }
  for (const int times : seen) EXPECT_NEAR(times, 1000, 200);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(random.Below(1), 0u);
  EXPECT_LT(random.Below(~std::uint64_t{0}), ~std::uint64_t{0});
}

TEST(RandomTest, OneInIsThat) {
  Random random(7);
  int hits = 0;
  for (int i = 0; i < 10000; ++i) hits += random.OneIn(10) ? 1 : 0;
  EXPECT_NEAR(hits, 1000, 200);
  EXPECT_TRUE(random.OneIn(1));
}

TEST(RandomTest, TheSystemsNumbersDiffer) {
  std::set<std::uint64_t> numbers;
  for (int i = 0; i < 1000; ++i) numbers.insert(SystemRandom());
  EXPECT_EQ(numbers.size(), 1000u);
}

TEST(RandomTest, UuidsAreOfVersion4) {
  std::set<std::string> uuids;
  for (int i = 0; i < 100; ++i) {
    const std::string uuid = MakeUuid();
    ASSERT_EQ(uuid.size(), 36u);
    for (std::size_t at = 0; at < uuid.size(); ++at) {
      if (at == 8 || at == 13 || at == 18 || at == 23) {
        EXPECT_EQ(uuid[at], '-') << uuid;
      } else {
        EXPECT_NE(std::string("0123456789abcdef").find(uuid[at]), std::string::npos) << uuid;
      }
    }
    EXPECT_EQ(uuid[14], '4') << uuid;
    EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos) << uuid;
    uuids.insert(uuid);
  }
  EXPECT_EQ(uuids.size(), 100u);
}

}  // namespace
}  // namespace drumbeat::base
