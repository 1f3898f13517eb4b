// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace drumbeat::base {

/// A seeded source of numbers, the same on every platform. Not for secrets.
/// Source: Blackman and Vigna 2018, xoshiro256**; seeded by splitmix64.
class Random {
 public:
  using result_type = std::uint64_t;
  explicit Random(std::uint64_t seed);

  std::uint64_t Next();
  /// 0 to `bound` - 1; `bound` is at least 1.
  std::uint64_t Below(std::uint64_t bound);
  /// True in one of `denominator` cases.
  bool OneIn(std::uint64_t denominator) { return Below(denominator) == 0; }

  static constexpr std::uint64_t min() { return 0; }
  static constexpr std::uint64_t max() { return ~std::uint64_t{0}; }
  std::uint64_t operator()() { return Next(); }

 private:
  std::uint64_t state_[4];
};

/// A number from the operating system's generator, for ids that must not collide.
std::uint64_t SystemRandom();

/// A version 4 UUID in lower-case hyphenated text, from the operating system's generator.
std::string MakeUuid();

}  // namespace drumbeat::base
