// SPDX-License-Identifier: Apache-2.0
#include "system/history.h"

#include <gtest/gtest.h>

namespace drumbeat::system {
namespace {

using Problems = std::vector<std::string>;

TEST(HistoryTest, ParsesAnUpdate) {
  EXPECT_EQ(ParseUpdate("from Update() : msg: hi there, count:1"), (Update{"hi there", 1}));
  EXPECT_EQ(ParseUpdate("from Update() : msg: , count:12"), (Update{"", 12}));
  EXPECT_EQ(ParseUpdate("from Update() : msg: x, count:1, count:2"), (Update{"x, count:1", 2}));
  EXPECT_FALSE(ParseUpdate("count: 7"));
  EXPECT_FALSE(ParseUpdate("from Update() : msg: x, count:"));
  EXPECT_FALSE(ParseUpdate("from Update() : msg: x, count:1x"));
}

TEST(HistoryTest, ReplaysThatAgreeAreFine) {
  History history;
  history.Add({.replica = 1, .updates = {{"a", 1}, {"b", 2}}, .recoveries = 0});
  history.Add({.replica = 1, .updates = {{"a", 1}, {"b", 2}, {"c", 3}}, .recoveries = 0});
  history.Add({.replica = 2, .updates = {{"b", 2}, {"c", 3}}, .recoveries = 1});
  EXPECT_EQ(history.problems(), Problems{});
  EXPECT_EQ(history.last_count(), 3U);
  EXPECT_EQ(history.CountOf("b"), 2U);
  EXPECT_EQ(history.CountOf("d"), 0U);
}

TEST(HistoryTest, FindsACountWithTwoMessages) {
  History history;
  history.Add({.replica = 1, .updates = {{"a", 1}}, .recoveries = 0});
  history.Add({.replica = 2, .updates = {{"b", 1}}, .recoveries = 0});
  EXPECT_EQ(history.problems(), Problems{"replica 2: 'b', count 1, which is 'a' elsewhere"});
}

TEST(HistoryTest, FindsAMessageWithTwoCounts) {
  History history;
  history.Add({.replica = 3, .updates = {{"a", 1}, {"a", 2}}, .recoveries = 0});
  EXPECT_EQ(history.problems(), Problems{"replica 3: 'a', count 2, which has count 1 elsewhere"});
}

TEST(HistoryTest, FindsARepeat) {
  History history;
  history.Add({.replica = 1, .updates = {{"a", 1}, {"a", 1}}, .recoveries = 0});
  EXPECT_EQ(history.problems(), Problems{"replica 1: 'a', count 1 came after count 1"});
}

TEST(HistoryTest, FindsAGapThatNoSnapshotExplains) {
  History history;
  history.Add({.replica = 1, .updates = {{"c", 3}, {"x", 7}}, .recoveries = 1});
  EXPECT_EQ(history.problems(),
            Problems{"replica 1: 'x', count 7 came after count 3, and no snapshot explains it"});
}

TEST(HistoryTest, FindsDisorder) {
  History history;
  history.Add({.replica = 1, .updates = {{"a-1", 1}, {"b-9", 2}, {"a-3", 3}}, .recoveries = 0});
  EXPECT_EQ(history.Disorder("a-"), Problems{});
  history.Add({.replica = 1, .updates = {{"a-2", 4}}, .recoveries = 1});
  EXPECT_EQ(history.Disorder("a-"), Problems{"'a-2', count 4 came after 3"});
}

}  // namespace
}  // namespace drumbeat::system
