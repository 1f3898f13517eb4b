// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include <bit>
#include <cstddef>
#include <sys/random.h>

#include "base/check.h"

namespace drumbeat::base {
namespace {

std::uint64_t SplitMix(std::uint64_t& state) {
  std::uint64_t value = (state += 0x9e3779b97f4a7c15u);
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

}  // namespace

Random::Random(std::uint64_t seed) {
  for (std::uint64_t& word : state_) word = SplitMix(seed);
}

std::uint64_t Random::Next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Random::Below(std::uint64_t bound) {
  // Lemire's multiplication; the bias is below 2^-32 for the bounds in use.
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<Wide>(Next()) * bound) >> 64);
}

std::uint64_t SystemRandom() {
  std::uint64_t value = 0;
  std::size_t have = 0;
  while (have < sizeof(value)) {
    const ssize_t got =
        ::getrandom(reinterpret_cast<char*>(&value) + have, sizeof(value) - have, 0);
    if (got > 0) have += static_cast<std::size_t>(got);
  }
  return value;
}

std::string MakeUuid() {
  constexpr char kDigits[] = "0123456789abcdef";
  std::uint64_t high = SystemRandom();
  std::uint64_t low = SystemRandom();
  high = (high & ~std::uint64_t{0xf000}) | 0x4000;
  low = (low & ~(std::uint64_t{3} << 62)) | (std::uint64_t{2} << 62);
  std::string text;
  for (int nibble = 0; nibble < 32; ++nibble) {
    if (nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20) text.push_back('-');
    const std::uint64_t word = nibble < 16 ? high : low;
    text.push_back(kDigits[(word >> (60 - 4 * (nibble % 16))) & 0xf]);
  }
  return text;
}

}  // namespace drumbeat::base
