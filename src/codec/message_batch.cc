// SPDX-License-Identifier: Apache-2.0
#include "codec/message_batch.h"

#include <cstring>
#include <optional>
#include <utility>

#include "codec/entry_codec.h"
#include "codec/protobuf.h"
#include "codec/raw_writer.h"
#include "codec/wire_message.h"

namespace drumbeat::codec {
namespace {

/// The empty Snapshot record that every message carries as its field 12.
constexpr std::string_view kEmptySnapshot(
    "\x12\x00\x18\x00\x20\x00\x28\x00\x32\x02\x08\x00\x48\x00\x50\x00\x58\x00\x60\x00\x68\x00\x70"
    "\x00",
    24);

/// Bytes of the message's record, without tag and length in the batch.
std::size_t RecordSize(const WireMessage& wire, const std::vector<raft::Entry>* entries) {
  std::size_t size = FieldSize(1, wire.type) + FieldSize(2, wire.to) + FieldSize(3, wire.from) +
                     FieldSize(4, wire.shard) + FieldSize(5, wire.term) +
                     FieldSize(6, wire.log_term) + FieldSize(7, wire.log_index) +
                     FieldSize(8, wire.commit) + FieldSize(9, wire.reject ? 1 : 0) +
                     FieldSize(10, wire.hint) + BytesFieldSize(12, kEmptySnapshot.size()) +
                     FieldSize(13, wire.hint_high);
  if (entries != nullptr) {
    for (const raft::Entry& entry : *entries) size += BytesFieldSize(11, EncodedEntrySize(entry));
  }
  return size;
}

char* WriteRecord(char* at, const WireMessage& wire, const std::vector<raft::Entry>* entries) {
  at = WriteField(at, 1, wire.type);
  at = WriteField(at, 2, wire.to);
  at = WriteField(at, 3, wire.from);
  at = WriteField(at, 4, wire.shard);
  at = WriteField(at, 5, wire.term);
  at = WriteField(at, 6, wire.log_term);
  at = WriteField(at, 7, wire.log_index);
  at = WriteField(at, 8, wire.commit);
  at = WriteField(at, 9, wire.reject ? 1 : 0);
  at = WriteField(at, 10, wire.hint);
  if (entries != nullptr) {
    for (const raft::Entry& entry : *entries) {
      at = WriteTag(at, 11, WireType::kBytes);
      at = WriteVarint(at, EncodedEntrySize(entry));
      at = WriteEntry(at, entry);
    }
  }
  at = WriteTag(at, 12, WireType::kBytes);
  at = WriteBytes(at, kEmptySnapshot);
  return WriteField(at, 13, wire.hint_high);
}

/// What one message's record says, but for the entries.
struct MessageFields {
  WireMessage wire;
  std::size_t entry_count = 0;
  /// Of all entries in their encoded form.
  std::size_t entry_bytes = 0;
};

std::optional<MessageFields> ReadFields(std::string_view record) {
  MessageFields message;
  WireMessage& wire = message.wire;
  FieldReader fields(record);
  while (fields.Next()) {
    switch (fields.number()) {
      case 1: wire.type = fields.Varint(); break;
      case 2: wire.to = fields.Varint(); break;
      case 3: wire.from = fields.Varint(); break;
      case 4: wire.shard = fields.Varint(); break;
      case 5: wire.term = fields.Varint(); break;
      case 6: wire.log_term = fields.Varint(); break;
      case 7: wire.log_index = fields.Varint(); break;
      case 8: wire.commit = fields.Varint(); break;
      case 9: wire.reject = fields.Bool(); break;
      case 10: wire.hint = fields.Varint(); break;
      case 11:
        ++message.entry_count;
        message.entry_bytes += fields.Bytes().size();
        break;
      case 12: fields.Bytes(); break;  // never filled in a message that travels
      case 13: wire.hint_high = fields.Varint(); break;
      default: break;
    }
  }
  if (!fields.ok()) return std::nullopt;
  return message;
}

/// Gives commands their memory: the received frame's, or for all commands of one message a buffer
/// of their own where the frame is much larger than they are. Entries of one message belong to one
/// shard and leave its log at about the same time; those of other messages may stay for ever.
class CommandMemory {
 public:
  CommandMemory(const base::Bytes& payload, const MessageFields& message) : payload_(payload) {
    const std::size_t own =
        message.entry_bytes + message.entry_count * std::size_t{raft::kEntryOverheadBytes};
    if (payload.retained_bytes() / 2 <= own) return;
    buffer_ = base::Bytes::Adopt(base::Buffer::New(message.entry_bytes));
  }

