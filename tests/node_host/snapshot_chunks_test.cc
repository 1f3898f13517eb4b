// SPDX-License-Identifier: Apache-2.0
#include "node_host/snapshot_chunks.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include <gtest/gtest.h>

namespace drumbeat::node_host {
namespace {

/// As many bytes as it is told, of which none is ever written.
class LongImage : public SnapshotReader {
 public:
  explicit LongImage(std::uint64_t bytes) : left_(bytes) {}
  Result<std::size_t> Read(std::span<char> buffer) override {
    const std::size_t read = std::min<std::uint64_t>(buffer.size(), left_);
    left_ -= read;
    return read;
  }

 private:
  std::uint64_t left_;
};

/// Holds one image.
class OneImage : public storage::SnapshotStore {
 public:
  explicit OneImage(std::uint64_t bytes) {
    record_.index = Index(7);
    record_.term = Term(3);
    record_.image_bytes = bytes;
  }
  Result<std::unique_ptr<storage::SnapshotSink>> Create(const ReplicaRef&) override {
    return Fail(ErrorCode::kNotSupported);
  }
  Result<std::optional<raft::SnapshotRecord>> Newest(const ReplicaRef&) override { return record_; }
  Result<std::unique_ptr<SnapshotReader>> Open(const ReplicaRef&, Index) override {
    return std::make_unique<LongImage>(record_.image_bytes);
  }
  Result<void> Remove(const ReplicaRef&) override { return {}; }

 private:
  raft::SnapshotRecord record_;
};

// S-20.
TEST(SnapshotChunksTest, AnImageBeyondFourGigabytesIsSentWhole) {
  constexpr std::uint64_t kBytes = (std::uint64_t{5} << 30) + 17;
  constexpr std::uint64_t kChunks = kBytes / codec::kSnapshotChunkBytes + 1;
  OneImage store(kBytes);
  const auto chunks = StoredSnapshotChunks(store, {ShardId(1), ReplicaId(1), ReplicaId(2)});
  std::uint64_t sent = 0;
  std::uint64_t bytes = 0;
  for (;; ++sent) {
    const auto chunk = chunks->Next();
    ASSERT_TRUE(chunk.has_value()) << chunk.error().text();
    if (!*chunk) break;
    ASSERT_EQ((*chunk)->chunk_id, sent);
    ASSERT_EQ((*chunk)->chunk_count, kChunks);
    ASSERT_EQ((*chunk)->file_bytes, kBytes);
    ASSERT_EQ(codec::IsLast(**chunk), sent + 1 == kChunks);
    bytes += (*chunk)->data.size();
  }
  EXPECT_EQ(sent, kChunks);
  EXPECT_EQ(bytes, kBytes);
}

}  // namespace
}  // namespace drumbeat::node_host
