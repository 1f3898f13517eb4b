// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "drumbeat/snapshot.h"

#include "storage/keys.h"
#include "storage/store_core.h"

namespace drumbeat::storage {

/// Hands out an image chunk by chunk; checks that all of it is there and whole. Its cursor keeps
/// the image readable whatever becomes of it in the store, and it keeps the database open.
class ImageReader : public SnapshotReader {
 public:
  struct Source {
    ImageName image;
    /// Length of the image.
    std::uint64_t bytes = 0;
    /// What it is, for messages.
    std::string name;
  };
  ImageReader(std::shared_ptr<StoreCore> core, Source source);

  Result<std::size_t> Read(std::span<char> buffer) override;

 private:
  /// Moves on to the next chunk.
  Result<void> NextChunk();
  std::unexpected<Error> Unreadable(const Error& error) const;
  std::unexpected<Error> Damaged(std::string_view what) const;

  const Source source_;
  const std::shared_ptr<StoreCore> core_;
  const std::unique_ptr<KvCursor> cursor_;
  std::uint64_t next_chunk_ = 0;
  std::uint64_t read_ = 0;
  /// What is left of the chunk that the cursor stands on.
  std::string_view rest_;
};

}  // namespace drumbeat::storage
