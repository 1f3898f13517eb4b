// SPDX-License-Identifier: Apache-2.0
#include "simulation/world.h"

#include <utility>

namespace drumbeat::simulation {

void World::After(microseconds delay, std::function<void()> event) {
  queue_.push({now_ + delay, made_++, std::move(event)});
  if (queue_.size() > kMaxPending) Broken("events and messages pile up without bound");
}

void World::RunUntil(microseconds end) {
  while (!queue_.empty() && queue_.top().at <= end) {
    // The queue only hands out constant views of what it is about to drop.
    std::function<void()> run = std::move(const_cast<Event&>(queue_.top()).run);
    now_ = queue_.top().at;
    queue_.pop();
    ++done_;
    run();
    if (!broken_.empty()) throw Violation(broken_);
  }
  now_ = end;
}

microseconds World::Between(microseconds low, microseconds high) {
  const auto span = static_cast<std::uint64_t>((high - low).count());
  return low + microseconds(random.Below(span + 1));
}

}  // namespace drumbeat::simulation
