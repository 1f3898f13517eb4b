// SPDX-License-Identifier: Apache-2.0
#include "fuzz/hostile_messages.h"

#include <algorithm>
#include <array>

#include "codec/command.h"
#include "codec/entry_codec.h"
#include "codec/message_batch.h"
#include "codec/protobuf.h"
#include "codec/records.h"
#include "codec/wire_message.h"
#include "fuzz/images.h"
#include "raft/message_check.h"

namespace drumbeat::fuzz {
namespace {

using codec::AppendField;
using codec::WireMessageType;

constexpr std::array kTypes = {
    WireMessageType::kReplicate,
    WireMessageType::kReplicateResp,
    WireMessageType::kRequestVote,
    WireMessageType::kRequestVoteResp,
    WireMessageType::kHeartbeat,
    WireMessageType::kHeartbeatResp,
    WireMessageType::kReadIndex,
    WireMessageType::kReadIndexResp,
    WireMessageType::kQuiesce,
    WireMessageType::kSnapshotReceived,
    WireMessageType::kLeaderTransfer,
    WireMessageType::kTimeoutNow,
    WireMessageType::kRateLimit,
    WireMessageType::kRequestPreVote,
    WireMessageType::kRequestPreVoteResp,
    WireMessageType::kNoOp,
    WireMessageType::kPropose,
};

/// Whether the wire has no term for it.
bool HasNoTerm(WireMessageType type) {
  return type == WireMessageType::kPropose || type == WireMessageType::kReadIndex ||
         type == WireMessageType::kLeaderTransfer || type == WireMessageType::kQuiesce ||
         type == WireMessageType::kSnapshotReceived;
}

}  // namespace

std::string HostileMessages::Batch() {
  std::string bytes;
  for (int left = 1 + input_.Byte() / 64; left > 0; --left) {
    const std::string message = Message();
    AppendField(bytes, 1, message);
  }
  codec::AppendBatchTrailer(bytes, 1, "b:2");
  return bytes;
}

std::uint64_t HostileMessages::Near() {
  const std::uint8_t byte = input_.Byte();
  const raft::Status status = host_.status();
  const std::uint64_t delta = byte & 7;
  switch (byte >> 3) {
    case 0: return delta;
    case 1: return status.term.value() + delta;
    case 2: return status.term.value() - delta;
    case 3: return status.last_index.value() + delta;
    case 4: return status.last_index.value() - delta;
    case 5: return status.committed.value() + delta;
    case 6: return status.committed.value() - delta;
    case 7: return status.applied.value() - delta;
    case 8: return status.first_index.value() + delta - 2;
    case 9: return host_.snapshot_index().value() + delta - 2;
    case 10: return raft::kCountLimit + delta - 4;
    case 11: return codec::kMaxTermOrIndex + delta - 4;
    case 12: return delta - 4;
    case 13: return input_.Number();
    case 14: return host_.contexts().empty() ? 0 : host_.contexts().back().low;
    default: return byte;
  }
}

std::string HostileMessages::Message() {
  const std::uint8_t kind = input_.Byte();
  const WireMessageType type = kTypes[kind % kTypes.size()];
  const bool any = kind >= 250;
  const std::uint64_t from = any ? input_.Byte() : Peer().value();
  const std::uint64_t term = HasNoTerm(type) && !any ? 0 : Near();
  const std::uint64_t log_term = Near();
  const std::uint64_t log_index = Near();
  std::string record;
  AppendField(record, 1, any ? std::uint64_t{input_.Byte()} : static_cast<std::uint64_t>(type));
  AppendField(record, 2, any ? std::uint64_t{input_.Byte()} : ReplicaHost::kSelf.value());
  AppendField(record, 3, from);
  AppendField(record, 4, ReplicaHost::kShard.value());
  AppendField(record, 5, term);
  AppendField(record, 6, log_term);
  AppendField(record, 7, log_index);
  AppendField(record, 8, Near());
  AppendField(record, 9, std::uint64_t{input_.Bool()});
  AppendField(record, 10, Near());
  if (type == WireMessageType::kReplicate || type == WireMessageType::kPropose) {
    record += Entries(log_index, term);
  }
  AppendField(record, 13, any ? input_.Number() : 0);
  return record;
}

std::string HostileMessages::Entries(std::uint64_t previous, std::uint64_t term) {
  std::string fields;
  std::uint64_t index = previous;
  for (int left = input_.Below(5); left > 0; --left) {
    raft::Entry entry;
    Fill(entry);
    const bool any = input_.OneIn(16);
    entry.index = Index(any ? Near() : ++index);
    entry.term = Term(input_.OneIn(4) ? Near() : term);
    std::string bytes;
    codec::AppendEntry(bytes, entry);
    AppendField(fields, 11, bytes);
  }
  return fields;
}

void HostileMessages::Fill(raft::Entry& entry) {
  entry.key = input_.Byte();
  switch (input_.Below(8)) {
    case 0: return;  // as a leader's first one
    case 1: entry = Change(); return;
    case 2: entry.type = raft::EntryType::kMetadata; return;
    case 3: {
      entry.type = static_cast<raft::EntryType>(input_.Below(4));
      entry.client_id = input_.Byte();
      entry.series_id = input_.Byte();
      entry.command = base::Bytes::Copy(input_.Text());
      return;
    }
    default: entry = Proposal();
  }
}

raft::Entry HostileMessages::Proposal() {
  raft::Entry entry;
  entry.key = 1 + input_.Byte();
  entry.client_id = 1 + input_.Below(4);
  const std::uint8_t series = input_.Byte();
  if (series == 255) entry.series_id = raft::kRegisterSeries;
  if (series == 254) entry.series_id = raft::kUnregisterSeries;
  if (series >= 254) return entry;
  entry.series_id = series / 16;
  entry.responded_to = input_.Byte() / 32;
  const std::string text(std::size_t{input_.Byte()} << input_.Below(3), 'x');
  codec::EncodeCommand(entry, text, input_.Bool() ? Compression::kSnappy : Compression::kNone);
  return entry;
}

raft::Entry HostileMessages::Change() {
  raft::ConfigChange change;
  change.type = static_cast<raft::ConfigChangeType>(input_.Below(4));
  change.replica = ReplicaId(1 + input_.Below(5));
  change.address = static_cast<char>('a' + input_.Below(6)) + std::string(":1");
  change.initialize = input_.OneIn(8);
  raft::Entry entry;
  entry.type = raft::EntryType::kConfigChange;
  entry.key = 1 + input_.Byte();
  entry.command = base::Bytes::Copy(codec::EncodeConfigChange(change));
  return entry;
}

codec::Chunk HostileMessages::Snapshot() {
  codec::Chunk chunk;
  chunk.shard = ReplicaHost::kShard;
  chunk.to = ReplicaHost::kSelf;
  chunk.from = Peer();
  chunk.chunk_count = 1;
  chunk.index = Index(Near());
  chunk.term = Term(Near());
  chunk.witness = input_.OneIn(8);
  chunk.membership = host_.members();
  if (chunk.membership.config_change_id == 0) chunk.membership.config_change_id = 1;
  for (int left = input_.Below(3); left > 0; --left) {
    const ReplicaId id(1 + input_.Below(5));
    MemberMap& kind = input_.Bool() ? chunk.membership.voters : chunk.membership.non_votings;
    if (input_.Bool()) {
      kind[id] = "z:1";
    } else {
      kind.erase(id);
    }
  }
  chunk.data = base::Bytes::Copy(chunk.witness ? codec::WitnessImage(1) : MakeImage(input_));
  return chunk;
}

}  // namespace drumbeat::fuzz
