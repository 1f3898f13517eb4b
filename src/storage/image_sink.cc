// SPDX-License-Identifier: Apache-2.0
#include "storage/image_sink.h"

#include <algorithm>
#include <utility>

#include "storage/kv_snapshot_store.h"
#include "storage/sealed_value.h"

namespace drumbeat::storage {

ImageSink::ImageSink(KvSnapshotStore& store, const ImageName& image, std::unique_ptr<KvBulk> bulk)
    : store_(store), image_(image), bulk_(std::move(bulk)) {}

Result<void> ImageSink::Keep(const Result<void>& result) {
  if (state_ && !result) state_ = result;
  return result;
}

Result<void> ImageSink::Append(std::string_view bytes) {
  if (!state_) return state_;
  bytes_ += bytes.size();
  const std::size_t first = std::min(bytes.size(), kImageChunkBytes - first_chunk_.size());
  first_chunk_ += bytes.substr(0, first);
  return Keep(FillChunks(bytes.substr(first)));
}

Result<void> ImageSink::FillChunks(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t piece = std::min(bytes.size(), kImageChunkBytes - chunk_.size());
    chunk_ += bytes.substr(0, piece);
    bytes.remove_prefix(piece);
    if (chunk_.size() < kImageChunkBytes) return {};
    if (Result<void> added = AddChunk(next_chunk_++, chunk_); !added) return added;
    chunk_.clear();
  }
  return {};
}

Result<void> ImageSink::AddChunk(std::uint64_t number, std::string_view bytes) {
  const Key key = ChunkKey(image_, number);
  BeginValue(value_);
  value_ += bytes;
  SealValue(value_, key);
  return bulk_->Add(key, value_);
}

Result<void> ImageSink::Rewrite(std::string_view head) {
  if (!state_) return state_;
  if (head.size() > first_chunk_.size()) {
    return Fail(ErrorCode::kInvalidArgument, "only the first bytes of an image can be rewritten");
  }
  first_chunk_.replace(0, head.size(), head);
  return {};
}

// Runs must ascend: the first chunk, known only now, and the record are runs of their own.
Result<void> ImageSink::AddLast(const ImageRecord& image) {
  Result<void> done;
  if (!chunk_.empty()) done = AddChunk(next_chunk_++, chunk_);
  if (done) done = bulk_->EndRun();
  if (done && !first_chunk_.empty()) done = AddChunk(0, first_chunk_);
  if (done) done = bulk_->EndRun();
  const Key key = ImageRecordKey(image_);
  if (done) done = bulk_->Add(key, EncodeImageRecord(key, image_.replica.shard, image));
  if (done) done = bulk_->EndRun();
  return done;
}

Result<void> ImageSink::Commit(const raft::SnapshotRecord& record) {
  if (!state_) return state_;
  const ImageRecord image{.record = record, .bytes = bytes_};
  Result<void> committed = AddLast(image);
  if (committed) committed = store_.Enter(image_, image, *bulk_);
  // Whatever came of it, this sink is used up.
  state_ = Fail(ErrorCode::kInvalidArgument, "this snapshot was committed already");
  return committed;
}

}  // namespace drumbeat::storage
