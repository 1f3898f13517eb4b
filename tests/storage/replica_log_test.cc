// SPDX-License-Identifier: Apache-2.0
#include "storage/replica_log.h"

#include <string>

#include <gtest/gtest.h>

#include "contract/store_samples.h"
#include "storage/keys.h"

namespace drumbeat::storage {
namespace {

TEST(LogStateTest, WhatIsEncodedIsDecodedUnderItsOwnKeyOnly) {
  const LogState state{.hard_state = MakeHardState(9, 2, 70),
                       .cut = Index(50),
                       .cut_term = Term(8),
                       .last = Index(90),
                       .epoch = 4};
  const Key key = StateKey(StateKind::kLog, Replica(1, 2));
  std::string value;
  EncodeLogState(value, key, state);
  EXPECT_EQ(DecodeLogState(key, value).value(), state);
  EXPECT_FALSE(DecodeLogState(StateKey(StateKind::kLog, Replica(2, 2)), value).has_value());
  EXPECT_FALSE(DecodeLogState(key, value.substr(1)).has_value());
}

TEST(LogStateTest, ALogThatEndsBeforeItBeginsIsDamage) {
  const Key key = StateKey(StateKind::kLog, Replica(1, 2));
  std::string value;
  EncodeLogState(value, key,
                 {.hard_state = {}, .cut = Index(9), .cut_term = Term(1), .last = Index(8)});
  EXPECT_FALSE(DecodeLogState(key, value).has_value());
}

TEST(RecordMapTest, EachRecordHoldsUntilTheNextBegins) {
  RecordMap records;
  records.Append({Index(1), 10});
  records.Append({Index(11), 20});
  records.Append({Index(21), 30});
  const Index last(30);
  EXPECT_EQ(records.Find(Index(1), last).end, Index(11));
  EXPECT_EQ(records.Find(Index(20), last).first, Index(11));
  EXPECT_EQ(records.Find(Index(30), last).end, Index(31));
  EXPECT_EQ(records.Find(Index(30), last).bytes, 30u);
}

TEST(RecordMapTest, ANewRecordCutsOffWhatFollowsItsFirst) {
  RecordMap records;
  for (const std::uint64_t first : {1, 11, 21}) records.Append({Index(first), 10});
  records.Append({Index(15), 10});
  EXPECT_EQ(records.size(), 3u);
  EXPECT_EQ(records.Find(Index(14), Index(16)).end, Index(15));
  records.Append({Index(11), 10});
  EXPECT_EQ(records.size(), 2u);
}

TEST(RecordMapTest, TheEpochBeforeAnEntryIsThatOfTheRecordThatHoldsIt) {
  RecordMap records;
  EXPECT_EQ(records.EpochBefore(Index(1)), std::nullopt);
  records.Append({Index(1), 10, 4});
  records.Append({Index(11), 10, 5});
  EXPECT_EQ(records.EpochBefore(Index(1)), std::nullopt);
  EXPECT_EQ(records.EpochBefore(Index(2)), 4u);
  EXPECT_EQ(records.EpochBefore(Index(11)), 4u);
  EXPECT_EQ(records.EpochBefore(Index(12)), 5u);
  records.DropBefore(Index(11));
  EXPECT_EQ(records.EpochBefore(Index(11)), std::nullopt);
}

TEST(RecordMapTest, OnlyWholeRecordsMayGo) {
  RecordMap records;
  for (const std::uint64_t first : {1, 11, 21}) records.Append({Index(first), 10});
  const Index last(30);
  EXPECT_EQ(records.PrefixThrough(Index(9), last).end, Index(0));
  EXPECT_EQ(records.PrefixThrough(Index(10), last).end, Index(11));
  EXPECT_EQ(records.PrefixThrough(Index(29), last).bytes, 20u);
  EXPECT_EQ(records.PrefixThrough(Index(30), last).end, Index(31));
}

TEST(RecordMapTest, DroppingManyKeepsTheRest) {
  RecordMap records;
  for (std::uint64_t first = 1; first <= 1000; ++first) records.Append({Index(first), 1});
  for (std::uint64_t first = 2; first <= 1000; ++first) {
    records.DropBefore(Index(first));
    ASSERT_EQ(records.size(), 1001 - first);
    ASSERT_EQ(records.Find(Index(first), Index(1000)).first, Index(first));
  }
  records.DropBefore(Index(1001));
  EXPECT_TRUE(records.empty());
}

}  // namespace
}  // namespace drumbeat::storage
