// SPDX-License-Identifier: Apache-2.0
#include "transport/token_bucket.h"

#include <algorithm>

namespace drumbeat::transport {

void TokenBucket::Take(std::uint64_t bytes, Time now) {
  if (rate_ == 0) return;
  const double seconds = static_cast<double>(bytes) / static_cast<double>(rate_);
  // A day is as good as for ever, and keeps the sum inside what a Duration holds.
  const auto pause = std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(std::min(seconds, 86400.0)));
  free_at_ = std::max(free_at_, now) + pause;
}

}  // namespace drumbeat::transport
