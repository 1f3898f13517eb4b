// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/byte_coding.h"
#include "base/crc.h"
#include "codec/image_header.h"
#include "codec/protobuf.h"
#include "image_fixture.h"

// Reader and validator must agree on every image, however it is damaged.
namespace drumbeat::codec {
namespace {

TEST(ImageTest, StreamsOfAllSizesComeBack) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{16}, kFullBlock - 1, kFullBlock,
                                 kFullBlock + 1, 2 * kFullBlock, 2 * kFullBlock + 5}) {
    const std::string stream = PatternOf(size);
    for (const Compression compression : {Compression::kNone, Compression::kSnappy}) {
      const std::string image = ImageOf(stream, compression);
      for (const std::size_t step : {std::size_t{999}, kFullBlock + 4, std::size_t{100} << 20}) {
        EXPECT_TRUE(IsValid(image, step)) << size << " " << step;
        EXPECT_TRUE(StreamOf(image, image.size(), step) == stream) << size << " " << step;
      }
    }
  }
}

TEST(ImageTest, PiecesOfOneByteWillDo) {
  const std::string image = ImageOf(PatternOf(100));
  EXPECT_TRUE(IsValid(image, 1));
  EXPECT_EQ(StreamOf(image, image.size(), 1).value(), PatternOf(100));
}

bool Readable(const std::string& image) {
  const Result<std::string> stream = StreamOf(image);
  if (!stream) {
    EXPECT_EQ(stream.error().code, ErrorCode::kDamaged);
  }
  EXPECT_EQ(IsValid(image), stream.has_value());
  EXPECT_EQ(IsValid(image, 7), stream.has_value());
  return stream.has_value();
}

// A checksum whose tag is damaged counts as not given; then nothing else may be.
TEST(DamagedImageTest, EveryFlippedBitOfAHeaderIsNoticedOrHarmless) {
  const std::string image = ImageOf(PatternOf(100));
  int harmless = 0;
  // The length, the record and the checksum behind it, which is 0: "not given".
  for (std::size_t bit = 0; bit < (8 + 34 + 4) * 8; ++bit) {
    std::string bad = image;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    if (!Readable(bad)) continue;
    EXPECT_EQ(StreamOf(bad).value(), PatternOf(100)) << "byte " << bit / 8 << " bit " << bit % 8;
    ++harmless;
  }
  EXPECT_LT(harmless, 8);
}

TEST(DamagedImageTest, EveryFlippedBitBehindTheHeaderIsNoticed) {
  const std::string image = ImageOf(PatternOf(100));
  for (std::size_t bit = 1024 * 8; bit < image.size() * 8; ++bit) {
    std::string bad = image;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(Readable(bad)) << "byte " << bit / 8 << " bit " << bit % 8;
  }
}

TEST(DamagedImageTest, EveryCutIsNoticed) {
  const std::string image = ImageOf(PatternOf(100));
  for (std::size_t length = 0; length < image.size(); ++length) {
    EXPECT_FALSE(Readable(image.substr(0, length))) << length;
    // The source ends earlier than it was said to.
    EXPECT_FALSE(StreamOf(image.substr(0, length), image.size()).has_value()) << length;
  }
}

TEST(DamagedImageTest, EveryCutAroundTheEndOfAFullBlockIsNoticed) {
  const std::string image = ImageOf(PatternOf(kFullBlock));
  for (std::size_t cut = 1; cut < 25; ++cut) {
    EXPECT_FALSE(Readable(image.substr(0, image.size() - cut))) << cut;
  }
}

TEST(DamagedImageTest, MoreBehindTheEndIsNoticed) {
  for (const std::size_t size : {std::size_t{100}, kFullBlock}) {
    const std::string image = ImageOf(PatternOf(size));
    for (std::size_t more = 1; more < 25; ++more) {
      EXPECT_FALSE(Readable(image + std::string(more, '\0'))) << more;
    }
    EXPECT_FALSE(StreamOf(image + "x", image.size()).has_value());
  }
}

TEST(DamagedImageTest, BlocksThatChangedPlacesAreNoticed) {
  std::string image = ImageOf(PatternOf(2 * kFullBlock));
  const std::string first = image.substr(1024, kFullBlock + 4);
  const std::string second = image.substr(1024 + kFullBlock + 4, kFullBlock + 4);
  ASSERT_NE(first, second);
  image.replace(1024, first.size() * 2, second + first);
  EXPECT_FALSE(Readable(image));
}

TEST(DamagedImageTest, AnImageWithoutBlocksIsNone) {
  std::string image = ImageOf(PatternOf(100)).substr(0, 1024);
  image += EncodeImageTail(0);
  EXPECT_FALSE(Readable(image));
}

TEST(DamagedImageTest, AnEmptyBlockIsNotTaken) {
  std::string image = ImageOf(PatternOf(kFullBlock));
  image.resize(image.size() - 16);
  image += std::string(4, '\0') + EncodeImageTail(kFullBlock + 8);
  EXPECT_FALSE(Readable(image));
}

