// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "transport/time.h"

namespace drumbeat::transport {

/// Keeps a flow of bytes to a rate. It lends: a piece goes out whole and at once when the bucket
/// is not in debt, and the next one waits until the debt is paid. So a frame that was begun is
/// never held up half way, where its receiver would lose patience.
class TokenBucket {
 public:
  /// `bytes_per_second` 0: no limit.
  explicit TokenBucket(std::uint64_t bytes_per_second) : rate_(bytes_per_second) {}

  /// When the next piece may go.
  Time free_at() const { return free_at_; }
  bool Free(Time now) const { return now >= free_at_; }
  /// A piece of `bytes` goes at `now`.
  void Take(std::uint64_t bytes, Time now);

 private:
  std::uint64_t rate_;
  Time free_at_ = Time::min();
};

}  // namespace drumbeat::transport
