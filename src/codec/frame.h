// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "drumbeat/error.h"

namespace drumbeat::codec {

/// What a frame carries.
enum class FrameMethod : std::uint16_t { kMessageBatch = 100, kSnapshotChunk = 200 };

/// Whether the payload's checksum is sent (plain TCP) or left to the layer below (TLS sends 0).
enum class PayloadCheck : std::uint8_t { kCrc32, kNone };

constexpr std::size_t kMagicBytes = 2;
constexpr std::string_view kFrameMagic{"\xae\x7d", kMagicBytes};
/// Stands instead of a magic; the receiver answers with the same two bytes and closes.
constexpr std::string_view kPoison{"\0\0", kMagicBytes};
constexpr std::size_t kFrameHeaderBytes = 18;
/// Magic and header.
constexpr std::size_t kFramePrefixBytes = kMagicBytes + kFrameHeaderBytes;

struct FrameHeader {
  FrameMethod method = FrameMethod::kMessageBatch;
  std::uint64_t payload_bytes = 0;
  std::uint32_t payload_crc = 0;
};

/// Magic and header for `payload`, which is sent behind it.
std::array<char, kFramePrefixBytes> EncodeFramePrefix(FrameMethod method, std::string_view payload,
                                                      PayloadCheck check);
/// The same for a payload of that size and CRC-32 (0 for PayloadCheck::kNone), maybe in pieces.
std::array<char, kFramePrefixBytes> EncodeFramePrefix(FrameMethod method,
                                                      std::uint64_t payload_bytes,
                                                      std::uint32_t payload_crc);

/// Reads the 18 bytes behind the magic. Refuses a wrong checksum, an unknown method, size 0 and a
/// size beyond `max_payload_bytes`.
Result<FrameHeader> DecodeFrameHeader(std::string_view header, std::uint64_t max_payload_bytes);

/// Whether `payload` has the checksum that its header gives; always with PayloadCheck::kNone.
bool PayloadMatches(const FrameHeader& header, std::string_view payload, PayloadCheck check);

}  // namespace drumbeat::codec
