// SPDX-License-Identifier: Apache-2.0
#include "transport/receive_turns.h"

#include <algorithm>

namespace drumbeat::transport {

ReceiveTurns::ReceiveTurns(std::uint64_t bytes_per_second)
    : limit_(bytes_per_second == 0
                 ? 0
                 : std::max<std::uint64_t>(bytes_per_second / kStreamBytesPerSecond, 1)) {}

std::uint64_t ReceiveTurns::RateFor(std::uint64_t bytes_per_second) {
  return bytes_per_second == 0 ? 0 : std::max(bytes_per_second, kMinBytesPerSecond);
}

bool ReceiveTurns::Take(const void* stream, Time now) {
  if (limit_ == 0) return true;
  if (!Free(stream, now)) return false;
  if (!last_used_.contains(stream) && last_used_.size() >= limit_) {
    std::erase_if(last_used_, [&](const auto& turn) { return now - turn.second > kIdleLimit; });
  }
  last_used_[stream] = now;
  return true;
}

bool ReceiveTurns::Free(const void* stream, Time now) const {
  return limit_ == 0 || last_used_.contains(stream) || CountBusy(now) < limit_;
}

std::size_t ReceiveTurns::CountBusy(Time now) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      last_used_, [&](const auto& turn) { return now - turn.second <= kIdleLimit; }));
}

}  // namespace drumbeat::transport
