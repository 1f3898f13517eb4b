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
  if (!Free(stream, now)) return false;
  if (!last_used_.contains(stream)) {
    std::erase_if(last_used_, [&](const auto& turn) { return now - turn.second > kIdleLimit; });
  }
  last_used_[stream] = now;
  return true;
}

bool ReceiveTurns::Free(const void* stream, Time now) const {
  if (last_used_.contains(stream)) return true;
  const std::size_t busy = CountBusy(now);
  if (limit_ != 0) return busy < limit_;
  return busy == 0 || a_chunk_ * static_cast<Duration::rep>(busy + 1) <= kMostAChunk;
}

void ReceiveTurns::Handled(Duration took, Time now) {
  const auto busy = static_cast<Duration::rep>(std::max<std::size_t>(CountBusy(now), 1));
  a_chunk_ += (took / busy - a_chunk_) / 4;
}

std::size_t ReceiveTurns::CountBusy(Time now) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      last_used_, [&](const auto& turn) { return now - turn.second <= kIdleLimit; }));
}

}  // namespace drumbeat::transport
