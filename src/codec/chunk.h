// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "drumbeat/error.h"
#include "drumbeat/types.h"

#include "base/bytes.h"
#include "codec/message_batch.h"
#include "raft/entry.h"

namespace drumbeat::codec {

/// Bytes of image in one chunk, and of stream in one block of an image.
constexpr std::size_t kSnapshotChunkBytes = 2u << 20;
/// Chunk::chunk_count of the last chunk of a stream whose length was not known before.
constexpr std::uint64_t kLastChunkCount = ~std::uint64_t{0};

/// One piece of a snapshot on its way (wire.md 2.2 and 6).
struct Chunk {
  ShardId shard;
  /// The receiving replica.
  ReplicaId to;
  ReplicaId from;
  /// From 0 over the whole transfer.
  std::uint64_t chunk_id = 0;
  /// The total; 0 while streaming, kLastChunkCount in the last one.
  std::uint64_t chunk_count = 0;
  base::Bytes data;
  Index index;
  /// Log term of the snapshot.
  Term term;
  Membership membership;
  /// As it arrived: what DecodeChunkHead() leaves to DecodeChunkMembership().
  base::Bytes membership_record;
  /// Only its last component means anything, and we never use it as a path.
  std::string file_path;
  std::uint64_t file_bytes = 0;
  std::uint64_t deployment_id = 1;
  std::uint64_t file_chunk_id = 0;
  std::uint64_t file_chunk_count = 0;
  /// True: part of an external file, whose details are skipped; this version refuses such files.
  bool has_file_info = false;
  std::uint32_t bin_version = kBinVersion;
  Index on_disk_index;
  bool witness = false;
};

/// Whether nothing of its snapshot follows it.
inline bool IsLast(const Chunk& chunk) {
  return chunk.chunk_count == kLastChunkCount || chunk.chunk_count == chunk.chunk_id + 1;
}

/// Everything but the data's bytes goes into `prefix` and `suffix`; a frame's payload is
/// prefix + data + suffix. Sending needs no copy of the data that way.
struct EncodedChunk {
  std::string prefix;
  std::string suffix;
};
EncodedChunk EncodeChunkAround(const Chunk& chunk);
std::string EncodeChunk(const Chunk& chunk);
/// Everything but the membership; data and the membership's record share the buffer of `payload`.
/// Refuses data of another length than the chunk says. Takes time for each field, whatever its
/// length: a membership of 4 MiB takes a third of a second, which strangers must not get.
Result<Chunk> DecodeChunkHead(const base::Bytes& payload);
/// Fills in the membership of a chunk that DecodeChunkHead() made; any other one stays as it is.
Result<void> DecodeChunkMembership(Chunk& chunk);
/// Both.
Result<Chunk> DecodeChunk(const base::Bytes& payload);

/// `snapshot-<16 upper-case hex digits>.gbsnap`, the name Dragonboat insists on.
std::string ImageFileName(Index index);

}  // namespace drumbeat::codec
