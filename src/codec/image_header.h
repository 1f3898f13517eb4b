// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "drumbeat/config.h"
#include "drumbeat/error.h"

namespace drumbeat::codec {

/// What an image's first 1,024 bytes say.
struct ImageHeader {
  std::uint64_t unreliable_time = 0;
  Compression compression = Compression::kNone;
};

constexpr std::string_view kImageMagic("\x3f\x5b\xcb\xf1\xfa\xba\x81\x9f", 8);

/// The header area of an image file. `block_crcs`: CRC-32 over the concatenated checksums of all
/// blocks.
std::string EncodeImageHeader(const ImageHeader& header, std::uint32_t block_crcs);

/// Reads a header area of either style, as written to a file or while streaming. kDamaged unless
/// it is of version 2 with CRC-32 and its checksum, where one is given, is right.
Result<ImageHeader> DecodeImageHeader(std::string_view area);

/// The tail behind blocks of `blocks_bytes` in all.
std::string EncodeImageTail(std::uint64_t blocks_bytes);
bool TailMatches(std::string_view tail, std::uint64_t blocks_bytes);

/// Whether `block`, which ends with its checksum, is intact.
bool BlockMatches(std::string_view block_with_crc);

}  // namespace drumbeat::codec
