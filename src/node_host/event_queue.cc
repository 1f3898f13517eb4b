// SPDX-License-Identifier: Apache-2.0
#include "node_host/event_queue.h"

#include <exception>
#include <string>
#include <utility>

namespace drumbeat::node_host {

EventQueue::EventQueue(Scheduler& scheduler, std::shared_ptr<EventListener> listener,
                       const logging::Logger& logger)
    : listener_(std::move(listener)), logger_(logger) {
  if (listener_ != nullptr) task_ = scheduler.Start("db-events", [this] { Drain(); });
}

EventQueue::~EventQueue() { Stop(); }

void EventQueue::Stop() {
  if (task_ == nullptr) return;
  task_->Stop();
  Drain();
  const base::MutexLock lock(mutex_);
  stopped_ = true;
  queue_.clear();
}

void EventQueue::Post(std::function<void(EventListener&)> event) {
  if (task_ == nullptr) return;
  {
    const base::MutexLock lock(mutex_);
    if (stopped_) return;
    if (queue_.size() >= kMaxWaiting) {
      ++lost_;
      return;
    }
    queue_.push_back(std::move(event));
  }
  task_->Wake();
}

void EventQueue::Drain() {
  std::vector<std::function<void(EventListener&)>> batch;
  std::size_t lost = 0;
  while (true) {
    {
      const base::MutexLock lock(mutex_);
      if (queue_.empty()) return;
      batch.swap(queue_);
      lost = std::exchange(lost_, 0);
    }
    if (lost > 0) {
      logger_.Warning("the event listener is too slow, events lost: " + std::to_string(lost));
    }
    for (auto& event : batch) {
      try {
        event(*listener_);
      } catch (const std::exception& problem) {
        logger_.Error(std::string("the event listener threw: ") + problem.what());
      } catch (...) {
        logger_.Error("the event listener threw");
      }
    }
    batch.clear();
  }
}

}  // namespace drumbeat::node_host
