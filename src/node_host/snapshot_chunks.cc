// SPDX-License-Identifier: Apache-2.0
#include "node_host/snapshot_chunks.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "codec/snapshot_image.h"

namespace drumbeat::node_host {
namespace {

codec::Chunk ChunkOf(const SnapshotRoute& route, const raft::SnapshotRecord& snapshot) {
  codec::Chunk chunk;
  chunk.shard = route.shard;
  chunk.from = route.from;
  chunk.to = route.to;
  chunk.deployment_id = route.deployment_id;
  chunk.index = snapshot.index;
  chunk.term = snapshot.term;
  chunk.membership = snapshot.membership;
  chunk.on_disk_index = snapshot.on_disk_index;
  return chunk;
}

class StoredChunks : public transport::ChunkSource {
 public:
  StoredChunks(storage::SnapshotStore& store, const SnapshotRoute& route)
      : store_(store), route_(route) {}

  Result<std::optional<codec::Chunk>> Next() override {
    if (image_ == nullptr) {
      if (Result<void> opened = Open(); !opened) return std::unexpected(opened.error());
    }
    if (next_ == count_) return std::nullopt;
    const std::uint64_t offset = next_ * codec::kSnapshotChunkBytes;
    const std::uint64_t length =
        std::min<std::uint64_t>(codec::kSnapshotChunkBytes, record_.image_bytes - offset);
    Result<base::Bytes> data = ReadExactly(static_cast<std::size_t>(length));
    if (!data) return std::unexpected(data.error());
    codec::Chunk chunk = ChunkOf(route_, record_);
    chunk.data = std::move(*data);
    chunk.chunk_id = chunk.file_chunk_id = next_++;
    chunk.chunk_count = chunk.file_chunk_count = count_;
    chunk.file_bytes = record_.image_bytes;
    chunk.file_path = codec::ImageFileName(record_.index);
    return chunk;
  }

 private:
  Result<void> Open() {
    const ReplicaRef replica{route_.shard, route_.from};
    Result<std::optional<raft::SnapshotRecord>> newest = store_.Newest(replica);
    if (!newest) return std::unexpected(newest.error());
    if (!*newest) return Fail(ErrorCode::kNotFound, "there is no snapshot to send");
    record_ = **newest;
    Result<std::unique_ptr<SnapshotReader>> image = store_.Open(replica, record_.index);
    if (!image) return std::unexpected(image.error());
    image_ = std::move(*image);
    count_ = (record_.image_bytes + codec::kSnapshotChunkBytes - 1) / codec::kSnapshotChunkBytes;
    return {};
  }

  Result<base::Bytes> ReadExactly(std::size_t length) {
    base::Bytes data = base::Bytes::Adopt(base::Buffer::New(length));
    const Result<std::size_t> got = image_->ReadFully(std::span(data.buffer()->data(), length));
    if (!got) return std::unexpected(got.error());
    if (*got != length) return Fail(ErrorCode::kDamaged, "a stored snapshot ends too early");
    return data;
  }

  storage::SnapshotStore& store_;
  const SnapshotRoute route_;
  raft::SnapshotRecord record_;
  std::unique_ptr<SnapshotReader> image_;
  std::uint64_t next_ = 0;
  std::uint64_t count_ = 0;
};

class OneChunk : public transport::ChunkSource {
 public:
  explicit OneChunk(codec::Chunk chunk) : chunk_(std::move(chunk)) {}
  Result<std::optional<codec::Chunk>> Next() override {
    return std::exchange(chunk_, std::nullopt);
  }

 private:
  std::optional<codec::Chunk> chunk_;
};

}  // namespace

std::unique_ptr<transport::ChunkSource> StoredSnapshotChunks(storage::SnapshotStore& store,
                                                             const SnapshotRoute& route) {
  return std::make_unique<StoredChunks>(store, route);
}

std::unique_ptr<transport::ChunkSource> WitnessChunks(const SnapshotRoute& route,
                                                      const raft::SnapshotRecord& snapshot,
                                                      std::uint64_t now_unix_ns) {
  codec::Chunk chunk = ChunkOf(route, snapshot);
  const std::string image = codec::WitnessImage(now_unix_ns);
  chunk.data = base::Bytes::Copy(image);
  chunk.chunk_count = chunk.file_chunk_count = 1;
  chunk.file_bytes = image.size();
  chunk.file_path = "witness.snapshot";
  chunk.witness = true;
  chunk.on_disk_index = Index(0);
  return std::make_unique<OneChunk>(std::move(chunk));
}

}  // namespace drumbeat::node_host
