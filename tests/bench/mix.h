// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace drumbeat::bench {

/// Chains a hash over `bytes`, eight at a time; cheap next to everything that is measured.
inline std::uint64_t Mix(std::uint64_t hash, std::string_view bytes) {
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;
  while (!bytes.empty()) {
    std::uint64_t word = 0;
    const std::size_t take = bytes.size() < sizeof word ? bytes.size() : sizeof word;
    std::memcpy(&word, bytes.data(), take);
    hash = std::rotl((hash ^ word) * kOdd, 29);
    bytes.remove_prefix(take);
  }
  return hash;
}

/// A checksum over `bytes` in four independent lanes, so that memory is the limit.
inline std::uint64_t Checksum(std::string_view bytes) {
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;
  std::uint64_t lanes[4] = {1, 2, 3, 4};
  for (; bytes.size() >= sizeof lanes; bytes.remove_prefix(sizeof lanes)) {
    std::uint64_t words[4];
    std::memcpy(words, bytes.data(), sizeof words);
    for (int i = 0; i < 4; ++i) lanes[i] = std::rotl((lanes[i] ^ words[i]) * kOdd, 29);
  }
  std::uint64_t sum = 0;
  for (const std::uint64_t lane : lanes) sum = std::rotl((sum ^ lane) * kOdd, 29);
  return Mix(sum, bytes);
}

}  // namespace drumbeat::bench
