// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "codec/image_header.h"
#include "image_fixture.h"

namespace drumbeat::codec {
namespace {

TEST(ImageWriterTest, SizesAddUp) {
  for (const std::size_t size : {std::size_t{1}, kFullBlock - 1, kFullBlock, kFullBlock + 1,
                                 2 * kFullBlock, 2 * kFullBlock + 1}) {
    const std::size_t blocks = (size + kFullBlock - 1) / kFullBlock;
    EXPECT_EQ(ImageOf(PatternOf(size)).size(), 1024 + size + 4 * blocks + 16) << size;
  }
}

TEST(ImageWriterTest, PiecesMakeNoDifference) {
  const std::string stream = PatternOf(100'000);
  for (const Compression compression : {Compression::kNone, Compression::kSnappy}) {
    const std::string image = ImageOf(stream, compression, stream.size());
    EXPECT_EQ(ImageOf(stream, compression, 1), image);
    EXPECT_EQ(ImageOf(stream, compression, 7777), image);
  }
}

TEST(ImageWriterTest, NeedsAFewBlocksWhateverItIsGiven) {
  for (const Compression compression : {Compression::kNone, Compression::kSnappy}) {
    StringSink sink;
    const auto writer = ImageWriter::Make(sink, compression, 0);
    ASSERT_TRUE(writer->Write(PatternOf(5 * kFullBlock)).has_value());
    ASSERT_TRUE(writer->Finish().has_value());
    EXPECT_LE(sink.largest, kFullBlock + 4);
    EXPECT_EQ(writer->image_bytes(), 1024 + sink.text.size());
  }
}

/// Takes a number of appends and then fails once.
class FullSink : public ImageSink {
 public:
  explicit FullSink(int room) : room_(room) {}
  Result<void> Append(std::string_view) override {
    if (room_-- == 0) return Fail(ErrorCode::kStorage, "the disk is full");
    return {};
  }

 private:
  int room_;
};

// A sink that works again must not get the rest behind a hole.
TEST(ImageWriterTest, AnErrorIsFinal) {
  FullSink sink(1);
  const auto writer = ImageWriter::Make(sink, Compression::kNone, 0);
  ASSERT_TRUE(writer->Write(PatternOf(kFullBlock)).has_value());
  const auto failed = writer->Write(PatternOf(kFullBlock));
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::kStorage);
  EXPECT_FALSE(writer->Write(PatternOf(kFullBlock)).has_value());
  EXPECT_FALSE(writer->Finish().has_value());
}

TEST(ImageWriterTest, NothingIsWrittenBehindTheEnd) {
  StringSink sink;
  const auto writer = ImageWriter::Make(sink, Compression::kNone, 0);
  ASSERT_TRUE(writer->Write("x").has_value());
  ASSERT_TRUE(writer->Finish().has_value());
  const std::size_t size = sink.text.size();
  EXPECT_FALSE(writer->Write("y").has_value());
  EXPECT_EQ(sink.text.size(), size);
}

TEST(ImageWriterTest, TheWitnessImageIsWhatTheWriterWouldWrite) {
  StringSink sink;
  const auto writer = ImageWriter::Make(sink, Compression::kNone, 12345);
  ASSERT_TRUE(writer->Write(EncodeSessions({})).has_value());
  ASSERT_TRUE(writer->Finish().has_value());
  EXPECT_EQ(WitnessImage(12345), writer->header() + sink.text);
  EXPECT_EQ(WitnessImage(12345).size(), 1060u);
}

}  // namespace
}  // namespace drumbeat::codec
