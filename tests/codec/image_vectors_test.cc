// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <openssl/sha.h>

#include "codec/chunk.h"
#include "codec/image_header.h"
#include "codec/snapshot_image.h"
#include "image_fixture.h"
#include "vectors.h"

// Session tables and images that real Dragonboat code emitted.
namespace drumbeat::codec {
namespace {

StoredSessions SessionsIn(const Json& input) {
  StoredSessions table{.capacity = NumberIn(input, "capacity"), .sessions = {}};
  for (const Json& json : input["sessions"]) {
    StoredSession session{.client_id = NumberIn(json, "client_id"),
                          .responded_to = NumberIn(json, "responded_up_to"),
                          .history = {}};
    for (const auto& [series, result] : json["history"].items()) {
      session.history.push_back(
          {.series_id = std::stoull(series),
           .result = {.value = NumberIn(result, "value"), .data = BytesIn(result, "data")}});
    }
    std::ranges::sort(session.history, {}, &StoredResult::series_id);
    table.sessions.push_back(std::move(session));
  }
  return table;
}

class TableVectors : public testing::TestWithParam<Vector> {};
TEST_P(TableVectors, BothWays) {
  const auto [name, kind, input, bytes] = GetParam();
  StringReader reader(bytes + "more", 7);
  EXPECT_EQ(ReadSessions(reader).value(), SessionsIn(input));
  EXPECT_EQ(reader.left(), 4u);
  EXPECT_EQ(ToHex(EncodeSessions(SessionsIn(input))), ToHex(bytes));
}
INSTANTIATE_TEST_SUITE_P(Wire, TableVectors, testing::ValuesIn(VectorsOf({"session_table"})),
                         NameOf);

TEST(HeaderVector, TheBareRecordIsReadButWrittenOnlyWithItsChecksum) {
  const std::vector<Vector> vectors = VectorsOf({"snapshot_header"});
  ASSERT_EQ(vectors.size(), 1u);
  const auto& [name, kind, input, record] = vectors[0];
  std::string area(1, static_cast<char>(record.size()));
  area.resize(8, '\0');
  area += record;
  area.resize(kImageHeaderBytes, '\0');
  const ImageHeader header = DecodeImageHeader(area).value();
  EXPECT_EQ(header.unreliable_time, NumberIn(input, "unreliable_time"));
  EXPECT_EQ(header.payload_checksum, 0x01020304u);
  EXPECT_EQ(header.compression, Compression::kNone);
  // What is written has the 6 bytes of field 5 in between.
  const std::string written = EncodeImageHeader(header).substr(8, record.size() + 6);
  const std::size_t before = written.find(std::string("\x2a\x04", 2));
  ASSERT_NE(before, std::string::npos);
  EXPECT_EQ(ToHex(written.substr(0, before) + written.substr(before + 6)), ToHex(record));
}

class ImageVectors : public testing::TestWithParam<Vector> {};
TEST_P(ImageVectors, IsValidAndHoldsItsStream) {
  const auto [name, kind, input, image] = GetParam();
  const std::string stream = BytesIn(input, "session_table") + BytesIn(input, "user_payload");
  EXPECT_EQ(ToHex(StreamOf(image).value()), ToHex(stream));
  for (const std::size_t step : {1u, 7u, 100000u}) EXPECT_TRUE(IsValid(image, step)) << step;
  StringReader table(StreamOf(image).value());
  EXPECT_EQ(ReadSessions(table).value().capacity, 4096u);
}

// Two compressors need not agree on their bytes: a compressed image is compared by what it holds.
TEST_P(ImageVectors, ComesOutUnchanged) {
  const auto [name, kind, input, image] = GetParam();
  const bool compressed = NumberIn(input, "compression_type") == 1;
  const std::uint64_t time = NumberIn(input, "unreliable_time");
  StringSink sink;
  const auto writer =
      ImageWriter::Make(sink, compressed ? Compression::kSnappy : Compression::kNone, time);
  ASSERT_TRUE(writer->Write(BytesIn(input, "session_table")).has_value());
  ASSERT_TRUE(writer->Write(BytesIn(input, "user_payload")).has_value());
  ASSERT_TRUE(writer->Finish().has_value());
  const std::string written = writer->header() + sink.text;
  EXPECT_EQ(writer->image_bytes(), written.size());
  if (compressed) {
    EXPECT_EQ(StreamOf(written).value(), StreamOf(image).value());
  } else {
    EXPECT_EQ(ToHex(written), ToHex(image));
  }
  if (name == "image_witness") {
    EXPECT_EQ(ToHex(WitnessImage(time)), ToHex(image));
  }
}
INSTANTIATE_TEST_SUITE_P(Wire, ImageVectors, testing::ValuesIn(VectorsOf({"snapshot_image"})),
                         NameOf);

const Json& Recipe(const std::string& name) {
  for (const Json& recipe : Vectors()["recipes"]) {
    if (recipe["name"] == name) return recipe;
  }
  return Vectors().at("no such recipe");
}

std::string Sha256(std::string_view bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  return ToHex({reinterpret_cast<const char*>(digest), sizeof(digest)});
}

/// Remembers the pieces, too.
class PiecesSink : public StringSink {
 public:
  Result<void> Append(std::string_view bytes) override {
    sizes.push_back(bytes.size());
    return StringSink::Append(bytes);
  }
  std::vector<std::size_t> sizes;
};

class BigImage : public testing::Test {
 protected:
  void SetUp() override {
    const std::string header = FromHex(Recipe("image_big")["header_first_64_bytes"]);
    std::string area = header;
    area.resize(kImageHeaderBytes, '\0');
    writer_ = ImageWriter::Make(sink_, Compression::kNone,
                                DecodeImageHeader(area).value().unreliable_time);
    ASSERT_TRUE(writer_->Write(EncodeSessions({})).has_value());
    ASSERT_TRUE(writer_->Write(PatternOf(5'000'000)).has_value());
    ASSERT_TRUE(writer_->Finish().has_value());
  }

