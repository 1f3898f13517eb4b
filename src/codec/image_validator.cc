// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>
#include <utility>

#include "base/crc.h"
#include "codec/image_header.h"
#include "codec/snapshot_image.h"

namespace drumbeat::codec {
namespace {

/// Knows no length before the end: the last bytes, which may be a block's checksum and the tail,
/// are held back until others follow.
class StreamingValidator : public ImageValidator {
 public:
  Result<void> Add(std::string_view piece) override {
    if (failure_) return std::unexpected(*failure_);
    Result<void> good = Take(piece);
    if (!good) failure_ = good.error();
    return good;
  }

  Result<void> Finish() override {
    if (failure_) return std::unexpected(*failure_);
    if (!header_) return DamagedImage("its header is cut off");
    // Less than a checksum behind a full block, or no block at all.
    if (held_.size() < kHeldBytes || block_bytes_ == 0 || !crc_bytes_.empty()) {
      return DamagedImage("its end");
    }
    const std::string_view end(held_);
    if (Result<void> good = EndBlock(end.substr(0, kBlockCrcBytes)); !good) return good;
    if (end.substr(kBlockCrcBytes) != EncodeImageTail(blocks_bytes_)) {
      return DamagedImage("its tail");
    }
    if (!checksum_.Matches(*header_)) return DamagedImage("the checksum over its blocks");
    return {};
  }

 private:
  static constexpr std::size_t kHeldBytes = kBlockCrcBytes + kImageTailBytes;

  Result<void> Take(std::string_view piece) {
    if (!header_) {
      const std::size_t take = std::min(piece.size(), kImageHeaderBytes - area_.size());
      area_.append(piece.substr(0, take));
      piece.remove_prefix(take);
      if (area_.size() < kImageHeaderBytes) return {};
      Result<ImageHeader> header = DecodeImageHeader(area_);
      if (!header) return std::unexpected(header.error());
      header_ = *header;
      area_.clear();
    }
    return HoldBack(piece);
  }

  /// Passes on everything but the last bytes that were ever seen.
  Result<void> HoldBack(std::string_view piece) {
    const std::size_t all = held_.size() + piece.size();
    const std::size_t passes = all > kHeldBytes ? all - kHeldBytes : 0;
    const std::size_t of_held = std::min(passes, held_.size());
    if (Result<void> good = Check(std::string_view(held_).substr(0, of_held)); !good) return good;
    held_.erase(0, of_held);
    if (Result<void> good = Check(piece.substr(0, passes - of_held)); !good) return good;
    held_.append(piece.substr(passes - of_held));
    return {};
  }

  /// `bytes` go on where the last ones stopped, within a block or the checksum behind a full one.
  Result<void> Check(std::string_view bytes) {
    while (!bytes.empty()) {
      if (block_bytes_ < kBlockBytes) {
        const std::size_t take = std::min<std::size_t>(bytes.size(), kBlockBytes - block_bytes_);
        crc_ = base::Crc32(bytes.substr(0, take), crc_);
        block_bytes_ += take;
        bytes.remove_prefix(take);
        continue;
      }
      const std::size_t take = std::min(bytes.size(), kBlockCrcBytes - crc_bytes_.size());
      crc_bytes_.append(bytes.substr(0, take));
      bytes.remove_prefix(take);
      if (crc_bytes_.size() < kBlockCrcBytes) break;
      if (Result<void> good = EndBlock(crc_bytes_); !good) return good;
      crc_bytes_.clear();
    }
    return {};
  }

  Result<void> EndBlock(std::string_view crc) {
    if (crc != EncodeBlockCrc(crc_)) return DamagedImage("a block's checksum");
    checksum_.Add(crc_);
    blocks_bytes_ += block_bytes_ + kBlockCrcBytes;
    block_bytes_ = 0;
    crc_ = 0;
    return {};
  }

  std::string area_;
  std::optional<ImageHeader> header_;
  std::string held_;
  /// Of the block that is being checked.
  std::uint64_t block_bytes_ = 0;
  std::uint32_t crc_ = 0;
  std::string crc_bytes_;
  /// Of the blocks before, their checksums included.
  std::uint64_t blocks_bytes_ = 0;
  BlocksChecksum checksum_;
  std::optional<Error> failure_;
};

}  // namespace

std::unique_ptr<ImageValidator> ImageValidator::Make() {
  return std::make_unique<StreamingValidator>();
}

}  // namespace drumbeat::codec
