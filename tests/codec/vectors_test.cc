// SPDX-License-Identifier: Apache-2.0
#include "vectors.h"

#include <gtest/gtest.h>

#include <set>

#include "codec/chunk.h"
#include "codec/command.h"
#include "codec/entry_codec.h"
#include "codec/frame.h"
#include "codec/image_header.h"
#include "codec/message_batch.h"
#include "codec/protobuf.h"
#include "codec/records.h"
#include "codec/snapshot_image.h"
#include "string_reader.h"

namespace drumbeat::codec {
namespace {

base::Bytes Bytes(std::string_view text) { return base::Bytes::Copy(text); }

/// Decodes and encodes again: what Dragonboat emitted must come out unchanged.
std::string Again(const Vector& vector) {
  const std::string& in = vector.bytes;
  std::string out;
  if (vector.kind == "entry") {
    AppendEntry(out, DecodeEntry(Bytes(in)).value());
  } else if (vector.kind == "config_change") {
    out = EncodeConfigChange(DecodeConfigChange(in).value());
  } else if (vector.kind == "bootstrap") {
    out = EncodeBootstrap(DecodeBootstrap(in).value());
  } else if (vector.kind == "state") {
    out = EncodeHardState(DecodeHardState(in).value());
  } else if (vector.kind == "membership") {
    out = EncodeMembership(DecodeMembership(in).value());
  } else if (vector.kind == "chunk") {
    out = EncodeChunk(DecodeChunk(Bytes(in)).value());
  } else if (vector.kind == "message_batch") {
    out = EncodeMessageBatch(DecodeMessageBatch(Bytes(in)).value());
  } else if (vector.kind == "message") {
    std::string batch;
    AppendField(batch, 1, in);
    AppendBatchTrailer(batch, 1, "");
    out = EncodeMessageBatch(DecodeMessageBatch(Bytes(batch)).value());
    return out == batch ? in : out;
  }
  return out;
}

/// Vectors that hold what drumbeat does not keep, and why they cannot come out again.
const std::set<std::string>& Lossy() {
  static const std::set<std::string> names = {
      // The details of an external file; chunks of such files are refused as a whole.
      "chunk_external_file",
  };
  return names;
}

class RoundTrip : public testing::TestWithParam<Vector> {};

TEST_P(RoundTrip, ComesOutUnchanged) {
  const Vector& vector = GetParam();
  if (Lossy().contains(vector.name)) {
    EXPECT_TRUE(DecodeChunk(Bytes(vector.bytes)).value().has_file_info);
    return;
  }
  EXPECT_EQ(ToHex(Again(vector)), ToHex(vector.bytes));
}

std::string NameOf(const testing::TestParamInfo<Vector>& info) {
  std::string name = info.param.name;
  std::replace_if(name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Wire, RoundTrip,
                         testing::ValuesIn(VectorsOf({"entry", "config_change", "bootstrap",
                                                      "state", "membership", "chunk",
                                                      "message_batch", "message"})),
                         NameOf);

class FrameVectors : public testing::TestWithParam<Vector> {};

TEST_P(FrameVectors, PrefixIsTheSame) {
  const Vector& vector = GetParam();
  const bool tls = vector.input.value("tls", false);
  const PayloadCheck check = tls ? PayloadCheck::kNone : PayloadCheck::kCrc32;
  const std::string payload = vector.bytes.substr(kFramePrefixBytes);
  const auto prefix =
      EncodeFramePrefix(static_cast<FrameMethod>(vector.input["method"].get<int>()), payload, check);
  EXPECT_EQ(ToHex({prefix.data(), prefix.size()}), ToHex(vector.bytes.substr(0, kFramePrefixBytes)));
  const auto header =
      DecodeFrameHeader(vector.bytes.substr(kMagicBytes, kFrameHeaderBytes), 1u << 20);
  ASSERT_TRUE(header.has_value());
  EXPECT_TRUE(PayloadMatches(*header, payload, check));
}

INSTANTIATE_TEST_SUITE_P(Wire, FrameVectors, testing::ValuesIn(VectorsOf({"frame"})), NameOf);

class CommandVectors : public testing::TestWithParam<Vector> {};

TEST_P(CommandVectors, DecodesToItsPayload) {
  const Vector& vector = GetParam();
  raft::Entry entry;
  entry.type = raft::EntryType::kEncoded;
  entry.client_id = entry.key = 1;
  entry.command = Bytes(vector.bytes);
  EXPECT_EQ(WhyEntryUnfit(entry), std::nullopt);
  std::string scratch;
  const auto payload = DecodeCommand(entry, scratch, 1u << 20);
  ASSERT_TRUE(payload.has_value());
  const Json& expected = vector.input["payload"];
  if (expected.contains("hex")) {
    EXPECT_EQ(ToHex(*payload), expected["hex"].get<std::string>());
  } else {
    EXPECT_FALSE(payload->empty());
  }
  raft::Entry again;
  EncodeCommand(again, *payload,
                vector.input["compression"] == 1 ? Compression::kSnappy : Compression::kNone);
  std::string scratch_again;
  EXPECT_EQ(DecodeCommand(again, scratch_again, 1u << 20).value(), *payload);
}

INSTANTIATE_TEST_SUITE_P(Wire, CommandVectors, testing::ValuesIn(VectorsOf({"encoded_cmd"})),
                         NameOf);

class SnapshotVectors : public testing::TestWithParam<Vector> {};

TEST_P(SnapshotVectors, KeepsWhatItKnows) {
  const Vector& vector = GetParam();
  const auto record = DecodeSnapshotRecord(vector.bytes);
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->index.value(), vector.input.value("index", 0u));
  EXPECT_EQ(record->term.value(), vector.input.value("term", 0u));
  // Paths, files and checksums of a Dragonboat folder are not kept, so only the empty record, which
  // every message carries, comes out byte for byte.
  if (vector.input.empty()) {
    EXPECT_EQ(ToHex(EncodeSnapshotRecord(*record, ShardId(0))), ToHex(vector.bytes));
  }
}

INSTANTIATE_TEST_SUITE_P(Wire, SnapshotVectors, testing::ValuesIn(VectorsOf({"snapshot"})), NameOf);

class TableVectors : public testing::TestWithParam<Vector> {};

TEST_P(TableVectors, ComesOutUnchanged) {
  StringReader reader(GetParam().bytes + "more", 7);
  const auto table = ReadSessions(reader);
  ASSERT_TRUE(table.has_value()) << table.error().message;
  EXPECT_EQ(reader.left(), 4u);
  EXPECT_EQ(ToHex(EncodeSessions(*table)), ToHex(GetParam().bytes));
}

INSTANTIATE_TEST_SUITE_P(Wire, TableVectors, testing::ValuesIn(VectorsOf({"session_table"})),
                         NameOf);

class ImageVectors : public testing::TestWithParam<Vector> {};

TEST_P(ImageVectors, IsValidAndHoldsItsPayload) {
  const Vector& vector = GetParam();
  auto validator = ImageValidator::Make();
  for (const char byte : vector.bytes) ASSERT_TRUE(validator->Add({&byte, 1}).has_value());
  EXPECT_TRUE(validator->Finish().has_value());
  auto image = OpenImage(std::make_unique<StringReader>(vector.bytes), vector.bytes.size());
  ASSERT_TRUE(image.has_value()) << image.error().message;
  std::string stream;
  char buffer[100];
  while (const std::size_t got = (*image)->Read(buffer).value()) stream.append(buffer, got);
  std::string expected;
  if (vector.input.contains("session_table")) {
    expected = FromHex(vector.input["session_table"]["hex"]);
  }
  if (vector.input.contains("user_payload") && vector.input["user_payload"].contains("hex")) {
    expected += FromHex(vector.input["user_payload"]["hex"]);
  }
  EXPECT_EQ(stream.substr(0, expected.size()), expected);
}

INSTANTIATE_TEST_SUITE_P(Wire, ImageVectors, testing::ValuesIn(VectorsOf({"snapshot_image"})),
                         NameOf);

TEST(BootstrapVectors, EntriesOfFoundingMembers) {
  const auto entries = BootstrapEntries({{ReplicaId(1), "localhost:63001"},
                                         {ReplicaId(2), "localhost:63002"},
                                         {ReplicaId(3), "localhost:63003"}});
  std::size_t seen = 0;
  for (const Vector& vector : VectorsOf({"entry"})) {
    if (vector.name.rfind("bootstrap_entry_", 0) != 0) continue;
    std::string out;
    AppendEntry(out, entries.at(seen++));
    EXPECT_EQ(ToHex(out), ToHex(vector.bytes)) << vector.name;
  }
  EXPECT_EQ(seen, 3u);
}

/// Every accept and reject case of Dragonboat's decoders.
TEST(DecodeCases, AcceptAndRejectAsDragonboatDoes) {
  std::size_t cases = 0;
  for (const Json& json : Vectors()["decode"]) {
    const std::string kind = json["kind"];
    const std::string bytes = FromHex(json["hex"]);
    bool accepted = false;
    if (kind == "entry") {
      accepted = DecodeEntry(Bytes(bytes)).has_value();
    } else if (kind == "message") {
      std::string batch;
      AppendField(batch, 1, bytes);
      accepted = DecodeMessageBatch(Bytes(batch)).has_value();
    } else if (kind == "message_batch") {
      accepted = DecodeMessageBatch(Bytes(bytes)).has_value();
    } else if (kind == "membership") {
      accepted = DecodeMembership(bytes).has_value();
    } else if (kind == "config_change") {
      accepted = DecodeConfigChange(bytes).has_value();
    } else if (kind == "chunk") {
      accepted = DecodeChunk(Bytes(bytes)).has_value();
    } else if (kind == "snapshot") {
      accepted = DecodeSnapshotRecord(bytes).has_value();
    } else {
      ADD_FAILURE() << "no decoder for " << kind;
    }
    EXPECT_EQ(accepted, json["expect"] == "accept") << kind << ": " << json["description"];
    ++cases;
  }
  EXPECT_EQ(cases, 24u);
}

}  // namespace
}  // namespace drumbeat::codec
