// SPDX-License-Identifier: Apache-2.0
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "fuzz/seeds.h"
#include "fuzz/targets.h"

// The targets of the fuzzer, in the ordinary build: their seeds, some chance, and past findings.
namespace drumbeat::fuzz {
namespace {

class ReplayTest : public testing::TestWithParam<Target> {
 protected:
  std::vector<Seed> Seeds() const { return SeedsOf(GetParam().name, DRUMBEAT_WIRE_VECTORS); }
  std::vector<Seed> Findings() const {
    return FindingsIn(std::string(DRUMBEAT_FUZZ_FINDINGS) + "/" + std::string(GetParam().name));
  }
};

std::string Hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes.substr(0, 4096)) {
    hex.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
    hex.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
  }
  return hex;
}

TEST_P(ReplayTest, SeedsAndFindingsHold) {
  for (const Seed& seed : Seeds()) EXPECT_EQ(GetParam().run(seed.bytes), "") << seed.name;
  for (const Seed& seed : Findings()) EXPECT_EQ(GetParam().run(seed.bytes), "") << seed.name;
  EXPECT_EQ(GetParam().run(""), "");
}

// Not to find anything, which is the fuzzer's work, but so that no target rots.
TEST_P(ReplayTest, SeedsChangedAtRandomHold) {
  base::Random random(7);
  std::vector<Seed> seeds = Seeds();
  seeds.push_back({"empty", ""});
  for (int round = 0; round < 500; ++round) {
    std::string bytes = seeds[random.Below(seeds.size())].bytes;
    for (std::uint64_t left = random.Below(6); left > 0 && !bytes.empty(); --left) {
      bytes[random.Below(bytes.size())] = static_cast<char>(random.Next());
    }
    for (std::uint64_t left = random.Below(200); left > 0; --left) {
      bytes.push_back(static_cast<char>(random.Next()));
    }
    ASSERT_EQ(GetParam().run(bytes), "") << Hex(bytes);
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, ReplayTest,
                         testing::ValuesIn(AllTargets().begin(), AllTargets().end()),
                         [](const testing::TestParamInfo<Target>& tested) {
                           return std::string(tested.param.name);
                         });

}  // namespace
}  // namespace drumbeat::fuzz
