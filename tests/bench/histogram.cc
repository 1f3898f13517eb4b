// SPDX-License-Identifier: Apache-2.0
#include "bench/histogram.h"

#include <algorithm>
#include <bit>

namespace drumbeat::bench {

namespace {

constexpr unsigned kLinearBits = 6;
constexpr std::uint64_t kLinear = std::uint64_t{1} << kLinearBits;

/// Buckets 0 to 63 hold one value each; then each power of two has 64 of equal width.
std::size_t BucketOf(std::uint64_t value) {
  if (value < kLinear) return static_cast<std::size_t>(value);
  const auto shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kLinearBits;
  return static_cast<std::size_t>((shift + 1) * kLinear + (value >> shift) - kLinear);
}

std::uint64_t LowerEnd(std::size_t bucket) {
  if (bucket < kLinear) return bucket;
  const std::size_t shift = bucket / kLinear - 1;
  return (bucket % kLinear + kLinear) << shift;
}

}  // namespace

Histogram::Histogram() : buckets_((64 - kLinearBits + 1) * kLinear) {}

void Histogram::Add(std::uint64_t ns, std::uint64_t times) {
  buckets_[BucketOf(ns)] += times;
  count_ += times;
  max_ = std::max(max_, ns);
}

std::uint64_t Histogram::Percentile(double percent) const {
  const auto wanted = static_cast<std::uint64_t>(percent / 100 * static_cast<double>(count_));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen > wanted) return LowerEnd(bucket);
  }
  return max_;
}

}  // namespace drumbeat::bench
