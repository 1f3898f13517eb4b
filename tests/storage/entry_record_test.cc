// SPDX-License-Identifier: Apache-2.0
#include "storage/entry_record.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "contract/store_samples.h"
#include "storage/keys.h"
#include "storage/replica_log.h"

namespace drumbeat::storage {
namespace {

std::string FromHex(std::string_view hex) {
  std::string bytes;
  std::string digits;
  for (const char c : hex) {
    if (c == ' ') continue;
    digits.push_back(c);
    if (digits.size() < 2) continue;
    bytes.push_back(static_cast<char>(std::stoi(digits, nullptr, 16)));
    digits.clear();
  }
  return bytes;
}

const Key kKey = EntryKey(Replica(1, 1), Index(1));

std::string Pack(const std::vector<raft::Entry>& entries, std::uint64_t epoch = 3) {
  std::string value;
  EXPECT_EQ(PackRecord(value, kKey, {.own = epoch, .before = 2}, entries), entries.size());
  return value;
}

// The worked example of FORMATS.md.
TEST(EntryRecordTest, TheExampleOfTheFormatHolds) {
  raft::Entry seven;
  seven.term = Term(3);
  seven.index = Index(7);
  seven.type = raft::EntryType::kEncoded;
  seven.key = 5;
  seven.command = base::Bytes::Static(std::string_view("\0hi", 3));
  raft::Entry eight;
  eight.term = Term(3);
  eight.index = Index(8);
  const Key key = EntryKey(Replica(128, 1), Index(7));
  EXPECT_EQ(std::string(key), FromHex("0000000000000080 0000000000000001 0000000000000007"));
  std::string value;
  EXPECT_EQ(PackRecord(value, key, {}, std::vector{seven, eight}), 2u);
  EXPECT_EQ(value, FromHex("01 0000000000000000 0000000000000000 02000000"
                           "0e000000 00030107020203050703006869 7f 05000000 00030108 7f"
                           "43f6bd2f"));

  const Key state_key = StateKey(StateKind::kLog, Replica(128, 1));
  EXPECT_EQ(std::string(state_key), FromHex("6c 0000000000000080 0000000000000001"));
  LogState state;
  state.hard_state = MakeHardState(3, 1, 6);
  state.last = Index(8);
  EncodeLogState(value, state_key, state);
  EXPECT_EQ(value, FromHex("01 0300000000000000 0100000000000000 0600000000000000"
                           "0000000000000000 0000000000000000 0800000000000000 0000000000000000"
                           "26a781d9"));
}

TEST(EntryRecordTest, WhatIsPackedIsUnpacked) {
  const auto entries = MakeEntries(1, 50, 2, 30);
  const base::Bytes value = base::Bytes::Copy(Pack(entries));
  const Result<Record> record = CheckRecord(kKey, value.view());
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->epochs.own, 3u);
  EXPECT_EQ(record->epochs.before, 2u);
  EXPECT_EQ(record->count, 49u);
  std::vector<raft::Entry> unpacked;
  std::uint64_t size = 0;
  const Result<bool> all =
      UnpackEntries(value, *record, Index(1), Index(10), Index(20), kNoLimit, size, unpacked);
  ASSERT_TRUE(all.has_value());
  EXPECT_TRUE(*all);
  EXPECT_EQ(unpacked, std::vector<raft::Entry>(entries.begin() + 9, entries.begin() + 19));
}

TEST(EntryRecordTest, ARecordEndsBeforeItGrowsTooLarge) {
  const auto entries = MakeEntries(1, 1000, 2, 300);
  std::string value;
  const std::size_t packed = PackRecord(value, kKey, {}, entries);
  EXPECT_GT(packed, 100u);
  EXPECT_LE(value.size(), kRecordBytes);
  const std::vector<raft::Entry> large = {MakeEntry(1, 1, std::string(1u << 20, 'x')),
                                          MakeEntry(2, 1, "small")};
  EXPECT_EQ(PackRecord(value, kKey, {}, large), 1u);
}

TEST(EntryRecordTest, AnyFlippedBitAndAnyOtherKeyIsDamage) {
  const std::string value = Pack(MakeEntries(1, 3, 2));
  for (std::size_t at = 0; at < value.size(); ++at) {
    std::string flipped = value;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << at % 8));
    const Result<Record> record = CheckRecord(kKey, flipped);
    ASSERT_FALSE(record.has_value());
    EXPECT_EQ(record.error().code, ErrorCode::kDamaged);
  }
  for (std::size_t length = 0; length < value.size(); ++length) {
    EXPECT_FALSE(CheckRecord(kKey, value.substr(0, length)).has_value());
  }
  EXPECT_FALSE(CheckRecord(EntryKey(Replica(1, 2), Index(1)), value).has_value());
}

TEST(EntryRecordTest, ARecordThatHoldsOtherEntriesThanItSaysIsDamage) {
  const base::Bytes value = base::Bytes::Copy(Pack(MakeEntries(1, 4, 2)));
  const Record record = CheckRecord(kKey, value.view()).value();
  std::vector<raft::Entry> out;
  std::uint64_t size = 0;
  EXPECT_FALSE(UnpackEntries(value, record, Index(1), Index(1), Index(5), kNoLimit, size, out));
  out.clear();
  EXPECT_FALSE(UnpackEntries(value, record, Index(2), Index(2), Index(4), kNoLimit, size, out));
}

}  // namespace
}  // namespace drumbeat::storage
