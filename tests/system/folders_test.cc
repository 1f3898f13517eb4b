// SPDX-License-Identifier: Apache-2.0
//
// Folders that are deleted, and founders that come late.
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "system/cluster.h"
#include "system/system_test.h"

namespace drumbeat::system {
namespace {

class FoldersTest : public SystemTest {
 protected:
  Cluster cluster_;
};

TEST_F(FoldersTest, WithoutAllFoldersTheGroupStartsOver) {
  cluster_.StartAndAwaitLeader();
  cluster_.SayMany(1, "old ", 15);
  cluster_.StopAll();
  cluster_.StartOver();
  cluster_.StartFounders();
  EXPECT_EQ(cluster_.Say(2, "new"), 1U);
}

TEST_F(FoldersTest, AReplicaWithoutItsFolderSaysWhatToDo) {
  cluster_.StartAndAwaitLeader();
  cluster_.SayMany(1, "message ", 8);
  // The leader knows what the others had.
  const int leader = cluster_.Leader();
  ASSERT_NE(leader, 0);
  const int victim = leader == 3 ? 2 : 3;
  const std::string id = std::to_string(victim);
  cluster_.Kill(victim);
  ASSERT_GT(std::filesystem::remove_all(cluster_.data(victim)), 0U);

  const Capture& err = cluster_.Start(victim).err();
  EXPECT_TRUE(err.Await("replica " + id + " lost its data: remove it and add a new id", kLongWait))
      << err.Text();
  EXPECT_FALSE(cluster_.replica(victim).out().Contains("from Update()"));
  cluster_.replica(victim).Type("exit");
  EXPECT_FALSE(cluster_.AwaitEnd(victim).by_signal);
  EXPECT_EQ(cluster_.Say(leader, "the others go on"), 10U);

  cluster_.Change(leader, "remove " + id);
  cluster_.Change(leader, "add localhost:6300" + id + " 7");
  cluster_.Join(7, "localhost:6300" + id);
  EXPECT_EQ(cluster_.Say(7, "advice taken"), 11U);
}

TEST_F(FoldersTest, AFounderMayComeLate) {
  cluster_.Start(1);
  cluster_.Start(2);
  cluster_.Say(1, "two begin");
  cluster_.SayMany(2, "message ", 20);
  cluster_.Stop(1);
  cluster_.Start(3);
  EXPECT_EQ(cluster_.Say(3, "the late one decides"), 22U);
  cluster_.Start(1);
  EXPECT_EQ(cluster_.Say(1, "all are there"), 23U);
}

}  // namespace
}  // namespace drumbeat::system
