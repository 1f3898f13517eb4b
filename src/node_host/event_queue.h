// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "drumbeat/event_listener.h"

#include "base/mutex.h"
#include "logging/logger.h"
#include "node_host/scheduler.h"

namespace drumbeat::node_host {

/// Tells a listener what happened, on a task of its own, so that a slow one delays nobody.
/// Thread-safety: Post() from any thread.
class EventQueue {
 public:
  /// `listener` may be null.
  EventQueue(Scheduler& scheduler, std::shared_ptr<EventListener> listener,
             const logging::Logger& logger);
  ~EventQueue();

  /// Tells what is left; what is posted later is not told.
  void Stop();
  void Post(std::function<void(EventListener&)> event);

 private:
  void Drain();

  static constexpr std::size_t kMaxWaiting = 10'000;

  const std::shared_ptr<EventListener> listener_;
  const logging::Logger logger_;
  base::Mutex mutex_;
  std::vector<std::function<void(EventListener&)>> queue_ DRUMBEAT_GUARDED_BY(mutex_);
  std::size_t lost_ DRUMBEAT_GUARDED_BY(mutex_) = 0;
  bool stopped_ DRUMBEAT_GUARDED_BY(mutex_) = false;
  std::unique_ptr<Task> task_;
};

}  // namespace drumbeat::node_host
