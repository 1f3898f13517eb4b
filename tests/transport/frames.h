// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_coding.h"
#include "base/crc.h"
#include "codec/chunk.h"
#include "codec/frame.h"
#include "codec/message_batch.h"
#include "transport/messages.h"

namespace drumbeat::transport {

/// A frame around any payload.
inline std::string FrameOf(codec::FrameMethod method, std::string_view payload,
                           codec::PayloadCheck check = codec::PayloadCheck::kCrc32) {
  const auto prefix = codec::EncodeFramePrefix(method, payload, check);
  return std::string(prefix.begin(), prefix.end()) + std::string(payload);
}

inline std::string BatchOf(const std::vector<raft::Envelope>& messages,
                           std::uint64_t deployment_id = 1,
                           std::uint32_t bin_version = codec::kBinVersion) {
  std::string batch = codec::EncodeMessageBatch({.deployment_id = deployment_id,
                                                 .source_address = "stranger:1",
                                                 .bin_version = codec::kBinVersion,
                                                 .messages = messages,
                                                 .refused = 0});
  // Of a field that comes twice the last one counts.
  if (bin_version != codec::kBinVersion) {
    batch.push_back('\x20');
    base::AppendVarint(batch, bin_version);
  }
  return batch;
}

inline std::string HeartbeatFrame(std::uint64_t commit) {
  return FrameOf(codec::FrameMethod::kMessageBatch, BatchOf({HeartbeatOf(128, commit)}));
}

inline codec::Chunk ChunkOf(std::uint64_t id, std::uint64_t count, std::string_view data) {
  codec::Chunk chunk;
  chunk.shard = ShardId(128);
  chunk.from = ReplicaId(1);
  chunk.to = ReplicaId(2);
  chunk.chunk_id = id;
  chunk.chunk_count = count;
  chunk.data = base::Bytes::Copy(data);
  chunk.index = Index(100);
  chunk.term = Term(3);
  chunk.membership.config_change_id = 3;
  chunk.membership.voters[ReplicaId(1)] = "stranger:1";
  chunk.file_path = codec::ImageFileName(Index(100));
  chunk.file_bytes = count * data.size();
  chunk.file_chunk_id = id;
  chunk.file_chunk_count = count;
  return chunk;
}

/// Magic and a header with any fields; its checksum is right unless `header_crc` says otherwise.
inline std::string HeaderOf(std::uint16_t method, std::uint64_t size, std::uint32_t payload_crc = 0,
                            std::uint32_t header_crc_error = 0) {
  const auto fields = [&](std::uint32_t crc) {
    std::string header;
    base::AppendBig(header, method);
    base::AppendBig(header, size);
    base::AppendBig(header, crc);
    base::AppendBig(header, payload_crc);
    return header;
  };
  return std::string(codec::kFrameMagic) + fields(base::Crc32(fields(0)) ^ header_crc_error);
}

}  // namespace drumbeat::transport
