// SPDX-License-Identifier: Apache-2.0
#include "base/byte_coding.h"

#include <limits>

#include <gtest/gtest.h>

namespace drumbeat::base {
namespace {

TEST(ByteCodingTest, FixedNumbersStandInTheOrderThatTheNameSays) {
  std::string little;
  AppendLittle(little, std::uint32_t{0x01020304});
  EXPECT_EQ(little, std::string("\x04\x03\x02\x01"));
  std::string big;
  AppendBig(big, std::uint32_t{0x01020304});
  EXPECT_EQ(big, std::string("\x01\x02\x03\x04"));
  EXPECT_EQ(LoadLittle<std::uint32_t>(little.data()), 0x01020304u);
  EXPECT_EQ(LoadBig<std::uint32_t>(big.data()), 0x01020304u);
}

TEST(ByteCodingTest, FixedNumbersOfAllSizesComeBack) {
  const auto comes_back = [](auto value) {
    std::string bytes;
    AppendLittle(bytes, value);
    AppendBig(bytes, value);
    ByteReader reader(bytes);
    EXPECT_EQ(reader.Little<decltype(value)>(), value);
    EXPECT_EQ(reader.Big<decltype(value)>(), value);
    EXPECT_TRUE(reader.ok() && reader.done());
  };
  comes_back(std::uint8_t{0xfe});
  comes_back(std::uint16_t{0xfedc});
  comes_back(std::uint32_t{0xfedcba98});
  comes_back(std::uint64_t{0xfedcba9876543210});
}

TEST(ByteCodingTest, VarintsComeBackAndHaveTheSizeThatWasSaid) {
  for (unsigned bit = 0; bit < 64; ++bit) {
    for (const std::uint64_t value :
         {std::uint64_t{1} << bit, (std::uint64_t{1} << bit) - 1, ~std::uint64_t{0} >> bit}) {
      std::string bytes;
      AppendVarint(bytes, value);
      EXPECT_EQ(bytes.size(), VarintSize(value)) << value;
      ByteReader reader(bytes);
      EXPECT_EQ(reader.Varint(), value);
      EXPECT_TRUE(reader.ok() && reader.done());
    }
  }
}

TEST(ByteCodingTest, VarintsBeyond64BitsAreRefused) {
  const std::string nine(9, '\xff');
  const std::string all_bits = nine + "\x01";
  EXPECT_EQ(ByteReader(all_bits).Varint(), std::numeric_limits<std::uint64_t>::max());
  const std::string one_bit_more = nine + "\x02";
  ByteReader a_bit_too_much(one_bit_more);
  a_bit_too_much.Varint();
  EXPECT_FALSE(a_bit_too_much.ok());
  const std::string ten(10, '\x80');
  ByteReader eleven_bytes(ten);
  eleven_bytes.Varint();
  EXPECT_FALSE(eleven_bytes.ok());
}

TEST(ByteCodingTest, ACutVarintIsRefused) {
  for (const std::string_view cut :
       {std::string_view(), std::string_view("\x80"), std::string_view("\xff\xff\xff")}) {
    ByteReader reader(cut);
    reader.Varint();
    EXPECT_FALSE(reader.ok());
  }
}

TEST(ByteCodingTest, AfterAFailureEverythingFails) {
  ByteReader reader("abc");
  EXPECT_EQ(reader.Take(4), "");
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.Take(1), "");
  EXPECT_EQ(reader.Little<std::uint8_t>(), 0);
  EXPECT_EQ(reader.Varint(), 0u);
  EXPECT_EQ(reader.LengthPrefixed(), "");
  EXPECT_FALSE(reader.ok());
}

TEST(ByteCodingTest, ALengthBeyondTheEndIsRefused) {
  ByteReader exact(
      "\x03"
      "abc");
  EXPECT_EQ(exact.LengthPrefixed(), "abc");
  EXPECT_TRUE(exact.ok());
  ByteReader beyond(
      "\x04"
      "abc");
  EXPECT_EQ(beyond.LengthPrefixed(), "");
  EXPECT_FALSE(beyond.ok());
  // A length that would wrap any sum that it is part of.
  ByteReader huge(
      "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
      "abc");
  EXPECT_EQ(huge.LengthPrefixed(), "");
  EXPECT_FALSE(huge.ok());
}

}  // namespace
}  // namespace drumbeat::base
