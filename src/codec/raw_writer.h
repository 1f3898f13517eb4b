// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/check.h"

// Writing where it has to be fast: the exact size is known first, then bytes are stored without
// asking for room. Every function returns the end of what it wrote.
namespace drumbeat::codec {

inline char* WriteVarint(char* at, std::uint64_t value) {
  while (value >= 0x80) {
    *at++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *at++ = static_cast<char>(value);
  return at;
}

inline char* WriteBig64(char* at, std::uint64_t value) {
  if constexpr (std::endian::native == std::endian::little) value = __builtin_bswap64(value);
  std::memcpy(at, &value, sizeof(value));
  return at + sizeof(value);
}

/// The length as a varint, then the bytes.
inline char* WriteBytes(char* at, std::string_view bytes) {
  at = WriteVarint(at, bytes.size());
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

/// Makes room for `size` bytes behind `out`, which `write` (from `char*` to their end) fills.
template <class Write>
void AppendExactly(std::string& out, std::size_t size, Write write) {
  const std::size_t before = out.size();
  std::size_t written = 0;
  // The length that libstdc++ 12 hands over is the capacity.
  out.resize_and_overwrite(before + size, [&](char* data, std::size_t) {
    written = static_cast<std::size_t>(write(data + before) - (data + before));
    return before + size;
  });
  DRUMBEAT_CHECK(written == size, "a record is as long as was computed before");
}

}  // namespace drumbeat::codec
