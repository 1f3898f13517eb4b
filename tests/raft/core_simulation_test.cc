// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include <gtest/gtest.h>

#include "raft/simulation.h"

namespace drumbeat::raft::testing {
namespace {

constexpr std::uint64_t kSteps = 8000;

/// A number from the environment, or `otherwise`.
std::uint64_t FromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

SimulationStatistics RunSeed(std::uint64_t seed) {
  Simulation simulation(seed);
  try {
    simulation.Run(kSteps);
    simulation.Converge();
  } catch (const std::exception& broken) {
    ADD_FAILURE() << "DRUMBEAT_SEED=" << seed << " after step " << simulation.statistics().steps
                  << ": " << broken.what() << "\n"
                  << simulation.Describe();
  }
  return simulation.statistics();
}

// DRUMBEAT_SEED replays one seed; DRUMBEAT_SEEDS sets how many are tried.
TEST(CoreSimulationTest, NoSeedBreaksSafetyAndEveryShardRecovers) {
  const std::uint64_t only = FromEnvironment("DRUMBEAT_SEED", 0);
  const std::uint64_t first = only != 0 ? only : FromEnvironment("DRUMBEAT_FIRST_SEED", 1);
  const std::uint64_t count = only != 0 ? 1 : FromEnvironment("DRUMBEAT_SEEDS", 300);
  SimulationStatistics sum;
  for (std::uint64_t seed = first; seed < first + count && !HasFailure(); ++seed) {
    sum.Add(RunSeed(seed));
  }
  std::printf(
      "%llu steps, %llu crashes, %llu messages (%llu lost), %llu terms, %llu entries, "
      "%llu changes, %llu reads, %llu snapshots restored\n",
      static_cast<unsigned long long>(sum.steps), static_cast<unsigned long long>(sum.crashes),
      static_cast<unsigned long long>(sum.messages), static_cast<unsigned long long>(sum.lost),
      static_cast<unsigned long long>(sum.terms), static_cast<unsigned long long>(sum.entries),
      static_cast<unsigned long long>(sum.changes), static_cast<unsigned long long>(sum.reads),
      static_cast<unsigned long long>(sum.restored));
  if (only != 0 || HasFailure()) return;
  // The chaos must reach what it is meant to reach.
  EXPECT_GT(sum.crashes, count);
  EXPECT_GT(sum.terms, 2 * count);
  EXPECT_GT(sum.entries, 20 * count);
  EXPECT_GT(sum.reads, count);
  EXPECT_GT(sum.restored, count / 10);
}

}  // namespace
}  // namespace drumbeat::raft::testing