/// An image of 100 bytes with another header record.
std::string WithRecord(const std::string& record, bool with_crc) {
  std::string area;
  base::AppendLittle(area, std::uint64_t{record.size()});
  area += record;
  if (with_crc) base::AppendBig(area, base::Crc32(record));
  area.resize(1024, '\0');
  return area + ImageOf(PatternOf(100)).substr(1024);
}
std::string Record(std::uint64_t checksum_type, std::uint64_t version, std::uint64_t compression,
                   std::string_view payload_checksum) {
  std::string record;
  AppendField(record, 6, payload_checksum);
  AppendField(record, 7, checksum_type);
  AppendField(record, 8, version);
  AppendField(record, 9, compression);
  return record;
}
constexpr std::string_view kNoChecksum("\0\0\0\0", 4);

// As written while streaming: no checksum of the blocks, but the record's behind it.
TEST(ImageHeaderTest, TheStreamingStyleIsRead) {
  const std::string record = Record(0, 2, 0, kNoChecksum);
  const std::string image = WithRecord(record, true);
  EXPECT_TRUE(Readable(image));
  std::string bad = image;
  bad[8 + record.size()] ^= 1;
  EXPECT_FALSE(Readable(bad)) << "the checksum behind the record";
}

TEST(ImageHeaderTest, OtherVersionsAndKindsAreRefused) {
  EXPECT_TRUE(Readable(WithRecord(Record(0, 2, 0, kNoChecksum), false)));
  EXPECT_TRUE(Readable(WithRecord(Record(0, 2, 0, ""), false)));
  EXPECT_FALSE(Readable(WithRecord(Record(0, 1, 0, kNoChecksum), false)));
  EXPECT_FALSE(Readable(WithRecord(Record(0, 3, 0, kNoChecksum), false)));
  EXPECT_FALSE(Readable(WithRecord(Record(1, 2, 0, kNoChecksum), false)));
  EXPECT_FALSE(Readable(WithRecord(Record(0, 2, 2, kNoChecksum), false)));
  EXPECT_FALSE(Readable(WithRecord(Record(0, 2, 0, "abc"), false)));
  EXPECT_FALSE(Readable(WithRecord(Record(0, 2, 0, "abcd"), false))) << "of other blocks";
  EXPECT_FALSE(Readable(WithRecord("", false)));
  EXPECT_FALSE(Readable(WithRecord("\xff", false)));
}

TEST(ImageHeaderTest, ARecordMustFitItsArea) {
  std::string record = Record(0, 2, 0, kNoChecksum);
  AppendField(record, 15, std::string(1012 - 3 - record.size(), 'x'));
  ASSERT_EQ(record.size(), 1012u);
  EXPECT_TRUE(Readable(WithRecord(record, true)));
  std::string image = ImageOf(PatternOf(100));
  for (const std::uint64_t length :
       {std::uint64_t{1013}, std::uint64_t{1} << 32, ~std::uint64_t{0}}) {
    std::string claim;
    base::AppendLittle(claim, length);
    image.replace(0, 8, claim);
    EXPECT_FALSE(Readable(image)) << length;
  }
}

TEST(ImageValidatorTest, AnErrorIsFinal) {
  const std::string image = ImageOf(PatternOf(100));
  const auto validator = ImageValidator::Make();
  EXPECT_FALSE(validator->Add(std::string(1024, 'x')).has_value());
  EXPECT_FALSE(validator->Add(image).has_value());
  EXPECT_FALSE(validator->Finish().has_value());
}

TEST(ImageReaderTest, ADamagedBlockStaysDamaged) {
  std::string image = ImageOf(PatternOf(3 * kFullBlock));
  image[1024 + kFullBlock + 100] ^= 1;
  auto reader = OpenImage(std::make_unique<StringReader>(image), image.size());
  ASSERT_TRUE(reader.has_value());
  const auto all = ReadAll(**reader);
  ASSERT_FALSE(all.has_value());
  char byte = 0;
  EXPECT_FALSE((*reader)->Read(std::span(&byte, 1)).has_value());
}

// The stream of a compressed image is checked by the snappy reader, behind intact blocks.
TEST(ImageReaderTest, ACompressedStreamMustBeOne) {
  StringSink sink;
  const auto writer = ImageWriter::Make(sink, Compression::kNone, 0);
  ASSERT_TRUE(writer->Write(PatternOf(100)).has_value());
  ASSERT_TRUE(writer->Finish().has_value());
  const std::string image =
      EncodeImageHeader(
          {.unreliable_time = 0, .compression = Compression::kSnappy, .payload_checksum = 0}) +
      sink.text;
  EXPECT_TRUE(IsValid(image));
  const auto stream = StreamOf(image);
  ASSERT_FALSE(stream.has_value());
  EXPECT_EQ(stream.error().code, ErrorCode::kDamaged);
}

}  // namespace
}  // namespace drumbeat::codec
