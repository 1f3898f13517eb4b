// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <tuple>

#include "drumbeat/types.h"

namespace drumbeat::raft {

/// Whether the unapplied part of the log has outgrown its limit, here or (for a leader) on a
/// member that reported it. It takes 7/10 of the limit on every one to lift it again.
class RateLimiter {
 public:
  /// 0: no limit.
  explicit RateLimiter(std::uint64_t max_bytes) : max_bytes_(max_bytes) {}

  bool enabled() const { return max_bytes_ != 0; }
  std::uint64_t max_bytes() const { return max_bytes_; }
  /// `own_bytes`: what the log holds here now.
  bool Limited(std::uint64_t own_bytes);
  /// The most that the log holds anywhere, as far as it is known.
  std::uint64_t Largest(std::uint64_t own_bytes) const;
  /// What a member reported. Sizes beyond 2^63 are a difference that went below zero.
  void Report(ReplicaId from, std::uint64_t bytes);
  /// Called every election timeout; reports of the fourth last one are forgotten.
  void Tick();
  /// Another term or role: the reports are void.
  void ForgetReports() { reports_.clear(); }

  /// All that it holds, to tell states apart.
  auto fields() const { return std::tie(tick_, limited_, reports_); }

 private:
  struct Size {
    std::uint64_t bytes = 0;
    std::uint64_t tick = 0;

    auto fields() const { return std::tie(bytes, tick); }
  };
  std::uint64_t max_bytes_;
  std::uint64_t tick_ = 0;
  bool limited_ = false;
  std::map<ReplicaId, Size> reports_;
};

}  // namespace drumbeat::raft
