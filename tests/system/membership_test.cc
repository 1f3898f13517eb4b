// SPDX-License-Identifier: Apache-2.0
//
// Members that come and go, as typed.
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "system/cluster.h"
#include "system/system_test.h"

namespace drumbeat::system {
namespace {

class MembershipTest : public SystemTest {
 protected:
  // Types a line that is refused with exactly this line.
  static void ExpectRefusal(Program& program, const std::string& typed, const std::string& line) {
    const std::size_t mark = program.err().Mark();
    program.Type(typed);
    const auto refused = [&](const std::string& text) { return text == line; };
    EXPECT_TRUE(program.err().Await(refused, kLongWait, mark))
        << "'" << typed << "' gives not '" << line << "' but\n"
        << program.err().Text(mark);
  }

  // Starts a replica that must end with status 1 and such a line.
  static void ExpectNoStart(Cluster& cluster, int replica, std::vector<std::string> flags,
                            const std::string& part) {
    const Capture& err = cluster.Start(replica, std::move(flags)).err();
    EXPECT_TRUE(err.Await(part, kLongWait)) << err.Text();
    const Ending ending = cluster.AwaitEnd(replica);
    EXPECT_EQ(ending.status, 1);
  }

  Cluster cluster_;
};

TEST_F(MembershipTest, AFourthJoinsThroughTheLogAndIsRemoved) {
  cluster_.StartAndAwaitLeader();
  cluster_.Change(1, "add localhost:63100 4");
  cluster_.Join(4, "localhost:63100");
  EXPECT_EQ(cluster_.Say(4, "from the fourth"), 2U);
  EXPECT_EQ(cluster_.AwaitUpdate(4, "the first message"), 1U);

  // Its later starts are like the first.
  cluster_.Stop(4);
  ExpectNoStart(cluster_, 4, {"-addr", "localhost:63100"}, "failed to add cluster, ");
  cluster_.Join(4, "localhost:63100");
  EXPECT_EQ(cluster_.Say(4, "the fourth again"), 3U);
  cluster_.Stop(3);
  ExpectNoStart(cluster_, 3, {"-join"}, "failed to add cluster, ");
  cluster_.Start(3);
  EXPECT_EQ(cluster_.Say(3, "a founder, as before"), 4U);

  cluster_.Change(2, "Remove 4");
  EXPECT_TRUE(cluster_.replica(4).err().Await("removed from", kLongWait));
  ExpectRefusal(cluster_.replica(4), "is anybody there",
                "SyncPropose returned error shard not found, this replica was removed from the "
                "group");
  EXPECT_EQ(cluster_.Say(1, "three are left", {1, 2, 3}), 5U);
  ExpectRefusal(cluster_.replica(3), "add localhost:63100 4",
                "membership change failed, replica 4 was removed before and can't be added again");
}

TEST_F(MembershipTest, WhatCannotBeIsRefusedWithTheReason) {
  cluster_.StartAndAwaitLeader();
  for (const int replica : {1, 2, 3}) {
    Program& program = cluster_.replica(replica);
    ExpectRefusal(program, "add localhost:63009 2",
                  "membership change failed, replica 2 is already a member");
    ExpectRefusal(program, "add localhost:63002 9",
                  "membership change failed, localhost:63002 is the address of replica 2");
    ExpectRefusal(program, "remove 9", "membership change failed, replica 9 is not a member");
    ExpectRefusal(program, "add nowhere 9", "membership change failed, not a host:port address");
  }
  // What was refused left no trace.
  cluster_.Change(2, "ADD localhost:63009 9");
  cluster_.Change(1, "remove 9");
  cluster_.Change(1, "remove 3");
  cluster_.Change(1, "remove 2");
  ExpectRefusal(cluster_.replica(1), "remove 1",
                "membership change failed, the last voter can't be removed");
  EXPECT_EQ(cluster_.Say(1, "alone", {1}), 2U);
}

TEST_F(MembershipTest, AFourthJoinsThroughASnapshotAndAFifthReplacesAFounder) {
  cluster_.StartAndAwaitLeader();
  cluster_.SayMany(1, "message ", 25);
  for (const int replica : {1, 2, 3}) {
    EXPECT_TRUE(cluster_.replica(replica).err().Await("snapshot captured", kLongWait));
  }
  cluster_.Change(3, "add localhost:63100 4");
  const Program& fourth = cluster_.Join(4, "localhost:63100");
  EXPECT_EQ(cluster_.Say(2, "with four"), 27U);
  EXPECT_TRUE(fourth.err().Await("recovered from snapshot", kLongWait)) << fourth.err().Text();
  EXPECT_FALSE(fourth.out().Contains("the first message")) << "the log was not cut";
  cluster_.Stop(4);
  cluster_.Join(4, "localhost:63100");
  EXPECT_EQ(cluster_.Say(4, "still four"), 28U);

  cluster_.Change(1, "remove 3");
  cluster_.replica(3).Type("exit");
  EXPECT_EQ(cluster_.AwaitEnd(3).status, 0);
  cluster_.Change(2, "add localhost:63003 5");
  cluster_.Join(5, "localhost:63003");
  EXPECT_EQ(cluster_.Say(5, "with a fifth"), 29U);
  // The fifth counts: without two founders, it and the fourth carry a majority with the last.
  cluster_.Kill(1);
  EXPECT_EQ(cluster_.Say(5, "without the first"), 30U);
}

}  // namespace
}  // namespace drumbeat::system
