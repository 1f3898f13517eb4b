// SPDX-License-Identifier: Apache-2.0
#include "vectors.h"

#include <map>
#include <set>

#include <gtest/gtest.h>

#include "codec/chunk.h"
#include "codec/command.h"
#include "codec/entry_codec.h"
#include "codec/frame.h"
#include "codec/message_batch.h"
#include "codec/protobuf.h"
#include "codec/records.h"
#include "codec/wire_message.h"

// Every vector that real Dragonboat code emitted, but for images (image_vectors_test.cc): what is
// decoded has the values that went in, and comes out byte for byte.
namespace drumbeat::codec {
namespace {

base::Bytes Bytes(std::string_view text) { return base::Bytes::Copy(text); }

MemberMap MembersIn(const Json& input, const char* name) {
  MemberMap members;
  const Json map = input.value(name, Json::object());
  for (const auto& [id, address] : map.items()) members[ReplicaId(std::stoull(id))] = address;
  return members;
}

Membership MembershipIn(const Json& input) {
  Membership members;
  members.config_change_id = NumberIn(input, "config_change_id");
  members.voters = MembersIn(input, "addresses");
  members.non_votings = MembersIn(input, "non_votings");
  members.witnesses = MembersIn(input, "witnesses");
  const Json removed = input.value("removed", Json::object());
  for (const auto& [id, is_removed] : removed.items()) {
    if (is_removed.get<bool>()) members.removed.insert(ReplicaId(std::stoull(id)));
  }
  return members;
}

raft::Entry EntryIn(const Json& input) {
  raft::Entry entry;
  entry.term = Term(NumberIn(input, "term"));
  entry.index = Index(NumberIn(input, "index"));
  entry.type = static_cast<raft::EntryType>(NumberIn(input, "type"));
  entry.key = NumberIn(input, "key");
  entry.client_id = NumberIn(input, "client_id");
  entry.series_id = NumberIn(input, "series_id");
  entry.responded_to = NumberIn(input, "responded_to");
  entry.command = Bytes(BytesIn(input, "cmd"));
  return entry;
}

class EntryVectors : public testing::TestWithParam<Vector> {};
TEST_P(EntryVectors, BothWays) {
  const auto [name, kind, input, bytes] = GetParam();
  EXPECT_EQ(DecodeEntry(Bytes(bytes)).value(), EntryIn(input));
  std::string out;
  AppendEntry(out, EntryIn(input));
  EXPECT_EQ(ToHex(out), ToHex(bytes));
}
INSTANTIATE_TEST_SUITE_P(Wire, EntryVectors, testing::ValuesIn(VectorsOf({"entry"})), NameOf);

class CommandVectors : public testing::TestWithParam<Vector> {};
// Two compressors need not agree on their bytes, so compressed ones are only read.
TEST_P(CommandVectors, BothWaysUnlessCompressed) {
  const auto [name, kind, input, bytes] = GetParam();
  raft::Entry entry;
  entry.type = raft::EntryType::kEncoded;
  entry.client_id = entry.key = 1;
  entry.command = Bytes(bytes);
  EXPECT_EQ(WhyEntryUnfit(entry), std::nullopt);
  std::string scratch;
  const std::string payload(DecodeCommand(entry, scratch, 1u << 20).value());
  EXPECT_EQ(ToHex(payload), ToHex(BytesIn(input, "payload")));
  const bool compressed = NumberIn(input, "compression") == 1;
  raft::Entry again;
  EncodeCommand(again, payload, compressed ? Compression::kSnappy : Compression::kNone);
  if (!compressed) {
    EXPECT_EQ(ToHex(again.command.view()), ToHex(bytes));
  }
  EXPECT_EQ(DecodeCommand(again, scratch, 1u << 20).value(), payload);
}
INSTANTIATE_TEST_SUITE_P(Wire, CommandVectors, testing::ValuesIn(VectorsOf({"encoded_cmd"})),
                         NameOf);

class ConfigChangeVectors : public testing::TestWithParam<Vector> {};
TEST_P(ConfigChangeVectors, BothWays) {
  const auto [name, kind, input, bytes] = GetParam();
  raft::ConfigChange change;
  change.config_change_id = NumberIn(input, "config_change_id");
  change.type = static_cast<raft::ConfigChangeType>(NumberIn(input, "type"));
  change.replica = ReplicaId(NumberIn(input, "replica_id"));
  change.address = TextIn(input, "address");
  change.initialize = NumberIn(input, "initialize") != 0;
  EXPECT_EQ(DecodeConfigChange(bytes).value(), change);
  EXPECT_EQ(ToHex(EncodeConfigChange(change)), ToHex(bytes));
}
INSTANTIATE_TEST_SUITE_P(Wire, ConfigChangeVectors, testing::ValuesIn(VectorsOf({"config_change"})),
                         NameOf);

class BootstrapVectors : public testing::TestWithParam<Vector> {};
TEST_P(BootstrapVectors, BothWays) {
  const auto [name, kind, input, bytes] = GetParam();
  const Bootstrap bootstrap{.addresses = MembersIn(input, "addresses"),
                            .join = NumberIn(input, "join") != 0,
                            .state_machine_type = NumberIn(input, "type")};
  EXPECT_EQ(DecodeBootstrap(bytes).value(), bootstrap);
  EXPECT_EQ(ToHex(EncodeBootstrap(bootstrap)), ToHex(bytes));
}
INSTANTIATE_TEST_SUITE_P(Wire, BootstrapVectors, testing::ValuesIn(VectorsOf({"bootstrap"})),
                         NameOf);

class StateVectors : public testing::TestWithParam<Vector> {};
TEST_P(StateVectors, BothWays) {
  const auto [name, kind, input, bytes] = GetParam();
  const raft::HardState state{Term(NumberIn(input, "term")), ReplicaId(NumberIn(input, "vote")),
                              Index(NumberIn(input, "commit"))};
  EXPECT_EQ(DecodeHardState(bytes).value(), state);
  EXPECT_EQ(ToHex(EncodeHardState(state)), ToHex(bytes));
}
INSTANTIATE_TEST_SUITE_P(Wire, StateVectors, testing::ValuesIn(VectorsOf({"state"})), NameOf);

class MembershipVectors : public testing::TestWithParam<Vector> {};
TEST_P(MembershipVectors, BothWays) {
  const auto [name, kind, input, bytes] = GetParam();
  EXPECT_EQ(DecodeMembership(bytes).value(), MembershipIn(input));
  EXPECT_EQ(ToHex(EncodeMembership(MembershipIn(input))), ToHex(bytes));
}
INSTANTIATE_TEST_SUITE_P(Wire, MembershipVectors, testing::ValuesIn(VectorsOf({"membership"})),
                         NameOf);

class SnapshotVectors : public testing::TestWithParam<Vector> {};
// Paths, external files and checksums of a Dragonboat folder mean nothing here and are not kept, so
// only the empty record, which every message carries, comes out byte for byte.
TEST_P(SnapshotVectors, KeepsWhatMeansSomething) {
  const auto [name, kind, input, bytes] = GetParam();
  const raft::SnapshotRecord record = DecodeSnapshotRecord(bytes).value();
  EXPECT_EQ(record.index.value(), NumberIn(input, "index"));
  EXPECT_EQ(record.term.value(), NumberIn(input, "term"));
  EXPECT_EQ(record.image_bytes, NumberIn(input, "file_size"));
  EXPECT_EQ(record.membership, MembershipIn(input.value("membership", Json::object())));
  EXPECT_EQ(record.on_disk_index.value(), NumberIn(input, "on_disk_index"));
  EXPECT_EQ(record.witness, NumberIn(input, "witness") != 0);
  if (input.empty()) {
    EXPECT_EQ(ToHex(EncodeSnapshotRecord(record, ShardId(0))), ToHex(bytes));
  }
}
INSTANTIATE_TEST_SUITE_P(Wire, SnapshotVectors, testing::ValuesIn(VectorsOf({"snapshot"})), NameOf);

class SkippedVectors : public testing::TestWithParam<Vector> {};
// Records that mean nothing here and have no type: external files (refused as a whole) and what a
// Dragonboat folder says of itself. They must be readable as far as skipping them goes.
TEST_P(SkippedVectors, CanBeWalkedOver) {
  const std::string bytes = GetParam().bytes;
  FieldReader fields(bytes);
  int seen = 0;
  while (fields.Next()) ++seen;
  EXPECT_TRUE(fields.ok());
  EXPECT_GT(seen, 0);
  if (GetParam().kind != "snapshot_file") return;
  std::string snapshot;
  AppendField(snapshot, 7, bytes);
  EXPECT_TRUE(DecodeSnapshotRecord(snapshot).has_value());
  std::string chunk;
  AppendField(chunk, 17, 1);
  AppendField(chunk, 18, bytes);
  EXPECT_TRUE(DecodeChunk(Bytes(chunk)).value().has_file_info);
}
INSTANTIATE_TEST_SUITE_P(Wire, SkippedVectors,
                         testing::ValuesIn(VectorsOf({"snapshot_file", "raft_data_status"})),
                         NameOf);

/// Compares what the message's type uses; all the rest is zero on both sides.
void ExpectMessage(const raft::Envelope& envelope, const Json& input) {
  const WireMessage wire = ToWire(envelope);
  EXPECT_EQ(wire.type, NumberIn(input, "type"));
  EXPECT_EQ(wire.to, NumberIn(input, "to"));
  EXPECT_EQ(wire.from, NumberIn(input, "from"));
  EXPECT_EQ(wire.shard, NumberIn(input, "shard_id"));
  EXPECT_EQ(wire.term, NumberIn(input, "term"));
  EXPECT_EQ(wire.log_term, NumberIn(input, "log_term"));
  EXPECT_EQ(wire.log_index, NumberIn(input, "log_index"));
  EXPECT_EQ(wire.commit, NumberIn(input, "commit"));
  EXPECT_EQ(wire.reject, NumberIn(input, "reject") != 0);
  EXPECT_EQ(wire.hint, NumberIn(input, "hint"));
  EXPECT_EQ(wire.hint_high, NumberIn(input, "hint_high"));
  std::vector<raft::Entry> expected;
  for (const Json& entry : input.value("entries", Json::array())) {
    expected.push_back(EntryIn(entry));
  }
  const std::vector<raft::Entry>* entries = EntriesOf(envelope.message);
  EXPECT_EQ(entries == nullptr ? std::vector<raft::Entry>() : *entries, expected);
}

class MessageVectors : public testing::TestWithParam<Vector> {};
TEST_P(MessageVectors, BothWays) {
  const auto [name, kind, input, bytes] = GetParam();
  std::string framed;
  AppendField(framed, 1, bytes);
  const MessageBatch batch = DecodeMessageBatch(Bytes(framed)).value();
  ASSERT_EQ(batch.messages.size(), 1u);
  ExpectMessage(batch.messages[0], input);
  std::string out;
  AppendMessage(out, batch.messages[0]);
  EXPECT_EQ(ToHex(out), ToHex(framed));
}
INSTANTIATE_TEST_SUITE_P(Wire, MessageVectors, testing::ValuesIn(VectorsOf({"message"})), NameOf);

class BatchVectors : public testing::TestWithParam<Vector> {};
TEST_P(BatchVectors, BothWays) {
  const auto [name, kind, input, bytes] = GetParam();
  const MessageBatch batch = DecodeMessageBatch(Bytes(bytes)).value();
  EXPECT_EQ(batch.deployment_id, NumberIn(input, "deployment_id"));
  EXPECT_EQ(batch.source_address, TextIn(input, "source_address"));
  EXPECT_EQ(batch.bin_version, NumberIn(input, "bin_ver"));
  EXPECT_EQ(batch.refused, 0u);
  const Json requests = input.value("requests", Json::array());
  ASSERT_EQ(batch.messages.size(), requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) ExpectMessage(batch.messages[i], requests[i]);
  EXPECT_EQ(ToHex(EncodeMessageBatch(batch)), ToHex(bytes));
}
INSTANTIATE_TEST_SUITE_P(Wire, BatchVectors, testing::ValuesIn(VectorsOf({"message_batch"})),
                         NameOf);

class FrameVectors : public testing::TestWithParam<Vector> {};
TEST_P(FrameVectors, BothWays) {
  const auto [name, kind, input, bytes] = GetParam();
  const PayloadCheck check =
      NumberIn(input, "tls") != 0 ? PayloadCheck::kNone : PayloadCheck::kCrc32;
  const auto method = static_cast<FrameMethod>(NumberIn(input, "method"));
  const std::string payload = BytesIn(input, "payload");
  const auto prefix = EncodeFramePrefix(method, payload, check);
  EXPECT_EQ(ToHex(std::string(prefix.begin(), prefix.end()) + payload), ToHex(bytes));
  const auto header = DecodeFrameHeader(bytes.substr(kMagicBytes, kFrameHeaderBytes), 1u << 20);
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->method, method);
  EXPECT_EQ(header->payload_bytes, payload.size());
  EXPECT_TRUE(PayloadMatches(*header, payload, check));
}
INSTANTIATE_TEST_SUITE_P(Wire, FrameVectors, testing::ValuesIn(VectorsOf({"frame"})), NameOf);

TEST(PoisonVector, IsThePoison) {
  const std::vector<Vector> vectors = VectorsOf({"poison"});
  ASSERT_EQ(vectors.size(), 1u);
  EXPECT_EQ(vectors[0].bytes, kPoison);
}

class ChunkVectors : public testing::TestWithParam<Vector> {};
TEST_P(ChunkVectors, BothWaysUnlessOfAnExternalFile) {
  const auto [name, kind, input, bytes] = GetParam();
  const Chunk chunk = DecodeChunk(Bytes(bytes)).value();
  EXPECT_EQ(chunk.shard.value(), NumberIn(input, "shard_id"));
  EXPECT_EQ(chunk.to.value(), NumberIn(input, "replica_id"));
  EXPECT_EQ(chunk.from.value(), NumberIn(input, "from"));
  EXPECT_EQ(chunk.chunk_id, NumberIn(input, "chunk_id"));
  EXPECT_EQ(chunk.chunk_count, NumberIn(input, "chunk_count"));
  EXPECT_EQ(ToHex(chunk.data.view()), ToHex(BytesIn(input, "data")));
  EXPECT_EQ(chunk.index.value(), NumberIn(input, "index"));
  EXPECT_EQ(chunk.term.value(), NumberIn(input, "term"));
  EXPECT_EQ(chunk.membership, MembershipIn(input.value("membership", Json::object())));
  EXPECT_EQ(chunk.file_path, TextIn(input, "filepath"));
  EXPECT_EQ(chunk.file_bytes, NumberIn(input, "file_size"));
  EXPECT_EQ(chunk.deployment_id, NumberIn(input, "deployment_id"));
  EXPECT_EQ(chunk.file_chunk_id, NumberIn(input, "file_chunk_id"));
  EXPECT_EQ(chunk.file_chunk_count, NumberIn(input, "file_chunk_count"));
  EXPECT_EQ(chunk.has_file_info, NumberIn(input, "has_file_info") != 0);
  EXPECT_EQ(chunk.bin_version, NumberIn(input, "bin_ver"));
  EXPECT_EQ(chunk.on_disk_index.value(), NumberIn(input, "on_disk_index"));
  EXPECT_EQ(chunk.witness, NumberIn(input, "witness") != 0);
  // The details of an external file are not kept, because chunks of such files are refused.
  if (!chunk.has_file_info) {
    EXPECT_EQ(ToHex(EncodeChunk(chunk)), ToHex(bytes));
  }
}
INSTANTIATE_TEST_SUITE_P(Wire, ChunkVectors, testing::ValuesIn(VectorsOf({"chunk"})), NameOf);

TEST(BootstrapEntryVectors, AreWhatFoundingMembersWrite) {
  const auto entries = BootstrapEntries({{ReplicaId(1), "localhost:63001"},
                                         {ReplicaId(2), "localhost:63002"},
                                         {ReplicaId(3), "localhost:63003"}});
  ASSERT_EQ(entries.size(), 3u);
  std::size_t seen = 0;
  for (const Vector& vector : VectorsOf({"entry"})) {
    if (!vector.name.starts_with("bootstrap_entry_")) continue;
    std::string out;
    AppendEntry(out, entries.at(seen++));
    EXPECT_EQ(ToHex(out), ToHex(vector.bytes)) << vector.name;
  }
  EXPECT_EQ(seen, 3u);
}

struct DecodeCase {
  std::string description;
  std::string kind;
  std::string bytes;
  bool accept;
};
void PrintTo(const DecodeCase& tested, std::ostream* out) { *out << tested.description; }

std::vector<DecodeCase> DecodeCases() {
  std::vector<DecodeCase> cases;
  for (const Json& json : Vectors()["decode"]) {
    cases.push_back(
        {json["description"], json["kind"], FromHex(json["hex"]), json["expect"] == "accept"});
  }
  return cases;
}

class DecodeCaseTest : public testing::TestWithParam<DecodeCase> {};
// Where Dragonboat accepts or rejects, so do we; where it dies, we reject.
TEST_P(DecodeCaseTest, EndsAsItShould) {
  const auto [description, kind, bytes, accept] = GetParam();
  if (kind == "entry") {
    EXPECT_EQ(DecodeEntry(Bytes(bytes)).has_value(), accept);
    return;
  }
  std::string batch = bytes;
  if (kind == "message") {
    batch.clear();
    AppendField(batch, 1, bytes);
  } else {
    ASSERT_EQ(kind, "message_batch");
  }
  EXPECT_EQ(DecodeMessageBatch(Bytes(batch)).has_value(), accept);
}
INSTANTIATE_TEST_SUITE_P(Wire, DecodeCaseTest, testing::ValuesIn(DecodeCases()),
                         [](const auto& tested) { return "Case" + std::to_string(tested.index); });

TEST(VectorFile, IsWholeAndOfKnownKinds) {
  const std::set<std::string> known = {
      "entry",          "encoded_cmd",     "config_change", "bootstrap",     "state",
      "message",        "message_batch",   "membership",    "snapshot",      "snapshot_file",
      "frame",          "poison",          "chunk",         "session_table", "snapshot_header",
      "snapshot_image", "raft_data_status"};
  for (const Json& vector : Vectors()["vectors"]) {
    EXPECT_TRUE(known.contains(vector["kind"].get<std::string>())) << vector["name"];
    EXPECT_EQ(FromHex(vector["hex"]).size(), vector["length"].get<std::size_t>());
  }
  EXPECT_EQ(Vectors()["vectors"].size(), 80u);
  EXPECT_EQ(Vectors()["recipes"].size(), 3u);
  EXPECT_EQ(Vectors()["decode"].size(), 24u);
}

}  // namespace
}  // namespace drumbeat::codec
