// SPDX-License-Identifier: Apache-2.0
#include "fuzz/properties.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "base/byte_coding.h"
#include "base/crc.h"
#include "codec/chunk.h"
#include "codec/command.h"
#include "codec/entry_codec.h"
#include "codec/frame.h"
#include "codec/image_header.h"
#include "codec/message_batch.h"
#include "codec/records.h"
#include "codec/snappy_stream.h"
#include "codec/snapshot_image.h"
#include "codec/string_reader.h"

namespace drumbeat::fuzz {
namespace {

/// Bytes of a stream that are read before one gives up: a small input may expand by far.
constexpr std::size_t kMaxStreamBytes = 32u << 20;

/// The whole stream, or nothing if it cannot be read or is too long.
std::optional<std::string> ReadStream(SnapshotReader& reader) {
  std::string all;
  char buffer[4096];
  while (all.size() < kMaxStreamBytes) {
    const Result<std::size_t> got = reader.Read(buffer);
    if (!got) return std::nullopt;
    if (*got == 0) return all;
    all.append(buffer, *got);
  }
  return std::nullopt;
}

std::string Unless(bool holds, const char* what) { return holds ? std::string() : what; }

std::string CheckEnvelope(const raft::Envelope& envelope) {
  if (!envelope.to || !envelope.from || envelope.to == envelope.from) return "who talks to whom";
  if (envelope.term.value() > codec::kMaxTermOrIndex) return "its term";
  const auto* append = std::get_if<raft::AppendEntries>(&envelope.message);
  if (append == nullptr) return {};
  Index index = append->previous;
  Term term = append->previous_term;
  for (const raft::Entry& entry : append->entries) {
    if (entry.index != ++index) return "a gap between entries";
    if (entry.term < term || entry.term > envelope.term) return "the terms of entries";
    term = entry.term;
  }
  return Unless(index.value() <= codec::kMaxTermOrIndex, "its last index");
}

/// The image that `input` would be with right checksums: the first byte says how it is compressed,
/// the rest is the stream of its blocks.
std::string ImageOfStream(std::string_view input) {
  const auto compression = (input.front() & 1) != 0 ? Compression::kSnappy : Compression::kNone;
  const std::string_view stream = input.substr(1, codec::kBlockBytes);
  const std::uint32_t crc = base::Crc32(stream);
  codec::BlocksChecksum checksum;
  checksum.Add(crc);
  return codec::EncodeImageHeader({.unreliable_time = 0,
                                   .compression = compression,
                                   .payload_checksum = checksum.value()}) +
         std::string(stream) + codec::EncodeBlockCrc(crc) +
         codec::EncodeImageTail(stream.size() + codec::kBlockCrcBytes);
}

bool IsValid(std::string_view image, std::size_t step) {
  const auto validator = codec::ImageValidator::Make();
  for (std::size_t at = 0; at < image.size(); at += step) {
    if (!validator->Add(image.substr(at, step))) return false;
  }
  return validator->Finish().has_value();
}

/// The reader must not take an image that the validator refuses; more, it looks inside.
std::string CheckWholeImage(const std::string& image) {
  const bool valid = IsValid(image, 1u << 20);
  if (IsValid(image, 3) != valid) return "an image is valid or not with the size of pieces";
  auto opened = codec::OpenImage(std::make_unique<codec::StringReader>(image, 1000), image.size());
  if (!opened) return {};
  if (!codec::ReadSessions(**opened)) return {};
  const std::optional<std::string> state = ReadStream(**opened);
  return Unless(!state || valid, "an image can be read that is not valid");
}

}  // namespace

std::string CheckFrameHeader(std::string_view input) {
  const std::string_view bytes = input.substr(0, codec::kFrameHeaderBytes);
  const auto header = codec::DecodeFrameHeader(bytes, 1u << 20);
  if (!header) return {};
  const auto prefix =
      codec::EncodeFramePrefix(header->method, header->payload_bytes, header->payload_crc);
  const std::string_view again(prefix.data() + codec::kMagicBytes, codec::kFrameHeaderBytes);
  return Unless(again == bytes, "a frame header comes back");
}

std::string CheckMessageBatch(std::string_view input) {
  const codec::DecodeLimits limits{.max_messages = 1000, .max_entries = 1000};
  const auto batch = codec::DecodeMessageBatch(base::Bytes::Copy(input), limits);
  if (!batch) return {};
  for (const raft::Envelope& envelope : batch->messages) {
    if (std::string wrong = CheckEnvelope(envelope); !wrong.empty()) return wrong;
    std::string message;
    codec::AppendMessage(message, envelope);
    if (message.size() != codec::EncodedMessageSize(envelope)) return "the size of a message";
  }
  const std::string bytes = codec::EncodeMessageBatch(*batch);
  const auto again = codec::DecodeMessageBatch(base::Bytes::Copy(bytes), limits);
  if (!again || again->refused != 0) return "a batch is taken that we would refuse";
  return Unless(codec::EncodeMessageBatch(*again) == bytes, "a batch comes back");
}

std::string CheckEntry(std::string_view input) {
  const auto entry = codec::DecodeEntry(base::Bytes::Copy(input));
  if (!entry) return {};
  std::string bytes;
  codec::AppendEntry(bytes, *entry);
  if (bytes.size() != codec::EncodedEntrySize(*entry)) return "the size of an entry";
  const auto again = codec::DecodeEntry(base::Bytes::Copy(bytes));
  return Unless(again && *again == *entry, "an entry comes back");
}

std::string CheckChunk(std::string_view input) {
  const auto chunk = codec::DecodeChunk(base::Bytes::Copy(input));
  if (!chunk) return {};
  const std::string bytes = codec::EncodeChunk(*chunk);
  const auto again = codec::DecodeChunk(base::Bytes::Copy(bytes));
  if (!again || again->data != chunk->data) return "a chunk's data come back";
  return Unless(codec::EncodeChunk(*again) == bytes, "a chunk comes back");
}

std::string CheckConfigChange(std::string_view input) {
  const auto change = codec::DecodeConfigChange(input);
  if (!change) return {};
  const auto again = codec::DecodeConfigChange(codec::EncodeConfigChange(*change));
  return Unless(again && *again == *change, "a membership change comes back");
}

std::string CheckRecords(std::string_view input) {
  if (const auto members = codec::DecodeMembership(input)) {
    const auto again = codec::DecodeMembership(codec::EncodeMembership(*members));
    if (!again || *again != *members) return "a membership comes back";
  }
  if (const auto state = codec::DecodeHardState(input)) {
    const auto again = codec::DecodeHardState(codec::EncodeHardState(*state));
    if (!again || *again != *state) return "a hard state comes back";
  }
  if (const auto bootstrap = codec::DecodeBootstrap(input)) {
    const auto again = codec::DecodeBootstrap(codec::EncodeBootstrap(*bootstrap));
    if (!again || *again != *bootstrap) return "a bootstrap record comes back";
  }
  if (const auto record = codec::DecodeSnapshotRecord(input)) {
    const auto again =
        codec::DecodeSnapshotRecord(codec::EncodeSnapshotRecord(*record, ShardId(1)));
    if (!again || *again != *record) return "a snapshot record comes back";
  }
  return {};
}

std::string CheckCommand(std::string_view input) {
  raft::Entry entry;
  entry.type = raft::EntryType::kEncoded;
  entry.key = entry.client_id = 1;
  entry.command = base::Bytes::Copy(input);
  const bool fit = !codec::WhyEntryUnfit(entry);
  std::string scratch;
  const auto payload = codec::DecodeCommand(entry, scratch, codec::kMaxCommandBytes);
  if (fit != payload.has_value()) return "what is fit can be decoded, and nothing else";
  if (!payload) return {};
  for (const Compression compression : {Compression::kNone, Compression::kSnappy}) {
    raft::Entry again;
    codec::EncodeCommand(again, *payload, compression);
    std::string other;
    const auto same = codec::DecodeCommand(again, other, codec::kMaxCommandBytes);
    if (!same || *same != *payload) return "a command comes back";
  }
  return {};
}

std::string CheckSessionTable(std::string_view input) {
  codec::StringReader reader{std::string(input), 13};
  const auto table = codec::ReadSessions(reader);
  if (!table) return {};
  codec::StringReader encoded(codec::EncodeSessions(*table));
  const auto again = codec::ReadSessions(encoded);
  return Unless(again && *again == *table, "a session table comes back");
}

std::string CheckImage(std::string_view input) {
  if (std::string wrong = CheckWholeImage(std::string(input)); !wrong.empty()) return wrong;
  if (input.size() < 2) return {};
  const std::string image = ImageOfStream(input);
  if (!IsValid(image, 1u << 20)) return "an image with right checksums is valid";
  return CheckWholeImage(image);
}

std::string CheckSnappyStream(std::string_view input) {
  const auto reader = codec::MakeSnappyStreamReader(
      std::make_unique<codec::StringReader>(std::string(input), 1000));
  const std::optional<std::string> data = ReadStream(*reader);
  if (!data) return {};
  codec::SnappyStreamWriter writer;
  std::string stream;
  writer.Write(*data, stream);
  writer.Finish(stream);
  const auto again = codec::MakeSnappyStreamReader(std::make_unique<codec::StringReader>(stream));
  return Unless(ReadStream(*again) == data, "a compressed stream comes back");
}

}  // namespace drumbeat::fuzz
