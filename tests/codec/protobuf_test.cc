// SPDX-License-Identifier: Apache-2.0
#include "codec/protobuf.h"

#include <vector>

#include <gtest/gtest.h>

#include "vectors.h"

namespace drumbeat::codec {
namespace {

using Numbers = std::vector<int>;

/// Numbers of the fields that can be walked over; -1 behind them if the walk failed.
Numbers Walk(const std::string& hex) {
  Numbers numbers;
  const std::string record = FromHex(hex);
  FieldReader fields(record);
  while (fields.Next()) numbers.push_back(static_cast<int>(fields.number()));
  if (!fields.ok()) numbers.push_back(-1);
  return numbers;
}

std::string Times(int count, const std::string& hex) {
  std::string all;
  for (int i = 0; i < count; ++i) all += hex;
  return all;
}

TEST(FieldReaderTest, WalksOverEveryWireType) {
  EXPECT_EQ(Walk(""), Numbers());
  EXPECT_EQ(Walk("0805"), Numbers({1}));
  EXPECT_EQ(Walk("090102030405060708"), Numbers({1}));
  EXPECT_EQ(Walk("0a026162"), Numbers({1}));
  EXPECT_EQ(Walk("0b0c"), Numbers({1}));
  EXPECT_EQ(Walk("0d01020304"), Numbers({1}));
  EXPECT_EQ(Walk("08051206616263646566"
                 "82010161"),
            Numbers({1, 2, 16}));
}

TEST(FieldReaderTest, SkipsGroupsWithAllTheirFields) {
  EXPECT_EQ(Walk("0b08051201610d010203040901020304050607080b0c0c1001"), Numbers({1, 2}));
  EXPECT_EQ(Walk(Times(16, "0b") + Times(16, "0c")), Numbers({1}));
}

TEST(FieldReaderTest, GroupsAreBounded) {
  EXPECT_EQ(Walk(Times(100000, "0b")), Numbers({-1}));
  EXPECT_EQ(Walk("0b0b0c"), Numbers({-1})) << "not closed";
  EXPECT_EQ(Walk("0b08"), Numbers({-1})) << "cut off";
  EXPECT_EQ(Walk("0b00010c"), Numbers({-1})) << "field 0";
  EXPECT_EQ(Walk("0c"), Numbers({-1})) << "an end without a start";
}

TEST(FieldReaderTest, RefusesWhatIsCutOff) {
  for (const char* cut : {"08", "0880", "09010203", "0a", "0a0261", "0d0102", "80", "0a80"}) {
    EXPECT_EQ(Walk(cut), Numbers({-1})) << cut;
  }
}

TEST(FieldReaderTest, RefusesImpossibleTags) {
  EXPECT_EQ(Walk("0001"), Numbers({-1})) << "field 0";
  EXPECT_EQ(Walk("0e01"), Numbers({-1})) << "wire type 6";
  EXPECT_EQ(Walk("0f01"), Numbers({-1})) << "wire type 7";
  EXPECT_EQ(Walk("808080801001"), Numbers({-1})) << "field 2^29";
  EXPECT_EQ(Walk("f8ffffff0f01"), Numbers({(1 << 29) - 1}));
}

TEST(FieldReaderTest, RefusesLongVarints) {
  EXPECT_EQ(Walk("08ffffffffffffffffff01"), Numbers({1}));
  EXPECT_EQ(Walk("08ffffffffffffffffff02"), Numbers({-1})) << "65 bits";
  EXPECT_EQ(Walk("088080808080808080808000"), Numbers({-1})) << "11 bytes";
  EXPECT_EQ(Walk("0affffffffffffffffff01"), Numbers({-1})) << "length 2^64 - 1";
}

TEST(FieldReaderTest, AnotherWireTypeThanAskedForIsAFailure) {
  FieldReader number("\x0a\x01\x61");
  ASSERT_TRUE(number.Next());
  EXPECT_EQ(number.Varint(), 0u);
  EXPECT_FALSE(number.ok());
  EXPECT_FALSE(number.Next());
  FieldReader bytes("\x08\x01\x08\x02");
  ASSERT_TRUE(bytes.Next());
  EXPECT_EQ(bytes.Bytes(), "");
  EXPECT_FALSE(bytes.ok());
  EXPECT_FALSE(bytes.Next());
}

TEST(FieldWritersTest, BothWaysOfWritingAgree) {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128},
                                    std::uint64_t{1} << 49, ~std::uint64_t{0}}) {
    std::string appended;
    AppendField(appended, 5, value);
    EXPECT_EQ(appended.size(), FieldSize(5, value));
    std::string written;
    AppendExactly(written, FieldSize(5, value), [&](char* at) { return WriteField(at, 5, value); });
    EXPECT_EQ(ToHex(written), ToHex(appended));
  }
}

TEST(FieldWritersTest, AppendingKeepsWhatWasThere) {
  std::string out = "before";
  std::string expected = out;
  for (int i = 0; i < 100; ++i) {
    AppendExactly(out, 3, [](char* at) { return WriteBytes(at, "ab"); });
    expected +=
        "\x02"
        "ab";
  }
  EXPECT_EQ(out, expected);
}

}  // namespace
}  // namespace drumbeat::codec
