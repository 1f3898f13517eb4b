// SPDX-License-Identifier: Apache-2.0
#include "transport/breaker.h"

#include <algorithm>

namespace drumbeat::transport {

void Breaker::Failed(Time now) {
  const auto spread = static_cast<std::uint64_t>(pause_.count());
  retry_at_ = now + pause_ / 2 + Duration(static_cast<Duration::rep>(random_.Below(spread + 1)));
  pause_ = std::min(pause_ + pause_ / 2, kLongestPause);
}

void Breaker::Succeeded() {
  pause_ = kFirstPause;
  retry_at_ = Time::min();
}

}  // namespace drumbeat::transport
