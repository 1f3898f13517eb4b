// SPDX-License-Identifier: Apache-2.0
//
// What a person notices: how soon a line appears, and how soon a program ends.
#include <algorithm>
#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "system/cluster.h"
#include "system/settings.h"
#include "system/system_test.h"

namespace drumbeat::system {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class LatencyTest : public SystemTest {
 protected:
  // From typing until the last of the three has printed it.
  Clock::duration TimeToBeSeen(Cluster& cluster, int typed, const std::string& message) {
    const auto start = Clock::now();
    cluster.Say(typed, message);
    Clock::time_point seen = start;
    for (const int replica : Cluster::kFounders) {
      const auto line = cluster.replica(replica).out().Await("msg: " + message + ",", kLongWait);
      if (line) seen = std::max(seen, line->time);
    }
    return seen - start;
  }
};

TEST_F(LatencyTest, ALineIsSeenEverywhereInAMoment) {
  if (kSanitized) GTEST_SKIP() << "*** NOT TESTED: a sanitizer's times and memory ***";
  Cluster cluster;
  cluster.StartAndAwaitLeader();
  for (const int replica : Cluster::kFounders) {
    // The first line of a process takes a session.
    cluster.Say(replica, "warm " + std::to_string(replica));
  }
  std::vector<Clock::duration> times;
  for (int i = 0; i < 100; ++i) {
    times.push_back(TimeToBeSeen(cluster, i % 3 + 1, "line " + std::to_string(i)));
  }
  std::ranges::sort(times);
  std::cout << "median " << Seconds(times[50]) * 1000 << " ms, 99 % " << Seconds(times[98]) * 1000
            << " ms, worst " << Seconds(times[99]) * 1000 << " ms\n";
  EXPECT_LT(times[50], Scaled(milliseconds(20)));
}

TEST_F(LatencyTest, ItEndsSoonWhateverTheGroupDoes) {
  Cluster cluster;
  cluster.StartAndAwaitLeader();
  const auto end = [&](int replica, int signal) {
    const auto start = Clock::now();
    cluster.replica(replica).Signal(signal);
    const Ending ending = cluster.AwaitEnd(replica);
    EXPECT_LT(Clock::now() - start, Scaled(seconds(2))) << "replica " << replica;
    EXPECT_EQ(ending.status, 128 + signal) << "replica " << replica;
    EXPECT_TRUE(ending.by_signal);
  };
  end(3, SIGTERM);
  end(2, SIGINT);
  // No majority, and a line and a change that wait for one.
  cluster.replica(1).Type("nobody is there");
  cluster.replica(1).Type("remove 2");
  end(1, SIGTERM);
  // One that has never known a leader.
  cluster.Start(2);
  cluster.replica(2).Type("nobody was there");
  EXPECT_TRUE(cluster.replica(2).out().Await("node address", kLongWait));
  end(2, SIGINT);
  // One that reads a line which has no end.
  cluster.Start(3);
  EXPECT_TRUE(cluster.replica(3).out().Await("node address", kLongWait));
  cluster.replica(3).Write("half a li");
  end(3, SIGTERM);
}

class FootprintTest : public SystemTest {};

TEST_F(FootprintTest, AnIdleReplicaNeedsLittleAndIsQuiet) {
  if (kSanitized) GTEST_SKIP() << "*** NOT TESTED: a sanitizer's times and memory ***";
  Cluster cluster;
  cluster.StartAndAwaitLeader();
  cluster.SayMany(1, "line ", 30);
  for (const int replica : Cluster::kFounders) {
    // The last snapshot, at index 33, is taken.
    int snapshots = 0;
    const auto third = [&](const std::string& line) {
      return line.find("snapshot captured") != std::string::npos && ++snapshots == 3;
    };
    EXPECT_TRUE(cluster.replica(replica).err().Await(third, kLongWait));
  }
  std::vector<milliseconds> before;
  std::vector<std::size_t> marks;
  for (const int replica : Cluster::kFounders) {
    before.push_back(cluster.replica(replica).CpuTime());
    marks.push_back(cluster.replica(replica).err().Mark());
  }
  const auto start = Clock::now();
  // The first periodic read ends the measurement.
  const Capture& out = cluster.replica(1).out();
  EXPECT_TRUE(out.Await("count: 31", kLongWait, out.Mark()));
  const double elapsed = Seconds(Clock::now() - start);
  EXPECT_GT(elapsed, 3);
  for (const int replica : Cluster::kFounders) {
    const auto at = static_cast<std::size_t>(replica - 1);
    const Program& program = cluster.replica(replica);
    const double used = Seconds(program.CpuTime() - before[at]) / elapsed;
    std::cout << "replica " << replica << ": " << used * 100 << " % of a core, "
              << program.ResidentKib() / 1024 << " MiB\n";
    EXPECT_LT(used, 0.01) << "replica " << replica;
    EXPECT_LT(program.ResidentKib(), 60U * 1024) << "replica " << replica;
    EXPECT_EQ(program.err().Text(marks[at]), "") << "replica " << replica;
  }
}

}  // namespace
}  // namespace drumbeat::system
