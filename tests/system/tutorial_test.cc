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

class TutorialTest : public SystemTest {
 protected:
  // Types a line that is answered with exactly this line.
  static void ExpectAnswer(Program& program, const std::string& typed, const std::string& answer) {
    const std::size_t mark = program.out().Mark();
    program.Type(typed);
    const auto is_answer = [&](const std::string& line) { return line == answer; };
    EXPECT_TRUE(program.out().Await(is_answer, kLongWait, mark))
        << "'" << typed << "' gives not '" << answer << "' but\n"
        << program.out().Text(mark);
  }
  static void ExpectLine(const Program& program, const std::string& part, std::size_t from = 0) {
    EXPECT_TRUE(program.out().Await(part, kLongWait, from)) << "no '" << part << "' in\n"
                                                            << program.out().Text(from);
  }
};

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

TEST_F(TutorialTest, SnapshotAddRemoveStartOver) {
  Cluster cluster(Console::kTerminal);
  cluster.StartAndAwaitLeader();
  EXPECT_EQ(cluster.Say(1, "all back"), 2U);
  cluster.Stop(3);
  cluster.SayMany(2, "line ", 20);
  // One that was taken while the lines still came leaves the third what it lacks in the log.
  for (const int replica : {1, 2}) {
    const std::string captured =
        "I | rsm: [00128:0000" + std::to_string(replica) + "] snapshot captured, index ";
    const auto is_late = [&](const std::string& line) {
      const std::size_t at = line.find(captured);
      return at != std::string::npos && std::stoul(line.substr(at + captured.size())) >= 20;
    };
    const Capture& out = cluster.replica(replica).out();
    ASSERT_TRUE(out.Await(is_late, kLongWait)) << out.Text();
  }
  const Program& third = cluster.Start(3);
  ExpectLine(third, "I | transport: received snapshot of [00128:00003] at index ");
  ExpectLine(third, "I | rsm: [00128:00003] recovered from snapshot at index ");
  EXPECT_EQ(cluster.Say(1, "and on"), 23U);
  EXPECT_FALSE(third.out().Contains("msg: line 10,")) << "its counts did not jump";

  cluster.Change(1, "add localhost:63100 4");
  Program& fourth = cluster.Join(4, "localhost:63100");
  ExpectLine(fourth, "node address: localhost:63100");
  EXPECT_EQ(cluster.Say(4, "hello from four"), 24U);
  for (const int replica : {1, 2, 3, 4}) {
    ExpectLine(cluster.replica(replica),
               "] membership changed, replica 4 was added at localhost:63100, index ");
  }
  ExpectAnswer(cluster.replica(2), "add localhost:63100 4",
               "membership change failed, replica 4 is already a member");
  ExpectAnswer(cluster.replica(2), "add localhost:63002 5",
               "membership change failed, localhost:63002 is the address of replica 2");
  ExpectAnswer(cluster.replica(2), "remove 9",
               "membership change failed, replica 9 is not a member");

  cluster.Change(3, "remove 4");
  ExpectLine(fourth, "I | rsm: [00128:00004] membership changed, replica 4 was removed, index ");
  ExpectLine(fourth, "I | drumbeat: [00128:00004] was removed from its shard and stops");
  ExpectAnswer(fourth, "anybody there?",
               "SyncPropose returned error shard not found, this replica was removed from the "
               "group");
  ExpectAnswer(cluster.replica(1), "add localhost:63100 4",
               "membership change failed, replica 4 was removed before and can't be added again");

  fourth.Type("exit");
  EXPECT_EQ(cluster.AwaitEnd(4).status, 0);
  EXPECT_EQ(cluster.Say(1, "three are left"), 25U);
  cluster.StopAll();
  cluster.StartOver();
  cluster.StartFounders();
  EXPECT_EQ(cluster.Say(1, "again"), 1U);
}

}  // namespace
}  // namespace drumbeat::system
