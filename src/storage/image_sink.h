// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "storage/image_record.h"
#include "storage/kv.h"
#include "storage/snapshot_store.h"

namespace drumbeat::storage {

class KvSnapshotStore;

/// Cuts an image into chunks. The first one stays in memory until the end, as its head may be
/// rewritten; so at most two are held.
class ImageSink : public SnapshotSink {
 public:
  /// `store` outlives the sink.
  ImageSink(KvSnapshotStore& store, const ImageName& image, std::unique_ptr<KvBulk> bulk);

  Result<void> Append(std::string_view bytes) override;
  Result<void> Rewrite(std::string_view head) override;
  Result<void> Commit(const raft::SnapshotRecord& record) override;

 private:
  Result<void> FillChunks(std::string_view bytes);
  Result<void> AddChunk(std::uint64_t number, std::string_view bytes);
  Result<void> AddLast(const ImageRecord& image);
  /// Remembers the first error.
  Result<void> Keep(const Result<void>& result);

  KvSnapshotStore& store_;
  const ImageName image_;
  const std::unique_ptr<KvBulk> bulk_;
  std::string first_chunk_;
  /// The chunk being filled, from chunk 1 on.
  std::string chunk_;
  std::uint64_t next_chunk_ = 1;
  std::uint64_t bytes_ = 0;
  std::string value_;
  Result<void> state_;
};

}  // namespace drumbeat::storage
