// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "drumbeat/error.h"

#include "raft/entry.h"
#include "storage/keys.h"

namespace drumbeat::storage {

/// Bytes of image under one key; the last one of an image has fewer.
constexpr std::size_t kImageChunkBytes = 256u << 10;

/// What an image is and how much of it there must be.
struct ImageRecord {
  raft::SnapshotRecord record;
  std::uint64_t bytes = 0;
};

std::string EncodeImageRecord(std::string_view key, ShardId shard, const ImageRecord& image);
Result<ImageRecord> DecodeImageRecord(std::string_view key, std::string_view value);

}  // namespace drumbeat::storage
