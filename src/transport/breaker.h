// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

#include "base/random.h"
#include "transport/time.h"

namespace drumbeat::transport {

/// Says when an address may be dialled (again). One per address, shared by messages and snapshots:
/// who cannot be reached for one cannot be reached for the other.
///
/// Pauses as Dragonboat's: 0.5 s, growing by half with each failure in a row to 1 s, each drawn
/// from half to one and a half of that so that hosts do not come back in step. A peer that speaks
/// is up, so hearing of it ends the pause. That it is that peer is only a claim: whoever makes it
/// falsely causes a dial each kHeardPause at most.
class Breaker {
 public:
  static constexpr Duration kFirstPause = std::chrono::milliseconds(500);
  static constexpr Duration kLongestPause = std::chrono::seconds(1);
  static constexpr Duration kHeardPause = std::chrono::milliseconds(200);

  explicit Breaker(std::uint64_t seed) : random_(seed) {}

  bool Allows(Time now) const { return now >= retry_at_; }
  /// From here on a dial is allowed.
  Time retry_at() const { return retry_at_; }

  void Failed(Time now);
  void Succeeded();
  /// A message came from this address, or so it says.
  void Heard(Time now);

 private:
  base::Random random_;
  Duration pause_ = kFirstPause;
  Time retry_at_ = Time::min();
  /// When the last dial was allowed because something was heard.
  Time heard_retry_at_ = Time::min();
};

}  // namespace drumbeat::transport
