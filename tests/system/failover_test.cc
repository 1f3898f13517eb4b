// SPDX-License-Identifier: Apache-2.0
//
// How long a line waits when the leader goes. DRUMBEAT_TRIES=100 for the whole promise, 95 of 100:
// `make kills LONG=1`.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <iostream>
#include <string>

#include <gtest/gtest.h>

#include "system/cluster.h"
#include "system/settings.h"
#include "system/system_test.h"

namespace drumbeat::system {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class FailoverTest : public SystemTest {
 protected:
  // The leader, once its log and the others' agree that there is one.
  int AwaitLeader() {
    EXPECT_TRUE(cluster_.Say(1, "before try " + std::to_string(++tries_)));
    const int leader = cluster_.Leader();
    EXPECT_NE(leader, 0);
    return leader;
  }

  // At most 5 in 100; with fewer tries, one that was unlucky is let pass.
  static void ExpectFew(std::uint64_t late, std::uint64_t tries) {
    EXPECT_LE(late, std::max<std::uint64_t>(1, tries / 20));
  }

  // The program's answer to a line that was not printed.
  static bool ReportedAsNotDone(const Program& program, std::size_t mark) {
    return program.err().Contains("failed to get a proposal session", mark) ||
           program.err().Contains("SyncPropose returned error", mark);
  }

  Cluster cluster_;
  std::uint64_t tries_ = 0;
};

TEST_F(FailoverTest, CtrlCHandsTheLeadershipOver) {
  cluster_.StartAndAwaitLeader();
  const std::uint64_t tries = Setting("DRUMBEAT_TRIES", 10);
  double longest = 0;
  for (std::uint64_t i = 0; i < tries && !HasFailure(); ++i) {
    const int leader = AwaitLeader();
    const int other = leader % 3 + 1;
    const std::string message = "after a handover " + std::to_string(i);
    const auto pressed = Clock::now();
    cluster_.replica(leader).Signal(SIGINT);
    cluster_.replica(other).Type(message);
    EXPECT_TRUE(cluster_.AwaitUpdate(other, message, Scaled(seconds(1))))
        << "leader " << leader << ":\n"
        << cluster_.replica(leader).err().Tail() << "typed at " << other << ":\n"
        << cluster_.replica(other).err().Tail();
    longest = std::max(longest, Seconds(Clock::now() - pressed));
    const auto ending = cluster_.replica(leader).AwaitEnd(kLongWait);
    EXPECT_LT(Seconds(Clock::now() - pressed), 2.0);
    ASSERT_TRUE(ending);
    EXPECT_EQ(ending->status, 130);
    cluster_.AwaitEnd(leader);
    cluster_.Start(leader);
  }
  std::cout << "the slowest of " << tries << " lines took " << longest << " s\n";
}

TEST_F(FailoverTest, ALineWaitsForTheElectionAfterKill) {
  cluster_.StartAndAwaitLeader();
  const std::uint64_t tries = Setting("DRUMBEAT_TRIES", 5);
  std::uint64_t late = 0;
  for (std::uint64_t i = 0; i < tries && !HasFailure(); ++i) {
    const int leader = AwaitLeader();
    const int other = leader % 3 + 1;
    const std::string message = "after a kill " + std::to_string(i);
    Program& program = cluster_.replica(other);
    const std::size_t mark = program.err().Mark();
    cluster_.Kill(leader);
    const auto typed = Clock::now();
    program.Type(message);
    if (!cluster_.AwaitUpdate(other, message, Scaled(seconds(6)))) {
      ++late;
      const auto deadline = typed + Scaled(seconds(9));
      while (!ReportedAsNotDone(program, mark) && Clock::now() < deadline &&
             !cluster_.AwaitUpdate(other, message, milliseconds(50))) {
      }
      EXPECT_TRUE(ReportedAsNotDone(program, mark) ||
                  cluster_.AwaitUpdate(other, message, milliseconds(0)))
          << "after 9 s there is no answer at replica " << other << "\n"
          << program.err().Tail();
      // Its neighbour must be ready for the next try.
      cluster_.Say(other, "recovered " + std::to_string(i), {other});
    }
    cluster_.Start(leader);
  }
  std::cout << late << " of " << tries << " lines waited for more than 6 s\n";
  ExpectFew(late, tries);
}

}  // namespace
}  // namespace drumbeat::system
