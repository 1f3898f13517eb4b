// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "node_host/scheduler.h"

namespace drumbeat::node_host {

/// Something with work to do, such as one replica's state machine. Whoever submits it makes sure
/// that it is in at most one pool, at most once.
class Runnable {
 public:
  virtual ~Runnable() = default;
  /// Does a bounded amount of work. True: there is more, put it at the end of the queue again.
  virtual bool Run() = 0;
};

/// A few tasks that take turns with what is submitted, first come first served, so that one slow
/// runnable holds up one task and not the others.
/// Thread-safety: all functions from any thread.
class WorkPool {
 public:
  WorkPool(Scheduler& scheduler, const std::string& name, std::size_t tasks);
  ~WorkPool();
  WorkPool(const WorkPool&) = delete;
  WorkPool& operator=(const WorkPool&) = delete;

  /// After Stop() it is dropped.
  void Submit(std::shared_ptr<Runnable> work);
  /// Waits for what runs; what is left is dropped. Not from inside it.
  void Stop();

 private:
  void Pass(std::size_t worker);
  std::shared_ptr<Runnable> Next(std::size_t worker) DRUMBEAT_EXCLUDES(mutex_);

  base::Mutex mutex_;
  std::deque<std::shared_ptr<Runnable>> queue_ DRUMBEAT_GUARDED_BY(mutex_);
  /// By worker.
  std::vector<bool> idle_ DRUMBEAT_GUARDED_BY(mutex_);
  bool stopped_ DRUMBEAT_GUARDED_BY(mutex_) = false;
  std::vector<std::unique_ptr<Task>> tasks_;
};

}  // namespace drumbeat::node_host
