// SPDX-License-Identifier: Apache-2.0
#include "storage/table_plan.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace drumbeat::storage {
namespace {

constexpr MergeLimits kLimits{
    .tables_kept = 2, .table_bytes = 100, .bytes_below = 1000, .times_below = 20};

/// A family of tables that reach from a key to another.
class Family {
 public:
  /// Behind the others of `level`: older than they are, or with greater keys.
  Family& Add(int level, std::uint64_t number, char from, char to, std::uint64_t bytes = 10) {
    rocksdb::SstFileMetaData table;
    table.file_number = number;
    table.relative_filename = std::to_string(number);
    table.size = bytes;
    table.smallestkey = from;
    table.largestkey = to;
    levels_.at(level).push_back(table);
    return *this;
  }
  /// The last table of `level` is being merged.
  Family& Busy(int level) {
    levels_.at(level).back().being_compacted = true;
    return *this;
  }
  /// As "names -> level".
  std::string Next(const BadTables& bad = {}) const {
    rocksdb::ColumnFamilyMetaData family;
    for (int level = 0; const Tables& tables : levels_) {
      family.levels.emplace_back(level++, 0, Tables(tables));
    }
    const auto merge = NextMerge(family, bad, kLimits);
    if (!merge) return "nothing";
    std::string text;
    for (const std::string& table : merge->tables) text += table + " ";
    return text + "-> " + std::to_string(merge->level);
  }

