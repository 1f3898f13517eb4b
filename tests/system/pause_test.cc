// SPDX-License-Identifier: Apache-2.0
//
// Processes that stand still and go on, by SIGSTOP and SIGCONT.
#include <csignal>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "system/cluster.h"
#include "system/settings.h"
#include "system/system_test.h"

namespace drumbeat::system {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class PauseTest : public SystemTest {
 protected:
  // Waits `time`; ends early when the program ends, which it does not.
  static void Pass(const Program& program, milliseconds time) { program.out().AwaitClose(time); }

  Cluster cluster_;
};

TEST_F(PauseTest, AShortPauseOfTheLeaderIsForgiven) {
  cluster_.StartAndAwaitLeader();
  const int leader = cluster_.Leader();
  ASSERT_NE(leader, 0);
  Program& paused = cluster_.replica(leader);
  const auto start = Clock::now();
  paused.Signal(SIGSTOP);
  const int other = leader % 3 + 1;
  cluster_.replica(other).Type("typed during a short pause");
  // Half an election timeout.
  Pass(paused, seconds(1));
  paused.Signal(SIGCONT);
  for (const int replica : Cluster::kFounders) {
    EXPECT_EQ(cluster_.AwaitUpdate(replica, "typed during a short pause"), 2U);
  }
  // Unless this machine took longer than that, nobody's patience may have ended.
  const bool in_time = Clock::now() - start < milliseconds(1900);
  if (in_time) {
    EXPECT_EQ(cluster_.Leader(), leader);
  }
  EXPECT_EQ(cluster_.Say(leader, "after it"), 3U);
}

TEST_F(PauseTest, ALeaderThatSleptReadsNothingStale) {
  cluster_.StartAndAwaitLeader();
  const int leader = cluster_.Leader();
  ASSERT_NE(leader, 0);
  const int left = leader % 3 + 1;
  const int right = left % 3 + 1;
  Program& paused = cluster_.replica(leader);
  // The old leader will find a line to propose, and its periodic read due, when it wakes up.
  paused.Signal(SIGSTOP);
  const auto start = Clock::now();
  paused.Type("typed at a sleeper");
  EXPECT_EQ(cluster_.Say(left, "a new leader", {left, right}), 2U);
  EXPECT_EQ(cluster_.Say(right, "goes on", {left, right}), 3U);
  // Three election timeouts at least, and past the sleeper's tenth second.
  Pass(paused, std::chrono::duration_cast<milliseconds>(start + seconds(8) - Clock::now()));
  const std::size_t mark = paused.out().Mark();
  paused.Signal(SIGCONT);
  EXPECT_EQ(cluster_.AwaitUpdate(leader, "goes on"), 3U);
  EXPECT_EQ(cluster_.AwaitUpdate(leader, "typed at a sleeper"), 4U);
  const auto count = paused.out().Await(
      [](const std::string& line) { return line.starts_with("count: "); }, kLongWait, mark);
  ASSERT_TRUE(count) << paused.out().Tail();
  EXPECT_GE(std::strtoul(count->text.c_str() + 7, nullptr, 10), 3U) << "a stale read";
}

TEST_F(PauseTest, WithOneAsleepAndOneDeadNothingIsConfirmed) {
  cluster_.StartAndAwaitLeader();
  const int leader = cluster_.Leader();
  ASSERT_NE(leader, 0);
  const int sleeper = leader % 3 + 1;
  const int dead = sleeper % 3 + 1;
  cluster_.replica(sleeper).Signal(SIGSTOP);
  cluster_.Kill(dead);
  Program& alone = cluster_.replica(leader);
  alone.Type("into the silence");
  EXPECT_TRUE(alone.err().Await("failed to get a proposal session, timeout", kLongWait))
      << alone.err().Tail();
  cluster_.replica(sleeper).Signal(SIGCONT);
  EXPECT_TRUE(cluster_.Say(leader, "two are awake"));
  cluster_.Start(dead);
  EXPECT_TRUE(cluster_.Say(dead, "three are awake"));
  EXPECT_EQ(cluster_.GetHistory().CountOf("into the silence"), 0U);
}

}  // namespace
}  // namespace drumbeat::system
