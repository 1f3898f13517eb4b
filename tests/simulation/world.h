// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <queue>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/random.h"
#include "simulation/happenings.h"

namespace drumbeat::simulation {

using std::chrono::microseconds;

/// A promise that drumbeat broke; ends the run.
class Violation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Virtual time, dice and everything that is still to happen. One seed decides all of it.
class World {
 public:
  /// More than this never waits to happen at once: whoever asks for it piles something up.
  static constexpr std::size_t kMaxPending = 50'000;

  explicit World(std::uint64_t seed) : random(seed) {}

  /// Runs `event` in `delay` from now; events of the same moment in the order of their making.
  void After(microseconds delay, std::function<void()> event);
  /// Runs what happens until `end`. Throws the first Violation.
  void RunUntil(microseconds end);
  microseconds now() const { return now_; }

  /// A promise was broken, seen at a place that must not throw; RunUntil() throws it.
  void Broken(const std::string& what) {
    if (broken_.empty()) broken_ = what;
  }

  /// True in `percent` of 100 cases.
  bool Chance(std::uint64_t percent) { return random.Below(100) < percent; }
  microseconds Between(microseconds low, microseconds high);

  /// Goes into the hash of the run: equal seeds must give equal hashes.
  void Trace(std::uint64_t what) { trace_ = (trace_ ^ what) * 0x100000001b3u; }
  std::uint64_t trace() const { return trace_; }
  std::uint64_t events() const { return done_; }

  void Count(Happening happening) { happenings_.Add(happening); }
  const Happenings& happenings() const { return happenings_; }

  base::Random random;

 private:
  struct Event {
    microseconds at;
    std::uint64_t number;
    std::function<void()> run;
    bool operator<(const Event& other) const {
      return at != other.at ? at > other.at : number > other.number;
    }
  };

  microseconds now_{0};
  std::string broken_;
  std::uint64_t made_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t trace_ = 0xcbf29ce484222325u;
  Happenings happenings_;
  std::priority_queue<Event> queue_;
};

}  // namespace drumbeat::simulation
