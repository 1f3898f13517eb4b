// SPDX-License-Identifier: Apache-2.0
#include "codec/frame.h"

#include <gtest/gtest.h>

#include "base/crc.h"

namespace drumbeat::codec {
namespace {

constexpr std::uint64_t kMax = 1000;

std::string HeaderOf(FrameMethod method, std::uint64_t bytes, std::uint32_t crc = 0) {
  const auto prefix = EncodeFramePrefix(method, bytes, crc);
  return std::string(prefix.begin() + kMagicBytes, prefix.end());
}

TEST(FrameTest, HeadersComeBack) {
  const auto header = DecodeFrameHeader(HeaderOf(FrameMethod::kSnapshotChunk, 999, 7), kMax);
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->method, FrameMethod::kSnapshotChunk);
  EXPECT_EQ(header->payload_bytes, 999u);
  EXPECT_EQ(header->payload_crc, 7u);
}

TEST(FrameTest, EveryFlippedBitIsNoticed) {
  const std::string good = HeaderOf(FrameMethod::kMessageBatch, 100, 0x12345678);
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(DecodeFrameHeader(bad, kMax).has_value()) << "bit " << bit;
  }
}

TEST(FrameTest, SizesOutOfBoundsAreRefused) {
  EXPECT_TRUE(DecodeFrameHeader(HeaderOf(FrameMethod::kMessageBatch, kMax), kMax).has_value());
  for (const std::uint64_t bytes : {std::uint64_t{0}, kMax + 1, std::uint64_t{1} << 31,
                                    std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    EXPECT_FALSE(DecodeFrameHeader(HeaderOf(FrameMethod::kMessageBatch, bytes), kMax).has_value())
        << bytes;
  }
}

TEST(FrameTest, UnknownMethodsAreRefused) {
  for (const int method : {0, 99, 101, 199, 201, 100 << 8, 0xffff}) {
    EXPECT_FALSE(DecodeFrameHeader(HeaderOf(static_cast<FrameMethod>(method), 1), kMax).has_value())
        << method;
  }
}

TEST(FrameTest, AHeaderOfAnotherLengthIsRefused) {
  const std::string header = HeaderOf(FrameMethod::kMessageBatch, 1);
  EXPECT_FALSE(DecodeFrameHeader(header.substr(1), kMax).has_value());
  EXPECT_FALSE(DecodeFrameHeader(header + "x", kMax).has_value());
  EXPECT_FALSE(DecodeFrameHeader("", kMax).has_value());
}

TEST(FrameTest, ThePayloadIsComparedWithItsHeader) {
  const FrameHeader header{.method = FrameMethod::kMessageBatch,
                           .payload_bytes = 9,
                           .payload_crc = base::Crc32("123456789")};
  EXPECT_TRUE(PayloadMatches(header, "123456789", PayloadCheck::kCrc32));
  EXPECT_FALSE(PayloadMatches(header, "123456780", PayloadCheck::kCrc32));
  EXPECT_TRUE(PayloadMatches(header, "123456780", PayloadCheck::kNone));
  EXPECT_FALSE(PayloadMatches(header, "12345678", PayloadCheck::kNone));
}

TEST(FrameTest, BothWaysOfMakingAPrefixAgree) {
  const std::string payload = "some payload";
  EXPECT_EQ(EncodeFramePrefix(FrameMethod::kMessageBatch, payload, PayloadCheck::kCrc32),
            EncodeFramePrefix(FrameMethod::kMessageBatch, payload.size(), base::Crc32(payload)));
  EXPECT_EQ(EncodeFramePrefix(FrameMethod::kMessageBatch, payload, PayloadCheck::kNone),
            EncodeFramePrefix(FrameMethod::kMessageBatch, payload.size(), 0));
}

}  // namespace
}  // namespace drumbeat::codec
