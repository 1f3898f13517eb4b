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

// The length of the next pause stays: it is a dial that shows whether the claim was true.
void Breaker::Heard(Time now) {
  const Time allowed = std::max(now, heard_retry_at_ + kHeardPause);
  if (allowed < retry_at_) retry_at_ = heard_retry_at_ = allowed;
}

}  // namespace drumbeat::transport
