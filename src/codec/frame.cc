// SPDX-License-Identifier: Apache-2.0
#include "codec/frame.h"

#include <algorithm>
#include <concepts>
#include <string>

#include "base/byte_coding.h"
#include "base/crc.h"

namespace drumbeat::codec {
namespace {

constexpr std::size_t kSizeOffset = 2;
constexpr std::size_t kHeaderCrcOffset = 10;
constexpr std::size_t kPayloadCrcOffset = 14;

template <std::unsigned_integral T>
void StoreBig(char* at, T value) {
  for (std::size_t i = sizeof(T); i-- > 0;) *at++ = static_cast<char>(value >> (8 * i));
}

/// CRC-32 of the header with its own field taken as zero.
std::uint32_t HeaderCrc(std::string_view header) {
  constexpr std::string_view kZero("\0\0\0\0", 4);
  const std::uint32_t front = base::Crc32(header.substr(0, kHeaderCrcOffset));
  return base::Crc32(header.substr(kHeaderCrcOffset + 4), base::Crc32(kZero, front));
}

}  // namespace

std::array<char, kFramePrefixBytes> EncodeFramePrefix(FrameMethod method, std::string_view payload,
                                                      PayloadCheck check) {
  const std::uint32_t payload_crc = check == PayloadCheck::kCrc32 ? base::Crc32(payload) : 0;
  return EncodeFramePrefix(method, payload.size(), payload_crc);
}

std::array<char, kFramePrefixBytes> EncodeFramePrefix(FrameMethod method,
                                                      std::uint64_t payload_bytes,
                                                      std::uint32_t payload_crc) {
  std::array<char, kFramePrefixBytes> prefix;
  char* header = std::ranges::copy(kFrameMagic, prefix.begin()).out;
  StoreBig(header, static_cast<std::uint16_t>(method));
  StoreBig(header + kSizeOffset, payload_bytes);
  StoreBig(header + kPayloadCrcOffset, payload_crc);
  StoreBig(header + kHeaderCrcOffset, HeaderCrc({header, kFrameHeaderBytes}));
  return prefix;
}

Result<FrameHeader> DecodeFrameHeader(std::string_view header, std::uint64_t max_payload_bytes) {
  if (header.size() != kFrameHeaderBytes) {
    return Fail(ErrorCode::kInvalidArgument, "a frame header has 18 bytes");
  }
  base::ByteReader reader(header);
  const auto method = reader.Big<std::uint16_t>();
  const auto payload_bytes = reader.Big<std::uint64_t>();
  const auto header_crc = reader.Big<std::uint32_t>();
  const auto payload_crc = reader.Big<std::uint32_t>();
  if (header_crc != HeaderCrc(header)) {
    return Fail(ErrorCode::kInvalidArgument, "the frame header's checksum is wrong");
  }
  if (method != static_cast<std::uint16_t>(FrameMethod::kMessageBatch) &&
      method != static_cast<std::uint16_t>(FrameMethod::kSnapshotChunk)) {
    return Fail(ErrorCode::kInvalidArgument, "unknown frame method " + std::to_string(method));
  }
  if (payload_bytes == 0 || payload_bytes > max_payload_bytes) {
    return Fail(ErrorCode::kInvalidArgument,
                "frame size " + std::to_string(payload_bytes) + " is out of bounds");
  }
  return FrameHeader{.method = static_cast<FrameMethod>(method),
                     .payload_bytes = payload_bytes,
                     .payload_crc = payload_crc};
}

bool PayloadMatches(const FrameHeader& header, std::string_view payload, PayloadCheck check) {
  if (payload.size() != header.payload_bytes) return false;
  return check == PayloadCheck::kNone || base::Crc32(payload) == header.payload_crc;
}

}  // namespace drumbeat::codec