  PiecesSink sink_;
  std::unique_ptr<ImageWriter> writer_;
};

TEST_F(BigImage, HasTheDigestsOfTheRecipe) {
  const Json& recipe = Recipe("image_big");
  EXPECT_EQ(writer_->image_bytes(), recipe["size"].get<std::uint64_t>());
  EXPECT_EQ(ToHex(writer_->header().substr(0, 64)),
            recipe["header_first_64_bytes"].get<std::string>());
  EXPECT_EQ(Sha256(sink_.text), recipe["sha256_of_bytes_from_offset_1024"].get<std::string>());
  const std::string image = writer_->header() + sink_.text;
  EXPECT_TRUE(IsValid(image));
  EXPECT_TRUE(StreamOf(image).value() == EncodeSessions({}) + PatternOf(5'000'000));
}

/// The number at `place` of an item such as `0:4:2097152:...`.
std::uint64_t ItemNumber(const std::string& item, int place) {
  std::size_t at = 0;
  while (place-- > 0) at = item.find(':', at) + 1;
  return std::stoull(item.substr(at));
}

// Its fourth item is an external file, which drumbeat does not have.
TEST_F(BigImage, IsCutAsDragonboatCutsFiles) {
  const Json& items = Recipe("split_big")["items"];
  ASSERT_EQ(items.size(), 4u);
  std::uint64_t left = writer_->image_bytes();
  for (std::size_t i = 0; i < 3; ++i) {
    const std::uint64_t bytes = std::min<std::uint64_t>(left, kSnapshotChunkBytes);
    EXPECT_EQ(ItemNumber(items[i], 2), bytes);
    left -= bytes;
  }
  EXPECT_EQ(left, 0u);
}

// While streaming, the first chunk is header and block, the others a block each, then the tail and
// a last one with no data.
TEST_F(BigImage, ItsPiecesAreThoseOfAStream) {
  const Json& items = Recipe("stream_big")["items"];
  ASSERT_EQ(items.size(), sink_.sizes.size() + 1);
  for (std::size_t i = 0; i < sink_.sizes.size(); ++i) {
    const std::uint64_t header = i == 0 ? kImageHeaderBytes : 0;
    EXPECT_EQ(ItemNumber(items[i], 3), header + sink_.sizes[i]) << i;
  }
  EXPECT_EQ(ItemNumber(items.back(), 1), kLastChunkCount);
  EXPECT_EQ(ItemNumber(items.back(), 3), 0u);
}

}  // namespace
}  // namespace drumbeat::codec
