// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace drumbeat::base {

/// Appends `value` in the byte order that the name says.
template <std::unsigned_integral T>
void AppendLittle(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}
template <std::unsigned_integral T>
void AppendBig(std::string& out, T value) {
  for (std::size_t i = sizeof(T); i-- > 0;) out.push_back(static_cast<char>(value >> (8 * i)));
}

/// Reads a number at `at`, which holds at least sizeof(T) bytes.
template <std::unsigned_integral T>
T LoadLittle(const char* at) {
  T value = 0;
  for (std::size_t i = sizeof(T); i-- > 0;) {
    value = static_cast<T>((value << 7 << 1) | static_cast<unsigned char>(at[i]));
  }
  return value;
}
template <std::unsigned_integral T>
T LoadBig(const char* at) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>((value << 7 << 1) | static_cast<unsigned char>(at[i]));
  }
  return value;
}

/// Appends `value` as a base-128 varint, 1 to 10 bytes (protobuf's).
inline void AppendVarint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

constexpr std::size_t VarintSize(std::uint64_t value) {
  return static_cast<std::size_t>(std::bit_width(value | 1) + 6) / 7;
}

/// Takes numbers and pieces off the front of a view; after the first failure every call fails.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool done() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  std::string_view Take(std::size_t length) {
    if (!ok_ || length > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view piece = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return piece;
  }
  template <std::unsigned_integral T>
  T Little() {
    const std::string_view piece = Take(sizeof(T));
    return ok_ ? LoadLittle<T>(piece.data()) : T{0};
  }
  template <std::unsigned_integral T>
  T Big() {
    const std::string_view piece = Take(sizeof(T));
    return ok_ ? LoadBig<T>(piece.data()) : T{0};
  }
  /// Refuses more than 10 bytes and bits beyond the 64th.
  std::uint64_t Varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 70 && ok_ && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      if (shift == 63 && byte > 1) break;
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    return 0;
  }
  /// A varint length and that many bytes.
  std::string_view LengthPrefixed() {
    const std::uint64_t length = Varint();
    if (!ok_ || length > rest_.size()) {
      ok_ = false;
      return {};
    }
    return Take(static_cast<std::size_t>(length));
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace drumbeat::base
