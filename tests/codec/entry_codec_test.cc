// SPDX-License-Identifier: Apache-2.0
#include "codec/entry_codec.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "vectors.h"

namespace drumbeat::codec {
namespace {

base::Bytes Bytes(const std::string& hex) { return base::Bytes::Copy(FromHex(hex)); }

/// Numbers of every length, zero often.
std::uint64_t AnyNumber(base::Random& random) {
  return random.OneIn(3) ? 0 : random.Next() >> random.Below(64);
}

raft::Entry AnyEntry(base::Random& random) {
  raft::Entry entry;
  entry.term = Term(AnyNumber(random));
  entry.index = Index(AnyNumber(random));
  entry.type = static_cast<raft::EntryType>(random.Below(4));
  entry.key = AnyNumber(random);
  entry.client_id = AnyNumber(random);
  entry.series_id = AnyNumber(random);
  entry.responded_to = AnyNumber(random);
  entry.command = base::Bytes::Copy(std::string(random.Below(300), 'c'));
  return entry;
}

TEST(EntryCodecTest, AnyEntryComesBackInTheSizeThatWasSaid) {
  base::Random random(1);
  for (int i = 0; i < 5000; ++i) {
    const raft::Entry entry = AnyEntry(random);
    std::string out = "before";
    AppendEntry(out, entry);
    ASSERT_EQ(out.size(), 6 + EncodedEntrySize(entry));
    const auto again = DecodeEntry(base::Bytes::Copy(out.substr(6)));
    ASSERT_TRUE(again.has_value()) << ToHex(out);
    ASSERT_EQ(*again, entry) << ToHex(out);
  }
}

TEST(EntryCodecTest, NumbersChangeTheirFormAt49Bits) {
  const std::uint64_t wide = std::uint64_t{1} << 49;
  for (const auto& [term, bytes] : std::vector<std::pair<std::uint64_t, std::size_t>>{
           {1, 3}, {127, 3}, {128, 4}, {wide - 1, 9}, {wide, 10}, {~std::uint64_t{0}, 10}}) {
    raft::Entry entry;
    entry.term = Term(term);
    EXPECT_EQ(EncodedEntrySize(entry), bytes) << term;
  }
}

TEST(EntryCodecTest, TheCommandSharesTheBuffer) {
  const base::Bytes bytes = Bytes("0701617f");
  const auto entry = DecodeEntry(bytes);
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->command.data(), bytes.data() + 2);
  EXPECT_EQ(entry->command.buffer(), bytes.buffer());
}

TEST(EntryCodecTest, EveryFieldIsReadIntoItsPlace) {
  const auto entry =
      DecodeEntry(Bytes("000101020203030404050506060707"
                        "01617f"));
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->term, Term(1));
  EXPECT_EQ(entry->index, Index(2));
  EXPECT_EQ(entry->type, raft::EntryType::kMetadata);
  EXPECT_EQ(entry->key, 4u);
  EXPECT_EQ(entry->client_id, 5u);
  EXPECT_EQ(entry->series_id, 6u);
  EXPECT_EQ(entry->responded_to, 7u);
  EXPECT_EQ(entry->command.view(), "a");
}

TEST(EntryCodecTest, OddFormsOfNumbersAreTaken) {
  const auto term = [](const std::string& hex) {
    const auto entry = DecodeEntry(Bytes(hex));
    return entry ? entry->term.value() : 12345678;
  };
  EXPECT_EQ(term("0085007f"), 5u) << "not minimal";
  EXPECT_EQ(term("8000000000000000057f"), 5u) << "8 bytes for a small one";
  EXPECT_EQ(term("00ffffffffffffffffff7f"), ~std::uint64_t{0}) << "a ninth byte of 8 bits";
  EXPECT_EQ(term("0080808080808080807f7f"), std::uint64_t{0x7f} << 56);
  EXPECT_EQ(term("00057faabb"), 5u) << "more behind the end";
}

TEST(EntryCodecTest, RefusesWhatIsNoEntry) {
  for (const char* bad : {
           "",                        // empty
           "0005",                    // no end mark
           "00",                      // no number
           "0080",                    // half a number
           "80000000000000057f",      // 8 bytes, but then no end mark
           "010a00057f",              // order
           "000500057f",              // twice
           "08017f",                  // unknown field
           "7e7f",                    // unknown field
           "ff",                      // the end mark with the flag
           "02047f",                  // unknown type
           "82017f",                  // negative type
           "0702617f",                // the end mark is taken for command
           "07ffffffffffffffffff7f",  // length 2^64 - 1
           "8701617f",                // a command with the flag
       }) {
    EXPECT_FALSE(DecodeEntry(Bytes(bad)).has_value()) << bad;
  }
}

TEST(EntryCodecTest, EveryPrefixOfAnEntryIsRefused) {
  base::Random random(2);
  for (int i = 0; i < 100; ++i) {
    std::string out;
    AppendEntry(out, AnyEntry(random));
    for (std::size_t length = 0; length < out.size(); ++length) {
      EXPECT_FALSE(DecodeEntry(base::Bytes::Copy(out.substr(0, length))).has_value()) << ToHex(out);
    }
  }
}

}  // namespace
}  // namespace drumbeat::codec
