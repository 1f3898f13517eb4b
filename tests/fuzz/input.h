// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace drumbeat::fuzz {

/// Hands out a fuzzer's bytes as choices, from the front. When they are used up every choice is 0,
/// so that any input means something and a shorter one means the same with less.
class Input {
 public:
  explicit Input(std::string_view bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }

  std::uint8_t Byte() {
    if (bytes_.empty()) return 0;
    const auto byte = static_cast<std::uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return byte;
  }
  bool Bool() { return (Byte() & 1) != 0; }
  /// 0 to `bound` - 1, which is at most 255.
  std::uint8_t Below(std::uint8_t bound) { return static_cast<std::uint8_t>(Byte() % bound); }
  /// True in one of `denominator` cases.
  bool OneIn(std::uint8_t denominator) { return Below(denominator) == 1; }
  /// Eight bytes, the lowest first.
  std::uint64_t Number() {
    std::uint64_t number = 0;
    for (int shift = 0; shift < 64; shift += 8) number |= std::uint64_t{Byte()} << shift;
    return number;
  }
  /// A text of up to 255 bytes.
  std::string_view Text() { return Take(Byte()); }
  /// What is left, but at most `count` bytes.
  std::string_view Take(std::size_t count) {
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view Rest() { return Take(bytes_.size()); }

 private:
  std::string_view bytes_;
};

}  // namespace drumbeat::fuzz
