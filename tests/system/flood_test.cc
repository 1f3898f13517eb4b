// SPDX-License-Identifier: Apache-2.0
//
// R-01, B-65: more is proposed than a group takes, while followers stand still. What it costs in
// memory follows from the limits that are configured.
#include <array>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <functional>
#include <iostream>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "system/cluster.h"
#include "system/system_test.h"

namespace drumbeat::system {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kCommandBytes = 65536;
/// The limits of each process: on the log in memory, and as much again in front of it; on what
/// waits for each of two followers, and as much again that is being written; RocksDB's buffers.
constexpr std::size_t kLogMib = 16;
constexpr std::size_t kQueueMib = 16;
constexpr std::size_t kStoreMib = 16;
/// A half more, for what allocators keep.
constexpr std::size_t kAllowedMib = (2 * kLogMib + 2 * 2 * kQueueMib + kStoreMib) * 3 / 2;

class FloodTest : public SystemTest {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    if (IsSkipped()) return;
    for (int replica = 1; replica <= 3; ++replica) {
      ProgramOptions options;
      options.executable = DRUMBEAT_FLOOD_NODE;
      options.directory = folder_.path();
      options.arguments = {std::to_string(replica), "node" + std::to_string(replica),
                           std::to_string(kLogMib), std::to_string(kQueueMib),
                           std::to_string(kStoreMib)};
      nodes_.at(static_cast<std::size_t>(replica - 1)) = std::make_unique<Program>(options);
    }
  }

  Program& node(int replica) { return *nodes_.at(static_cast<std::size_t>(replica - 1)); }

  std::string Ask(int replica, const std::string& line) {
    const Capture& out = node(replica).out();
    const std::size_t mark = out.Mark();
    node(replica).Type(line);
    const auto answer = out.Await("", kLongWait, mark);
    EXPECT_TRUE(answer) << line << ": " << node(replica).err().Tail();
    return answer ? answer->text : "";
  }
  /// Looks until `condition` holds.
  bool Eventually(const std::function<bool()>& condition) {
    const auto deadline = Clock::now() + kLongWait;
    while (!condition()) {
      if (Clock::now() > deadline) return false;
      node(1).out().AwaitClose(milliseconds(20));
    }
    return true;
  }
  int AwaitLeader() {
    int leader = 0;
    EXPECT_TRUE(Eventually([&] {
      for (int replica = 1; replica <= 3 && leader == 0; ++replica) {
        if (Ask(replica, "leader") == "leader " + std::to_string(replica)) leader = replica;
      }
      return leader != 0;
    }));
    return leader;
  }
  struct Answers {
    std::uint64_t applied = 0;
    std::uint64_t refused = 0;
    std::uint64_t open = 0;
  };
  Answers AnswersAt(int replica) {
    const std::string told = Ask(replica, "answers");
    Answers answers;
    EXPECT_EQ(std::sscanf(told.c_str(), "answers %" SCNu64 " %" SCNu64 " %" SCNu64,
                          &answers.applied, &answers.refused, &answers.open),
              3);
    return answers;
  }
  /// The answers to all floods so far.
  Answers Flood(int replica, std::size_t mib, milliseconds time) {
    EXPECT_EQ(Ask(replica, "flood " + std::to_string(kCommandBytes) + " " + std::to_string(mib) +
                               " " + std::to_string(time.count())),
              "flooded");
    return AnswersAt(replica);
  }

  const TemporaryFolder folder_;
  std::array<std::unique_ptr<Program>, 3> nodes_;
};

TEST_F(FloodTest, MemoryStaysWithinTheLimitsWhileFollowersStandStill) {
  if (kSanitized) GTEST_SKIP() << "*** NOT TESTED: a sanitizer's times and memory ***";
  const int leader = AwaitLeader();
  ASSERT_NE(leader, 0);
  const int first = leader % 3 + 1;
  const int second = first % 3 + 1;
  const std::size_t idle_mib = node(leader).ResidentKib() / 1024;

  node(first).Signal(SIGSTOP);
  const Answers with_two = Flood(leader, 300, seconds(8));
  const std::size_t first_peak_mib = node(leader).PeakResidentKib() / 1024;
  // Nothing is committed any more; that it leads it believes for a second at least.
  node(second).Signal(SIGSTOP);
  const Answers alone = Flood(leader, 300, milliseconds(500));
  const std::size_t peak_mib = node(leader).PeakResidentKib() / 1024;
  std::cout << (with_two.applied * kCommandBytes >> 20) << " MiB applied, "
            << (alone.refused * kCommandBytes >> 20) << " MiB refused; " << idle_mib
            << " MiB idle, " << first_peak_mib << " MiB with two, " << peak_mib << " MiB alone\n";
  EXPECT_GT(with_two.applied * kCommandBytes, kAllowedMib << 20) << "too slow to show anything";
  EXPECT_GT(with_two.refused, 0U);
  EXPECT_GT(alone.refused, with_two.refused);
  EXPECT_LT(peak_mib, idle_mib + kAllowedMib);

  node(first).Signal(SIGCONT);
  node(second).Signal(SIGCONT);
  EXPECT_TRUE(Eventually([&] { return AnswersAt(leader).open == 0; }));
  std::string state;
  EXPECT_TRUE(Eventually([&] {
    state = Ask(leader, "state");
    return Ask(first, "state") == state && Ask(second, "state") == state;
  }));
  std::uint64_t count = 0;
  EXPECT_EQ(std::sscanf(state.c_str(), "state %" SCNu64, &count), 1);
  EXPECT_GE(count, AnswersAt(leader).applied);
  for (const int follower : {first, second}) {
    EXPECT_LT(node(follower).PeakResidentKib() / 1024, idle_mib + kAllowedMib);
  }
}

}  // namespace
}  // namespace drumbeat::system
