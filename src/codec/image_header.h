// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "drumbeat/config.h"
#include "drumbeat/error.h"

// The parts of an image around its stream (wire.md 5.1).
namespace drumbeat::codec {

/// Bytes of stream in a block, of which only the last may hold less.
constexpr std::uint64_t kBlockBytes = 2u << 20;
/// Behind each block.
constexpr std::size_t kBlockCrcBytes = 4;

/// What an image's first 1,024 bytes say.
struct ImageHeader {
  std::uint64_t unreliable_time = 0;
  Compression compression = Compression::kNone;
  /// BlocksChecksum of all blocks. 0: not given, as by who streams and does not know it yet.
  std::uint32_t payload_checksum = 0;
};

/// The header area of an image file.
std::string EncodeImageHeader(const ImageHeader& header);

/// Reads a header area of either style, as written to a file or while streaming. kDamaged unless
/// it is of version 2 with CRC-32 and its checksums, where they are given, are right.
Result<ImageHeader> DecodeImageHeader(std::string_view area);

/// A block's checksum as it stands behind it.
std::string EncodeBlockCrc(std::uint32_t crc);

/// The checksum over all blocks' checksums, taken along in order.
class BlocksChecksum {
 public:
  void Add(std::uint32_t block_crc);
  std::uint32_t value() const { return value_; }
  /// Whether it is what the header gives, if it gives any.
  bool Matches(const ImageHeader& header) const {
    return header.payload_checksum == 0 || header.payload_checksum == value_;
  }

 private:
  std::uint32_t value_ = 0;
};

/// The tail behind blocks of `blocks_bytes` in all, their checksums included.
std::string EncodeImageTail(std::uint64_t blocks_bytes);

/// kDamaged, with what is wrong in words.
std::unexpected<Error> DamagedImage(std::string_view what);

}  // namespace drumbeat::codec
