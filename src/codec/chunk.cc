// SPDX-License-Identifier: Apache-2.0
#include "codec/chunk.h"

#include <utility>

#include "codec/protobuf.h"
#include "codec/records.h"

namespace drumbeat::codec {
namespace {

/// The SnapshotFile record with nothing in it.
std::string EmptyFileInfo() {
  std::string out;
  AppendField(out, 2, std::string_view());
  AppendField(out, 3, 0);
  AppendField(out, 4, 0);
  return out;
}

/// `part` lies in `payload`.
base::Bytes Slice(const base::Bytes& payload, std::string_view part) {
  if (part.empty()) return {};
  return payload.Slice(static_cast<std::size_t>(part.data() - payload.data()), part.size());
}

}  // namespace

EncodedChunk EncodeChunkAround(const Chunk& chunk) {
  EncodedChunk around;
  std::string& prefix = around.prefix;
  AppendField(prefix, 1, chunk.shard.value());
  AppendField(prefix, 2, chunk.to.value());
  AppendField(prefix, 3, chunk.from.value());
  AppendField(prefix, 4, chunk.chunk_id);
  AppendField(prefix, 5, chunk.data.size());
  AppendField(prefix, 6, chunk.chunk_count);
  if (!chunk.data.empty()) {
    base::AppendVarint(prefix, FieldTag(7, WireType::kBytes));
    base::AppendVarint(prefix, chunk.data.size());
  }
  std::string& suffix = around.suffix;
  AppendField(suffix, 8, chunk.index.value());
  AppendField(suffix, 9, chunk.term.value());
  AppendField(suffix, 10, EncodeMembership(chunk.membership));
  AppendField(suffix, 12, chunk.file_path);
  AppendField(suffix, 13, chunk.file_bytes);
  AppendField(suffix, 14, chunk.deployment_id);
  AppendField(suffix, 15, chunk.file_chunk_id);
  AppendField(suffix, 16, chunk.file_chunk_count);
  AppendField(suffix, 17, chunk.has_file_info ? 1 : 0);
  AppendField(suffix, 18, EmptyFileInfo());
  AppendField(suffix, 19, chunk.bin_version);
  AppendField(suffix, 20, chunk.on_disk_index.value());
  AppendField(suffix, 21, chunk.witness ? 1 : 0);
  return around;
}

std::string EncodeChunk(const Chunk& chunk) {
  const EncodedChunk around = EncodeChunkAround(chunk);
  std::string out;
  out.reserve(around.prefix.size() + chunk.data.size() + around.suffix.size());
  return out.append(around.prefix).append(chunk.data.view()).append(around.suffix);
}

Result<Chunk> DecodeChunkHead(const base::Bytes& payload) {
  Chunk chunk;
  chunk.deployment_id = 0;
  chunk.bin_version = 0;
  std::uint64_t data_bytes = 0;
  FieldReader fields(payload.view());
  while (fields.Next()) {
    switch (fields.number()) {
      case 1: chunk.shard = ShardId(fields.Varint()); break;
      case 2: chunk.to = ReplicaId(fields.Varint()); break;
      case 3: chunk.from = ReplicaId(fields.Varint()); break;
      case 4: chunk.chunk_id = fields.Varint(); break;
      case 5: data_bytes = fields.Varint(); break;
      case 6: chunk.chunk_count = fields.Varint(); break;
      case 7: chunk.data = Slice(payload, fields.Bytes()); break;
      case 8: chunk.index = Index(fields.Varint()); break;
      case 9: chunk.term = Term(fields.Varint()); break;
      case 10: chunk.membership_record = Slice(payload, fields.Bytes()); break;
      case 12: chunk.file_path = fields.Text(); break;
      case 13: chunk.file_bytes = fields.Varint(); break;
      case 14: chunk.deployment_id = fields.Varint(); break;
      case 15: chunk.file_chunk_id = fields.Varint(); break;
      case 16: chunk.file_chunk_count = fields.Varint(); break;
      case 17: chunk.has_file_info = fields.Bool(); break;
      case 18: fields.Bytes(); break;
      case 19: chunk.bin_version = static_cast<std::uint32_t>(fields.Varint()); break;
      case 20: chunk.on_disk_index = Index(fields.Varint()); break;
      case 21: chunk.witness = fields.Bool(); break;
      default: break;
    }
  }
  if (!fields.ok()) return Fail(ErrorCode::kInvalidArgument, "cannot decode a snapshot chunk");
  if (data_bytes != chunk.data.size()) {
    return Fail(ErrorCode::kInvalidArgument, "a snapshot chunk's data is not of its size");
  }
  if (chunk.membership_record.size() > kMaxMembershipBytes) {
    return Fail(ErrorCode::kInvalidArgument, "a snapshot chunk's membership is too long");
  }
  return chunk;
}

Result<void> DecodeChunkMembership(Chunk& chunk) {
  if (chunk.membership_record.empty()) return {};
  Result<Membership> members = DecodeMembership(chunk.membership_record.view());
  if (!members) return std::unexpected(members.error());
  chunk.membership = std::move(*members);
  return {};
}

Result<Chunk> DecodeChunk(const base::Bytes& payload) {
  Result<Chunk> chunk = DecodeChunkHead(payload);
  if (!chunk) return chunk;
  if (Result<void> members = DecodeChunkMembership(*chunk); !members) {
    return std::unexpected(members.error());
  }
  return chunk;
}

std::string ImageFileName(Index index) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string name = "snapshot-";
  for (int shift = 60; shift >= 0; shift -= 4) {
    name.push_back(kDigits[(index.value() >> shift) & 0xf]);
  }
  return name + ".gbsnap";
}

}  // namespace drumbeat::codec
