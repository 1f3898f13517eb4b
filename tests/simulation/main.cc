// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "simulation/simulation.h"

// simulate [FIRST_SEED [SEEDS]]: runs seeds, one line each, and ends with the first that breaks.
// simulate --seconds N [FIRST_SEED]: as many as fit.
// DRUMBEAT_SIM_LEAST=1000: fails when fewer hours are simulated in an hour of one core.

namespace {

using drumbeat::simulation::Happening;
using drumbeat::simulation::Happenings;
using drumbeat::simulation::microseconds;
using drumbeat::simulation::Report;
using drumbeat::simulation::Simulation;

double Seconds(microseconds time) { return static_cast<double>(time.count()) / 1e6; }

/// What many runs came to.
class Totals {
 public:
  void Add(const Report& report) {
    hours_ += Seconds(report.simulated) / 3600;
    writes_ += report.writes;
    reads_ += report.reads;
    happenings_.Add(report.happenings);
    images_ += report.images_compared;
    commits_ += report.commits;
    ++runs_;
    recoveries_.push_back(Seconds(report.recovery));
    if (report.failover) failovers_.push_back(Seconds(*report.failover));
  }

  /// Whether as many hours as `least` were simulated in an hour of one core, all happened that may,
  /// and leaders were replaced in time (P6). Runs that are too few to say so are let pass.
  bool Print(double least) {
    const double spent = static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
    const double speed = hours_ * 3600 / spent;
    const bool fast = speed >= least || spent < kShortestJudged;
    std::printf("%.1f simulated hours in %.1f s of one core: %.0f hours per hour%s\n", hours_,
                spent, speed, fast ? "" : ", TOO SLOW");
    std::printf("%llu writes, %llu reads, %llu commits and %llu snapshots compared\n",
                static_cast<unsigned long long>(writes_), static_cast<unsigned long long>(reads_),
                static_cast<unsigned long long>(commits_),
                static_cast<unsigned long long>(images_));
    std::printf("%s\n", happenings_.Describe().c_str());
    const std::string missing = runs_ >= kRunsForAll ? happenings_.Missing() : "";
    if (!missing.empty()) std::printf("NEVER HAPPENED: %s\n", missing.c_str());
    Print("all agree after the last fault", recoveries_);
    Print("written again after a leader's crash", failovers_);
    const bool judged = least > 0 && runs_ >= kRunsForAll;
    const bool soon = !judged || At(failovers_, 95) <= kSoon;
    if (!soon) std::printf("TOO LATE: of 100 crashes, 95 must be over in %.1f s\n", kSoon);
    return fast && missing.empty() && soon;
  }

 private:
  static constexpr double kShortestJudged = 5;  // s of one core
  static constexpr std::uint64_t kRunsForAll = 100;
  /// Three election timeouts, where clocks are a fifth slow.
  static constexpr double kSoon = 7.2;

  /// `seconds` is sorted.
  static double At(const std::vector<double>& seconds, std::size_t percent) {
    return seconds.empty() ? 0 : seconds[(seconds.size() - 1) * percent / 100];
  }
  static void Print(const char* what, std::vector<double>& seconds) {
    std::ranges::sort(seconds);
    std::printf("%s (s, election timeout 2 s): median %.1f, 95 %% %.1f, 99 %% %.1f, longest %.1f\n",
                what, At(seconds, 50), At(seconds, 95), At(seconds, 99), At(seconds, 100));
  }

  double hours_ = 0;
  std::uint64_t writes_ = 0;
  std::uint64_t reads_ = 0;
  std::uint64_t commits_ = 0;
  std::uint64_t images_ = 0;
  std::uint64_t runs_ = 0;
  Happenings happenings_;
  std::vector<double> recoveries_;
  std::vector<double> failovers_;
};

bool RunSeed(std::uint64_t seed, Totals& totals) {
  std::string plan;
  try {
    Simulation simulation(seed);
    plan = simulation.plan().Describe();
    const Report report = simulation.Run();
    totals.Add(report);
    std::printf(
        "seed %llu: trace %016llx, %llu events, %llu writes, %llu reads, %llu leaders, %llu "
        "crashes, %llu power cuts, recovery %.1f s, failover %.1f s; %s\n",
        static_cast<unsigned long long>(seed), static_cast<unsigned long long>(report.trace),
        static_cast<unsigned long long>(report.events),
        static_cast<unsigned long long>(report.writes),
        static_cast<unsigned long long>(report.reads),
        static_cast<unsigned long long>(report.leaders),
        static_cast<unsigned long long>(report.happenings.Of(Happening::kCrash)),
        static_cast<unsigned long long>(report.happenings.Of(Happening::kPowerCut)),
        Seconds(report.recovery), report.failover ? Seconds(*report.failover) : 0.0, plan.c_str());
    return true;
  } catch (const std::exception& problem) {
    std::printf("seed %llu: BROKEN: %s (%s)\n", static_cast<unsigned long long>(seed),
                problem.what(), plan.c_str());
    return false;
  }
}

}  // namespace

int main(int argc, char** argv) {
  // Line by line, so that a seed that ends the process can be told.
  std::setvbuf(stdout, nullptr, _IOLBF, 1 << 16);
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
  Totals totals;
  std::uint64_t done = 0;
  std::uint64_t broken = 0;
  while (done < count && (seconds == 0 || spent() < seconds) && (seconds > 0 || broken == 0)) {
    if (!RunSeed(first + done, totals)) ++broken;
    ++done;
  }
  std::printf("%llu seeds, %llu broken\n", static_cast<unsigned long long>(done),
              static_cast<unsigned long long>(broken));
  const char* least = std::getenv("DRUMBEAT_SIM_LEAST");
  const bool fast = totals.Print(least == nullptr ? 0 : std::atof(least));
  return broken == 0 && fast ? 0 : 1;
}
