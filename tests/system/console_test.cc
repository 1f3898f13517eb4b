// SPDX-License-Identifier: Apache-2.0
//
// Outputs that nobody reads.
#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "system/cluster.h"
#include "system/stranger.h"
#include "system/system_test.h"

namespace drumbeat::system {
namespace {

using std::chrono::seconds;

class ConsoleTest : public SystemTest {
 protected:
  void Start(int replica, Reading of_stdout, Reading of_stderr) {
    ProgramOptions options = cluster_.Options(replica);
    options.stdout_reading = of_stdout;
    options.stderr_reading = of_stderr;
    cluster_.Start(replica, std::move(options));
  }

  void ExpectEndsSoon(int replica) {
    const auto start = Clock::now();
    cluster_.replica(replica).Signal(SIGTERM);
    const auto ending = cluster_.replica(replica).AwaitEnd(kLongWait);
    EXPECT_LT(Clock::now() - start, Scaled(seconds(2))) << "replica " << replica;
    ASSERT_TRUE(ending) << "replica " << replica;
    EXPECT_EQ(ending->status, 143) << "replica " << replica;
  }

  Cluster cluster_;
};

TEST_F(ConsoleTest, AFullStdoutStopsNothing) {
  Start(1, Reading::kAlways, Reading::kAlways);
  Start(2, Reading::kLater, Reading::kAlways);
  Start(3, Reading::kLater, Reading::kAlways);
  const std::string text(200, 'x');
  for (int i = 1; i <= 50; ++i) {
    ASSERT_TRUE(cluster_.Say(i % 3 + 1, "line " + std::to_string(i) + text, {1}));
  }
  // Elections, too, need no reader.
  cluster_.Kill(2);
  EXPECT_EQ(cluster_.Say(3, "still there", {1}), 51U);
  cluster_.replica(3).ReadOutput();
  EXPECT_EQ(cluster_.AwaitUpdate(3, "still there"), 51U);
  EXPECT_EQ(cluster_.AwaitUpdate(3, "line 1" + text), 1U);
  EXPECT_EQ(cluster_.Say(3, "read again"), 52U);
}

TEST_F(ConsoleTest, AFullStderrStopsNoRead) {
  for (const int replica : Cluster::kFounders) Start(replica, Reading::kAlways, Reading::kLater);
  for (int i = 1; i <= 30; ++i) ASSERT_TRUE(cluster_.Say(i % 3 + 1, "line " + std::to_string(i)));
  for (const int replica : Cluster::kFounders) {
    EXPECT_TRUE(cluster_.replica(replica).out().Await("count: 30", kLongWait));
  }
  cluster_.Kill(1);
  // That a line was not proposed, right behind a loss, stands where nobody reads.
  std::optional<std::uint64_t> count;
  for (int tries = 0; tries < 3 && !count; ++tries) {
    cluster_.replica(2).Type("after a loss");
    count = cluster_.AwaitUpdate(2, "after a loss", Scaled(seconds(10)));
  }
  EXPECT_EQ(count, 31U);
  EXPECT_EQ(cluster_.AwaitUpdate(3, "after a loss"), 31U);
  for (const int replica : {2, 3}) ExpectEndsSoon(replica);
  for (const int replica : {2, 3}) {
    cluster_.replica(replica).ReadOutput();
    cluster_.AwaitEnd(replica);
  }
}

TEST_F(ConsoleTest, ClosedOutputsKillNothing) {
  Start(1, Reading::kNever, Reading::kAlways);
  Start(2, Reading::kAlways, Reading::kNever);
  Start(3, Reading::kNever, Reading::kNever);
  for (int i = 1; i <= 30; ++i) {
    ASSERT_TRUE(cluster_.Say(i % 3 + 1, "line " + std::to_string(i), {2}));
  }
  for (const int replica : Cluster::kFounders) EXPECT_TRUE(cluster_.replica(replica).Running());
  for (const int replica : Cluster::kFounders) ExpectEndsSoon(replica);
}

TEST_F(ConsoleTest, FullPipesDoNotHoldUpTheEnd) {
  for (const int replica : Cluster::kFounders) {
    Start(replica, Reading::kLater, Reading::kLater);
    ASSERT_TRUE(Stranger::AwaitPort(static_cast<std::uint16_t>(63000 + replica)));
  }
  cluster_.replica(1).Type("unseen");
  for (const int replica : Cluster::kFounders) ExpectEndsSoon(replica);
}

}  // namespace
}  // namespace drumbeat::system
