// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "transport/time.h"

namespace drumbeat::transport {

/// Holds down lines that strangers can cause: a few at once, then one now and then.
class LogLimiter {
 public:
  static constexpr std::uint64_t kBurst = 5;
  static constexpr Duration kPeriod = std::chrono::seconds(10);

  /// Whether to write a line now; then, how many were left out since the last one.
  std::optional<std::uint64_t> Allow(Time now) {
    if (now >= period_end_) {
      period_end_ = now + kPeriod;
      written_ = 0;
    }
    if (written_ == kBurst) {
      ++left_out_;
      return std::nullopt;
    }
    ++written_;
    const std::uint64_t left_out = left_out_;
    left_out_ = 0;
    return left_out;
  }

 private:
  Time period_end_ = Time::min();
  std::uint64_t written_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace drumbeat::transport
