// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "drumbeat/request.h"

#include "base/mutex.h"
#include "logging/logger.h"
#include "node_host/scheduler.h"

namespace drumbeat::node_host {

/// Runs the callbacks of completed requests, one after the other, on a task that does nothing
/// else. Requests may outlive the host: after Stop() callbacks run where they are handed in. What a
/// callback throws is logged and dropped.
/// Thread-safety: all functions from any thread.
class CallbackQueue : public internal::CallbackExecutor {
 public:
  explicit CallbackQueue(const logging::Logger& logger) : logger_(logger) {}

  void Start(Scheduler& scheduler);
  /// Runs what is left and ends the task.
  void Stop();

  void Run(std::move_only_function<void()> callback) override;

  /// While it lives, callbacks that are handed in gather; at its end they begin to run. So the
  /// callbacks of one batch of applied entries wake their task once, and what they propose next
  /// comes as one batch, too. For moments, not for waits.
  class Batch {
   public:
    explicit Batch(CallbackQueue& queue) : queue_(queue) { queue_.Hold(); }
    ~Batch() { queue_.Release(); }
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;

   private:
    CallbackQueue& queue_;
  };

 private:
  void Drain();
  void RunOne(std::move_only_function<void()>& callback) const;
  void Hold();
  void Release();

  const logging::Logger logger_;
  std::unique_ptr<Task> task_;
  base::Mutex mutex_;
  int batches_ DRUMBEAT_GUARDED_BY(mutex_) = 0;
  bool running_ DRUMBEAT_GUARDED_BY(mutex_) = false;
  std::vector<std::move_only_function<void()>> queue_ DRUMBEAT_GUARDED_BY(mutex_);
};

}  // namespace drumbeat::node_host
