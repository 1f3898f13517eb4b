// SPDX-License-Identifier: Apache-2.0
#include "base/crc.h"

#include <string>

#include <gtest/gtest.h>

#include "base/random.h"

namespace drumbeat::base {
namespace {

TEST(CrcTest, CheckValues) {
  EXPECT_EQ(Crc32("123456789"), 0xcbf43926u);
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32(""), 0u);
  EXPECT_EQ(Crc32c(""), 0u);
}

// RFC 3720, B.4.
TEST(CrcTest, CastagnoliOfTheIscsiExamples) {
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  std::string ascending;
  for (int i = 0; i < 32; ++i) ascending.push_back(static_cast<char>(i));
  EXPECT_EQ(Crc32c(ascending), 0x46dd794eu);
}

/// By the definition, a bit at a time.
std::uint32_t Reference(std::string_view bytes, std::uint32_t polynomial) {
  std::uint32_t crc = ~0u;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? polynomial : 0u);
  }
  return ~crc;
}

TEST(CrcTest, AnyLengthAtAnyAddress) {
  Random random(1);
  std::string bytes(100, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.Next());
  for (std::size_t first = 0; first < 9; ++first) {
    for (std::size_t length = 0; first + length <= bytes.size(); ++length) {
      const std::string_view part = std::string_view(bytes).substr(first, length);
      ASSERT_EQ(Crc32(part), Reference(part, 0xedb88320u)) << first << " " << length;
      ASSERT_EQ(Crc32c(part), Reference(part, 0x82f63b78u)) << first << " " << length;
    }
  }
}

TEST(CrcTest, GoesOnFromAPart) {
  const std::string_view text = "a text in two pieces";
  for (std::size_t i = 0; i <= text.size(); ++i) {
    EXPECT_EQ(Crc32(text.substr(i), Crc32(text.substr(0, i))), Crc32(text));
    EXPECT_EQ(Crc32c(text.substr(i), Crc32c(text.substr(0, i))), Crc32c(text));
  }
}

TEST(CrcTest, TheMaskRotatesAndAdds) {
  EXPECT_EQ(MaskCrc32c(0), 0xa282ead8u);
  EXPECT_EQ(MaskCrc32c(1), 0x20000u + 0xa282ead8u);
  for (const std::uint32_t crc : {0u, 1u, 0x80000000u, 0xe3069283u, ~0u}) {
    EXPECT_EQ(UnmaskCrc32c(MaskCrc32c(crc)), crc);
    EXPECT_NE(MaskCrc32c(crc), crc);
  }
}

}  // namespace
}  // namespace drumbeat::base
