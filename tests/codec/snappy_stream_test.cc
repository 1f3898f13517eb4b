// SPDX-License-Identifier: Apache-2.0
#include "codec/snappy_stream.h"

#include <gtest/gtest.h>
#include <snappy.h>

#include "base/byte_coding.h"
#include "base/crc.h"
#include "base/random.h"
#include "read_all.h"
#include "string_reader.h"

namespace drumbeat::codec {
namespace {

const std::string kIdentifier("\xff\x06\x00\x00sNaPpY", 10);

std::string Chunk(int type, std::string_view body) {
  std::string chunk(1, static_cast<char>(type));
  for (int shift = 0; shift < 24; shift += 8) {
    chunk.push_back(static_cast<char>(body.size() >> shift));
  }
  return chunk.append(body);
}
std::string WithCrc(std::string_view data, std::string_view body) {
  std::string out;
  base::AppendLittle(out, base::MaskCrc32c(base::Crc32c(data)));
  return out.append(body);
}
std::string Raw(std::string_view data) { return Chunk(1, WithCrc(data, data)); }
std::string Compressed(std::string_view data) {
  std::string block;
  snappy::Compress(data.data(), data.size(), &block);
  return Chunk(0, WithCrc(data, block));
}

Result<std::string> Decompressed(const std::string& stream, std::size_t step = 1000) {
  const auto reader = MakeSnappyStreamReader(std::make_unique<StringReader>(stream, step));
  Result<std::string> all = ReadAll(*reader);
  // What failed once, or ended, stays so.
  char more = 0;
  const Result<std::size_t> again = reader->Read(std::span(&more, 1));
  EXPECT_EQ(again.has_value(), all.has_value());
  if (again) {
    EXPECT_EQ(*again, 0u);
  }
  return all;
}

std::string Compress(std::string_view data, std::size_t step) {
  SnappyStreamWriter writer;
  std::string out;
  for (std::size_t at = 0; at < data.size(); at += step) writer.Write(data.substr(at, step), out);
  writer.Finish(out);
  return out;
}

/// Compresses well in parts only.
std::string SomeData(std::size_t size) {
  base::Random random(3);
  std::string data;
  while (data.size() < size) {
    data.append(random.Below(50000), 'x');
    for (int i = 0; i < 30000; ++i) data.push_back(static_cast<char>(random.Next()));
  }
  data.resize(size);
  return data;
}

TEST(SnappyStreamTest, DataComeBackWhateverThePieces) {
  const std::string data = SomeData(300'000);
  const std::string compressed = Compress(data, data.size());
  EXPECT_LT(compressed.size(), data.size());
  for (const std::size_t step : {1u, 65535u, 65536u, 65537u}) {
    EXPECT_EQ(Compress(data, step), compressed) << step;
    EXPECT_EQ(Decompressed(compressed, step).value(), data) << step;
  }
}

TEST(SnappyStreamTest, ChunksHoldAtMost64KiB) {
  const std::string compressed = Compress(std::string(65537, 'x'), 100000);
  EXPECT_EQ(compressed, kIdentifier + Compressed(std::string(65536, 'x')) + Raw("x"));
}

TEST(SnappyStreamTest, NothingIsAnEmptyStream) {
  EXPECT_EQ(Compress("", 1), "");
  EXPECT_EQ(Decompressed("").value(), "");
  EXPECT_EQ(Decompressed(kIdentifier).value(), "");
}

TEST(SnappyStreamTest, ReadsEveryKindOfChunkThatIsAllowed) {
  EXPECT_EQ(Decompressed(kIdentifier + Raw("a") + Compressed("b") + Chunk(0xfe, "padding") +
                         Chunk(0x80, "skipped") + Chunk(0xfd, std::string(100000, 's')) +
                         kIdentifier + Raw("") + Compressed("c"))
                .value(),
            "abc");
}

TEST(SnappyStreamTest, RefusesReservedChunks) {
  for (int type = 0x02; type <= 0x7f; ++type) {
    EXPECT_FALSE(Decompressed(kIdentifier + Chunk(type, "xxxx")).has_value()) << type;
  }
}

TEST(SnappyStreamTest, RefusesAStreamWithoutIdentifier) {
  EXPECT_FALSE(Decompressed(Raw("a")).has_value());
  EXPECT_FALSE(Decompressed(Chunk(0xfe, "p") + kIdentifier).has_value());
  EXPECT_FALSE(Decompressed(Chunk(0xff, "sNaPpy")).has_value());
  EXPECT_FALSE(Decompressed(Chunk(0xff, "sNaPpYx")).has_value());
}

TEST(SnappyStreamTest, RefusesChunksThatAreTooLarge) {
  const std::string most(65536, 'x');
  EXPECT_EQ(Decompressed(kIdentifier + Raw(most)).value(), most);
  EXPECT_EQ(Decompressed(kIdentifier + Compressed(most)).value(), most);
  EXPECT_FALSE(Decompressed(kIdentifier + Raw(most + "x")).has_value());
  EXPECT_FALSE(Decompressed(kIdentifier + Compressed(most + "x")).has_value());
  EXPECT_FALSE(Decompressed(kIdentifier + Chunk(1, std::string(1u << 20, 'x'))).has_value());
}

TEST(SnappyStreamTest, RefusesWrongChecksums) {
  EXPECT_FALSE(Decompressed(kIdentifier + Chunk(1, WithCrc("other", "data"))).has_value());
  std::string unmasked;
  base::AppendLittle(unmasked, base::Crc32c("data"));
  EXPECT_FALSE(Decompressed(kIdentifier + Chunk(1, unmasked + "data")).has_value());
  EXPECT_FALSE(Decompressed(kIdentifier + Chunk(0, WithCrc("data", "no block"))).has_value());
  EXPECT_FALSE(Decompressed(kIdentifier + Chunk(1, "xxx")).has_value()) << "no checksum";
}

TEST(SnappyStreamTest, EveryCutBetweenBordersIsNoticed) {
  const std::vector<std::string> chunks = {kIdentifier, Raw("some"), Chunk(0xfe, "padding"),
                                           Compressed("data")};
  std::string stream;
  for (const std::string& chunk : chunks) {
    EXPECT_TRUE(Decompressed(stream).has_value());
    for (std::size_t length = 1; length < chunk.size(); ++length) {
      EXPECT_FALSE(Decompressed(stream + chunk.substr(0, length)).has_value()) << length;
    }
    stream += chunk;
  }
}

}  // namespace
}  // namespace drumbeat::codec
