// SPDX-License-Identifier: Apache-2.0
#include "codec/message_batch.h"

#include <optional>
#include <utility>

#include "codec/entry_codec.h"
#include "codec/protobuf.h"
#include "codec/wire_message.h"

namespace drumbeat::codec {
namespace {

/// The empty Snapshot record that every message carries as its field 12.
constexpr std::string_view kEmptySnapshot(
    "\x12\x00\x18\x00\x20\x00\x28\x00\x32\x02\x08\x00\x48\x00\x50\x00\x58\x00\x60\x00\x68\x00\x70\x00",
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

/// Copies a command out of its frame when it would keep much more memory alive than it holds.
void Unpin(raft::Entry& entry, std::size_t frame_bytes, std::size_t command_bytes) {
  if (command_bytes * 4 < frame_bytes) entry.command = base::Bytes::Copy(entry.command.view());
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
    UnpinAll();
    return std::move(batch_);
  }

 private:
  static std::unexpected<Error> Bad() {
    return Fail(ErrorCode::kInvalidArgument, "cannot decode a message batch");
  }

  bool DecodeMessage(std::string_view record) {
    if (batch_.messages.size() + batch_.refused >= limits_.max_messages) return false;
    WireMessage wire;
    std::vector<raft::Entry> entries;
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
          if (!DecodeOneEntry(fields.Bytes(), entries)) return false;
          break;
        case 12: fields.Bytes(); break;
        case 13: wire.hint_high = fields.Varint(); break;
        default: break;
      }
    }
    if (!fields.ok()) return false;
    std::optional<raft::Envelope> envelope = FromWire(wire, std::move(entries));
    if (envelope) {
      batch_.messages.push_back(std::move(*envelope));
    } else {
      ++batch_.refused;
    }
    return true;
  }

  bool DecodeOneEntry(std::string_view bytes, std::vector<raft::Entry>& entries) {
    if (++entry_count_ > limits_.max_entries || bytes.empty()) return false;
    Result<raft::Entry> entry = DecodeEntry(payload_.Slice(
        static_cast<std::size_t>(bytes.data() - payload_.data()), bytes.size()));
    if (!entry) return false;
    command_bytes_ += entry->command.size();
    entries.push_back(std::move(*entry));
    return true;
  }

  void UnpinAll() {
    if (entry_count_ == 0) return;
    for (raft::Envelope& envelope : batch_.messages) {
      // EntriesOf gives a constant view; these are ours to change.
      auto* entries = const_cast<std::vector<raft::Entry>*>(EntriesOf(envelope.message));
      if (entries == nullptr) continue;
      for (raft::Entry& entry : *entries) Unpin(entry, payload_.retained_bytes(), command_bytes_);
    }
  }

  const base::Bytes& payload_;
  const DecodeLimits& limits_;
  MessageBatch batch_;
  std::size_t entry_count_ = 0;
  std::size_t command_bytes_ = 0;
};

}  // namespace

std::size_t EncodedMessageSize(const raft::Envelope& envelope) {
  return BytesFieldSize(1, RecordSize(ToWire(envelope), EntriesOf(envelope.message)));
}

void AppendMessage(std::string& out, const raft::Envelope& envelope) {
  const WireMessage wire = ToWire(envelope);
  const std::vector<raft::Entry>* entries = EntriesOf(envelope.message);
  base::AppendVarint(out, FieldTag(1, WireType::kBytes));
  base::AppendVarint(out, RecordSize(wire, entries));
  AppendField(out, 1, wire.type);
  AppendField(out, 2, wire.to);
  AppendField(out, 3, wire.from);
  AppendField(out, 4, wire.shard);
  AppendField(out, 5, wire.term);
  AppendField(out, 6, wire.log_term);
  AppendField(out, 7, wire.log_index);
  AppendField(out, 8, wire.commit);
  AppendField(out, 9, wire.reject ? 1 : 0);
  AppendField(out, 10, wire.hint);
  if (entries != nullptr) {
    for (const raft::Entry& entry : *entries) {
      base::AppendVarint(out, FieldTag(11, WireType::kBytes));
      base::AppendVarint(out, EncodedEntrySize(entry));
      AppendEntry(out, entry);
    }
  }
  AppendField(out, 12, kEmptySnapshot);
  AppendField(out, 13, wire.hint_high);
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
