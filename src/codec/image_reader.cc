// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "codec/chunk.h"
#include "codec/image_header.h"
#include "codec/snappy_stream.h"
#include "codec/snapshot_image.h"

namespace drumbeat::codec {
namespace {

constexpr std::size_t kCrcBytes = 4;
constexpr std::size_t kStoredBlockBytes = kSnapshotChunkBytes + kCrcBytes;

std::unexpected<Error> Damaged(const char* what) {
  return Fail(ErrorCode::kDamaged, std::string("damaged snapshot image: ") + what);
}

Result<void> ReadExactly(SnapshotReader& source, std::string& piece, std::size_t length) {
  piece.resize(length);
  for (std::size_t have = 0; have < length;) {
    const Result<std::size_t> got = source.Read(std::span(piece).subspan(have));
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return Damaged("it is cut off");
    have += *got;
  }
  return {};
}

/// The stream that an image's blocks hold, one block in memory at a time.
class BlockReader : public SnapshotReader {
 public:
  BlockReader(std::unique_ptr<SnapshotReader> source, std::uint64_t blocks_bytes)
      : source_(std::move(source)), blocks_bytes_(blocks_bytes), left_(blocks_bytes) {}

  Result<std::size_t> Read(std::span<char> buffer) override {
    if (at_ == block_.size() && left_ > 0) {
      if (Result<void> block = NextBlock(); !block) return std::unexpected(block.error());
    }
    const std::size_t count = std::min(buffer.size(), block_.size() - at_);
    std::memcpy(buffer.data(), block_.data() + at_, count);
    at_ += count;
    return count;
  }

 private:
  Result<void> NextBlock() {
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(left_, kStoredBlockBytes));
    if (Result<void> read = ReadExactly(*source_, block_, length); !read) return read;
    if (!BlockMatches(block_)) return Damaged("a block's checksum");
    left_ -= length;
    block_.resize(length - kCrcBytes);
    at_ = 0;
    if (left_ > 0) return {};
    std::string tail;
    if (Result<void> read = ReadExactly(*source_, tail, kImageTailBytes); !read) return read;
    if (!TailMatches(tail, blocks_bytes_)) return Damaged("its tail");
    return {};
  }

  std::unique_ptr<SnapshotReader> source_;
  const std::uint64_t blocks_bytes_;
  std::uint64_t left_;
  std::string block_;
  std::size_t at_ = 0;
};

class StreamingValidator : public ImageValidator {
 public:
  Result<void> Add(std::string_view piece) override {
    // Whatever the piece's size, at most one block and what may be the tail stay here.
    while (!piece.empty()) {
      const std::size_t take = std::min(piece.size(), kKeep + 1 - kept_.size());
      kept_.append(piece.substr(0, take));
      piece.remove_prefix(take);
      if (Result<void> good = Digest(); !good) return good;
    }
    return {};
  }

  Result<void> Finish() override {
    if (!header_seen_) return Damaged("its header is cut off");
    if (kept_.size() < kImageTailBytes) return Damaged("its tail is cut off");
    const std::size_t rest = kept_.size() - kImageTailBytes;
    if (rest > 0 && !BlockMatches(std::string_view(kept_).substr(0, rest))) {
      return Damaged("a block's checksum");
    }
    if (!TailMatches(std::string_view(kept_).substr(rest), blocks_bytes_ + rest)) {
      return Damaged("its tail");
    }
    return {};
  }

 private:
  /// With more than this in hand, the first block is surely a full one.
  static constexpr std::size_t kKeep = kStoredBlockBytes + kImageTailBytes;

  Result<void> Digest() {
    if (!header_seen_) {
      if (kept_.size() < kImageHeaderBytes) return {};
      const auto header = DecodeImageHeader(std::string_view(kept_).substr(0, kImageHeaderBytes));
      if (!header) return std::unexpected(header.error());
      header_seen_ = true;
      kept_.erase(0, kImageHeaderBytes);
    }
    if (kept_.size() <= kKeep) return {};
    if (!BlockMatches(std::string_view(kept_).substr(0, kStoredBlockBytes))) {
      return Damaged("a block's checksum");
    }
    blocks_bytes_ += kStoredBlockBytes;
    kept_.erase(0, kStoredBlockBytes);
    return {};
  }

  bool header_seen_ = false;
  std::string kept_;
  std::uint64_t blocks_bytes_ = 0;
};

}  // namespace

Result<std::unique_ptr<SnapshotReader>> OpenImage(std::unique_ptr<SnapshotReader> source,
                                                  std::uint64_t image_bytes) {
  if (image_bytes < kImageHeaderBytes + kImageTailBytes) return Damaged("it is too short");
  std::string area;
  if (Result<void> read = ReadExactly(*source, area, kImageHeaderBytes); !read) {
    return std::unexpected(read.error());
  }
  const Result<ImageHeader> header = DecodeImageHeader(area);
  if (!header) return std::unexpected(header.error());
  std::unique_ptr<SnapshotReader> stream = std::make_unique<BlockReader>(
      std::move(source), image_bytes - kImageHeaderBytes - kImageTailBytes);
  if (header->compression == Compression::kSnappy) {
    stream = MakeSnappyStreamReader(std::move(stream));
  }
  return stream;
}

std::unique_ptr<ImageValidator> ImageValidator::Make() {
  return std::make_unique<StreamingValidator>();
}

}  // namespace drumbeat::codec