  /// `command` lies in the payload.
  base::Bytes Keep(std::string_view command) {
    if (command.empty()) return {};
    if (buffer_.buffer() == nullptr) {
      return payload_.Slice(static_cast<std::size_t>(command.data() - payload_.data()),
                            command.size());
    }
    std::memcpy(buffer_.buffer()->data() + used_, command.data(), command.size());
    return buffer_.Slice(std::exchange(used_, used_ + command.size()), command.size());
  }

 private:
  const base::Bytes& payload_;
  base::Bytes buffer_;
  std::size_t used_ = 0;
};

/// The entries of a record whose fields ReadFields has walked over; nothing if one is malformed.
std::optional<std::vector<raft::Entry>> ReadEntries(std::string_view record,
                                                    const base::Bytes& payload,
                                                    const MessageFields& message) {
  std::vector<raft::Entry> entries;
  if (message.entry_count == 0) return entries;
  entries.reserve(message.entry_count);
  CommandMemory memory(payload, message);
  FieldReader fields(record);
  while (fields.Next()) {
    if (fields.number() != 11) continue;
    raft::Entry& entry = entries.emplace_back();
    std::string_view command;
    std::string_view bytes = fields.Bytes();
    // What follows the entry would take memory that nobody counts.
    if (ParseEntry(bytes, entry, command) != nullptr || !bytes.empty()) return std::nullopt;
    entry.command = memory.Keep(command);
  }
  return entries;
}

class BatchDecoder {
 public:
  BatchDecoder(const base::Bytes& payload, const DecodeLimits& limits)
      : payload_(payload), limits_(limits) {}

  Result<MessageBatch> Decode() {
    batch_.deployment_id = 0;
    batch_.bin_version = 0;
    FieldReader fields(payload_.view());
    while (fields.Next()) {
      switch (fields.number()) {
        case 1:
          if (!DecodeMessage(fields.Bytes())) return Bad();
          break;
        case 2: batch_.deployment_id = fields.Varint(); break;
        case 3: batch_.source_address = fields.Text(); break;
        case 4: batch_.bin_version = static_cast<std::uint32_t>(fields.Varint()); break;
        default: break;
      }
    }
    if (!fields.ok()) return Bad();
    return std::move(batch_);
  }

 private:
  static std::unexpected<Error> Bad() {
    return Fail(ErrorCode::kInvalidArgument, "cannot decode a message batch");
  }

  bool DecodeMessage(std::string_view record) {
    if (batch_.messages.size() + batch_.refused >= limits_.max_messages) return false;
    const std::optional<MessageFields> message = ReadFields(record);
    if (!message || message->entry_count > limits_.max_entries - entry_count_) return false;
    entry_count_ += message->entry_count;
    std::optional<std::vector<raft::Entry>> entries = ReadEntries(record, payload_, *message);
    if (!entries) return false;
    std::optional<raft::Envelope> envelope = FromWire(message->wire, std::move(*entries));
    if (envelope) {
      batch_.messages.push_back(std::move(*envelope));
    } else {
      ++batch_.refused;
    }
    return true;
  }

  const base::Bytes& payload_;
  const DecodeLimits& limits_;
  MessageBatch batch_;
  std::size_t entry_count_ = 0;
};

}  // namespace

std::size_t EncodedMessageSize(const raft::Envelope& envelope) {
  return BytesFieldSize(1, RecordSize(ToWire(envelope), EntriesOf(envelope.message)));
}

void AppendMessage(std::string& out, const raft::Envelope& envelope) {
  const WireMessage wire = ToWire(envelope);
  const std::vector<raft::Entry>* entries = EntriesOf(envelope.message);
  const std::size_t record_bytes = RecordSize(wire, entries);
  AppendExactly(out, BytesFieldSize(1, record_bytes), [&](char* at) {
    at = WriteTag(at, 1, WireType::kBytes);
    at = WriteVarint(at, record_bytes);
    return WriteRecord(at, wire, entries);
  });
}

void AppendBatchTrailer(std::string& out, std::uint64_t deployment_id,
                        std::string_view source_address) {
  AppendField(out, 2, deployment_id);
  AppendField(out, 3, source_address);
  AppendField(out, 4, kBinVersion);
}

std::string EncodeMessageBatch(const MessageBatch& batch) {
  std::string out;
  for (const raft::Envelope& envelope : batch.messages) AppendMessage(out, envelope);
  AppendBatchTrailer(out, batch.deployment_id, batch.source_address);
  return out;
}

Result<MessageBatch> DecodeMessageBatch(const base::Bytes& payload, const DecodeLimits& limits) {
  return BatchDecoder(payload, limits).Decode();
}

}  // namespace drumbeat::codec