 private:
  using Tables = std::vector<rocksdb::SstFileMetaData>;
  std::array<Tables, 4> levels_;
};

TEST(TablePlanTest, AFewTablesStayAsTheyAre) {
  EXPECT_EQ(Family().Next(), "nothing");
  EXPECT_EQ(Family().Add(0, 9, 'a', 'c').Add(0, 8, 'a', 'c').Next(), "nothing");
}

TEST(TablePlanTest, LevelZeroGoesToTheLowestLevelThatIsInUse) {
  Family family;
  family.Add(0, 9, 'a', 'c').Add(0, 8, 'b', 'd').Add(0, 7, 'a', 'b');
  EXPECT_EQ(family.Next(), "9 8 7 -> 1");
  EXPECT_EQ(family.Add(2, 1, 'x', 'z', 5000).Next(), "9 8 7 -> 2");
}

TEST(TablePlanTest, LevelZeroStaysWhereItIsWhenThereIsMuchBelow) {
  Family family;
  family.Add(0, 9, 'a', 'c').Add(0, 8, 'b', 'd').Add(0, 7, 'a', 'b').Add(2, 1, 'd', 'z', 5000);
  EXPECT_EQ(family.Next(), "9 8 7 -> 0");
}

// An older table of level 0 must not come to lie above a newer one.
TEST(TablePlanTest, WhatIsNewerThanABadTableStaysAboveIt) {
  Family family;
  family.Add(0, 9, 'a', 'c').Add(0, 8, 'a', 'c').Add(0, 7, 'a', 'c').Add(0, 6, 'a', 'c');
  EXPECT_EQ(family.Next({6}), "9 8 7 -> 0");
  EXPECT_EQ(family.Next({9}), "8 7 6 -> 1");
  EXPECT_EQ(family.Next({7}), "nothing");
  EXPECT_EQ(family.Next({6, 9}), "nothing");
}

TEST(TablePlanTest, ABadTableBelowIsInTheWayOfThoseThatReachIt) {
  Family family;
  family.Add(0, 9, 'a', 'c').Add(0, 8, 'a', 'c').Add(0, 7, 'a', 'c');
  family.Add(2, 1, 'c', 'e').Add(2, 2, 'f', 'g');
  EXPECT_EQ(family.Next({1}), "9 8 7 -> 0");
  EXPECT_EQ(family.Next({2}), "9 8 7 -> 2");
}

// RocksDB takes whole tables of one level down into the next, and there whatever these reach.
TEST(TablePlanTest, ABadTableIsInTheWayOfWhatIsTakenAlong) {
  Family family;
  family.Add(0, 9, 'b', 'c').Add(0, 8, 'b', 'c').Add(0, 7, 'b', 'c');
  family.Add(1, 3, 'c', 'f').Add(2, 1, 'e', 'g').Add(2, 2, 'h', 'i');
  EXPECT_EQ(family.Next({1}), "9 8 7 -> 0");
  EXPECT_EQ(family.Next({2}), "9 8 7 -> 2");
  Family tied;
  tied.Add(0, 9, 'b', 'c').Add(0, 8, 'b', 'c').Add(0, 7, 'b', 'c');
  tied.Add(1, 1, 'a', 'a').Add(1, 2, 'a', 'b').Add(1, 3, 'c', 'e').Add(1, 4, 'e', 'g');
  EXPECT_EQ(tied.Next({1}), "9 8 7 -> 0");
  EXPECT_EQ(tied.Next({4}), "9 8 7 -> 0");
  EXPECT_EQ(tied.Next(), "9 8 7 -> 1");
}

TEST(TablePlanTest, TablesThatShareAKeyWithABadOneAreMergedNoMore) {
  Family family;
  family.Add(1, 1, 'a', 'b').Add(1, 2, 'c', 'd').Add(1, 3, 'e', 'f').Add(1, 4, 'f', 'g');
  family.Add(1, 5, 'g', 'h').Add(1, 6, 'i', 'j');
  EXPECT_EQ(family.Next({5}), "nothing") << "only 1 and 2 are left";
  EXPECT_EQ(family.Next({3}), "nothing") << "and before, too";
  EXPECT_EQ(family.Next({6}), "1 2 3 4 5 -> 1");
}

// Else a little that is new would be written together with all that is there, again and again.
TEST(TablePlanTest, LevelZeroGoesBelowOnceItIsMuch) {
  Family family;
  family.Add(0, 9, 'a', 'c', 100).Add(0, 8, 'b', 'd', 100).Add(0, 7, 'a', 'b', 100);
  EXPECT_EQ(Family(family).Add(2, 1, 'd', 'z', 6001).Next(), "9 8 7 -> 0");
  EXPECT_EQ(Family(family).Add(2, 1, 'd', 'z', 6000).Next(), "9 8 7 -> 2");
}

TEST(TablePlanTest, SmallTablesBelowAreMergedInTheirLevel) {
  Family family;
  family.Add(1, 1, 'a', 'b').Add(1, 2, 'c', 'd').Add(1, 3, 'e', 'f').Add(1, 4, 'g', 'h');
  EXPECT_EQ(family.Next(), "1 2 3 4 -> 1");
  EXPECT_EQ(family.Next({4}), "1 2 3 -> 1");
  EXPECT_EQ(family.Next({2}), "nothing");
}

TEST(TablePlanTest, LargeTablesAreLeftAlone) {
  Family above;
  above.Add(0, 9, 'a', 'c').Add(0, 8, 'a', 'c').Add(0, 7, 'a', 'c', 101);
  EXPECT_EQ(above.Next(), "nothing");
  Family below;
  below.Add(1, 1, 'a', 'b').Add(1, 2, 'c', 'd', 5u << 20).Add(1, 3, 'e', 'f');
  EXPECT_EQ(below.Next(), "nothing");
}

TEST(TablePlanTest, WhatIsBeingMergedIsLeftAlone) {
  Family family;
  family.Add(0, 9, 'a', 'c').Add(0, 8, 'a', 'c').Add(0, 7, 'a', 'c').Busy(0);
  EXPECT_EQ(family.Next(), "nothing");
  Family below;
  below.Add(0, 9, 'a', 'c').Add(0, 8, 'a', 'c').Add(0, 7, 'a', 'c').Add(1, 1, 'a', 'z').Busy(1);
  EXPECT_EQ(below.Next(), "9 8 7 -> 0");
}

}  // namespace
}  // namespace drumbeat::storage
