// SPDX-License-Identifier: Apache-2.0
#include "raft/rate_limit.h"

#include <algorithm>

namespace drumbeat::raft {
namespace {

constexpr std::uint64_t kReportLifetimeTicks = 3;
constexpr std::uint64_t kLargestCredible = std::uint64_t{1} << 63;

}  // namespace

bool RateLimiter::Limited(std::uint64_t own_bytes) {
  if (!enabled()) return false;
  const std::uint64_t largest = Largest(own_bytes);
  if (largest > max_bytes_) {
    limited_ = true;
  } else if (largest < max_bytes_ - max_bytes_ / 10 * 3) {
    limited_ = false;
  }
  return limited_;
}

std::uint64_t RateLimiter::Largest(std::uint64_t own_bytes) const {
  std::uint64_t largest = own_bytes;
  for (const auto& [from, report] : reports_) largest = std::max(largest, report.bytes);
  return largest;
}

void RateLimiter::Report(ReplicaId from, std::uint64_t bytes) {
  if (!enabled() || bytes > kLargestCredible) return;
  reports_[from] = {.bytes = bytes, .tick = tick_};
}

void RateLimiter::Tick() {
  ++tick_;
  std::erase_if(reports_,
                [this](const auto& r) { return tick_ - r.second.tick > kReportLifetimeTicks; });
}

}  // namespace drumbeat::raft
