// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace drumbeat::base {

/// CRC-32/IEEE (zlib's), continuing from `crc`; start with 0. Check of "123456789": CBF43926.
std::uint32_t Crc32(std::string_view bytes, std::uint32_t crc = 0);

/// CRC-32C (Castagnoli), continuing from `crc`; start with 0. Check of "123456789": E3069283.
/// Uses the processor's instruction where there is one.
std::uint32_t Crc32c(std::string_view bytes, std::uint32_t crc = 0);

/// The mask that snappy's framing format and RocksDB's logs put over a CRC-32C, so that a
/// checksum of data that holds checksums stays good.
constexpr std::uint32_t MaskCrc32c(std::uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}
constexpr std::uint32_t UnmaskCrc32c(std::uint32_t masked) {
  const std::uint32_t rotated = masked - 0xa282ead8u;
  return (rotated >> 17) | (rotated << 15);
}

}  // namespace drumbeat::base
