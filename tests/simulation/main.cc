// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "simulation/simulation.h"

// simulate [FIRST_SEED [SEEDS]]: runs seeds, one line each, and stops at the first that breaks.
// simulate --seconds N [FIRST_SEED]: as many as fit.

namespace {

using drumbeat::simulation::Report;
using drumbeat::simulation::Simulation;

bool RunSeed(std::uint64_t seed, double& simulated_hours) {
  try {
    const Report report = Simulation(seed).Run();
    simulated_hours += static_cast<double>(report.simulated.count()) / 3.6e9;
    std::printf(
        "seed %llu: trace %016llx, %llu events, %llu writes, %llu reads, %llu leaders, %llu "
        "crashes\n",
        static_cast<unsigned long long>(seed), static_cast<unsigned long long>(report.trace),
        static_cast<unsigned long long>(report.events),
        static_cast<unsigned long long>(report.writes),
        static_cast<unsigned long long>(report.reads),
        static_cast<unsigned long long>(report.leaders),
        static_cast<unsigned long long>(report.crashes));
    return true;
  } catch (const std::exception& problem) {
    std::printf("seed %llu: BROKEN: %s\n", static_cast<unsigned long long>(seed), problem.what());
    return false;
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first = 1;
  std::uint64_t count = 1;
  double seconds = 0;
  if (argc > 2 && std::strcmp(argv[1], "--seconds") == 0) {
    seconds = std::atof(argv[2]);
    count = ~std::uint64_t{0};
    if (argc > 3) first = std::strtoull(argv[3], nullptr, 10);
  } else {
    if (argc > 1) first = std::strtoull(argv[1], nullptr, 10);
    if (argc > 2) count = std::strtoull(argv[2], nullptr, 10);
  }
  const auto begin = std::chrono::steady_clock::now();
  const auto spent = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  double hours = 0;
  std::uint64_t done = 0;
  std::uint64_t broken = 0;
  for (; done < count && (seconds == 0 || spent() < seconds); ++done) {
    if (!RunSeed(first + done, hours)) ++broken;
  }
  std::printf(
      "%llu seeds, %llu broken; %.1f simulated hours in %.1f s: %.0f hours per hour of one core\n",
      static_cast<unsigned long long>(done), static_cast<unsigned long long>(broken), hours,
      spent(), hours * 3600 / spent());
  return broken == 0 ? 0 : 1;
}
