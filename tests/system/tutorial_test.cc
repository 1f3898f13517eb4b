// SPDX-License-Identifier: Apache-2.0
//
// The steps of the tutorial in README.md, in terminals.
#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "system/cluster.h"
#include "system/settings.h"
#include "system/system_test.h"

namespace drumbeat::system {
namespace {

using std::chrono::seconds;

class TutorialTest : public SystemTest {};

TEST_F(TutorialTest, ThreeReplicasAgreeAndCount) {
  Cluster cluster(Console::kTerminal);
  const auto start = Clock::now();
  cluster.StartFounders();
  EXPECT_EQ(cluster.Say(1, "hi there", {}, Scaled(seconds(5))), 1U);
  EXPECT_EQ(cluster.Say(2, "hello"), 2U);
  EXPECT_EQ(cluster.Say(3, "good morning"), 3U);
  for (const int replica : Cluster::kFounders) {
    const Capture& out = cluster.replica(replica).out();
    EXPECT_TRUE(out.Contains("node address: localhost:6300" + std::to_string(replica)));
    EXPECT_TRUE(out.Contains("I | transport: raft TCP stream from [00128:0000" +
                             std::to_string(replica) + "] to [00128:0000"))
        << out.Text();
    const auto count =
        out.Await([](const std::string& line) { return line == "count: 3"; }, kLongWait);
    ASSERT_TRUE(count) << out.Text();
    EXPECT_NEAR(Seconds(count->time - start), 10, 2);
  }
  // CTRL+D ends the input, not the replica.
  cluster.replica(3).CloseInput();
  EXPECT_EQ(cluster.Say(1, "good night"), 4U);
  cluster.StopAll();
}

TEST_F(TutorialTest, OneStopsTwoStopAllReturn) {
  Cluster cluster(Console::kTerminal);
  cluster.StartAndAwaitLeader();
  cluster.Stop(3);
  EXPECT_EQ(cluster.Say(1, "two are a majority"), 2U);
  // Who leads has a stream to it, and says that it is lost, and back; a follower need not know.
  const int leader = cluster.Leader();
  ASSERT_NE(leader, 0);
  const Capture& log = cluster.replica(leader).out();
  EXPECT_TRUE(log.Await("W | transport: breaker localhost:63003 failed, connect and process failed",
                        kLongWait))
      << log.Tail();
  const std::size_t lost = log.Mark();
  cluster.Start(3);
  EXPECT_TRUE(log.Await("to [00128:00003] established", kLongWait, lost)) << log.Tail();
  EXPECT_EQ(cluster.Say(3, "three are more"), 3U);
  cluster.Stop(3);

  cluster.Stop(2);
  Program& survivor = cluster.replica(1);
  const auto typed = Clock::now();
  survivor.Type("one is none");
  const auto refused = survivor.out().Await("failed to get a proposal session, timeout", kLongWait);
  ASSERT_TRUE(refused) << survivor.out().Text();
  EXPECT_NEAR(Seconds(refused->time - typed), 6, 1);

  cluster.Start(2);
  EXPECT_EQ(cluster.Say(1, "two again"), 4U);
  cluster.Start(3);
  EXPECT_EQ(cluster.AwaitUpdate(3, "the first message"), 1U);
  EXPECT_EQ(cluster.Say(3, "all again"), 5U);

  cluster.StopAll();
  cluster.StartFounders();
  EXPECT_EQ(cluster.Say(2, "after the night"), 6U);
  EXPECT_EQ(cluster.GetHistory().CountOf("one is none"), 0U);
}

}  // namespace
}  // namespace drumbeat::system
