// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <tuple>

namespace drumbeat::raft {

/// Decides when an idle replica falls asleep (no elections, no heartbeats) and wakes up.
class Quiescence {
 public:
  Quiescence(bool enabled, std::uint64_t election_ticks)
      : enabled_(enabled), nap_ticks_(2 * election_ticks), idle_ticks_(20 * election_ticks) {}

  bool asleep() const { return asleep_; }

  /// One period. `may_sleep`: nothing is going on that needs the clock. Returns whether it just
  /// fell asleep; the other voters are then to be told.
  bool Tick(bool may_sleep);
  /// A member says that it fell asleep. Returns as Tick(); refused shortly after waking up.
  bool OnNotice(bool may_sleep);
  /// Something happened. Returns whether it just woke up.
  bool OnActivity();
  /// A heartbeat without a read, or its answer: may be a late one from before falling asleep.
  /// Returns whether it just woke up.
  bool OnPlainHeartbeat();

  /// All that it holds, to tell states apart.
  auto fields() const { return std::tie(asleep_, now_, last_activity_, slept_at_, woke_at_); }

 private:
  bool FallAsleep();

  bool enabled_;
  std::uint64_t nap_ticks_;
  std::uint64_t idle_ticks_;
  bool asleep_ = false;
  std::uint64_t now_ = 0;
  std::uint64_t last_activity_ = 0;
  std::uint64_t slept_at_ = 0;
  std::uint64_t woke_at_ = 0;
};

}  // namespace drumbeat::raft
