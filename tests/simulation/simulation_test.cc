// SPDX-License-Identifier: Apache-2.0
#include "simulation/simulation.h"

#include <gtest/gtest.h>

namespace drumbeat::simulation {
namespace {

class Seeds : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Seeds, KeepEveryPromise) {
  for (std::uint64_t seed = GetParam(); seed < GetParam() + 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    EXPECT_NO_THROW(Simulation(seed).Run());
  }
}

INSTANTIATE_TEST_SUITE_P(Fixed, Seeds, testing::Range<std::uint64_t>(1, 201, 10));

TEST(SimulationTest, TheSameSeedGivesTheSameRun) {
  EXPECT_EQ(Simulation(7).Run().trace, Simulation(7).Run().trace);
  EXPECT_NE(Simulation(7).Run().trace, Simulation(8).Run().trace);
}

}  // namespace
}  // namespace drumbeat::simulation
