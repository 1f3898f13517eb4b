// SPDX-License-Identifier: Apache-2.0
#include "node_host/callback_queue.h"

#include <exception>
#include <string>
#include <utility>

namespace drumbeat::node_host {

void CallbackQueue::Start(Scheduler& scheduler) {
  task_ = scheduler.Start("db-callback", [this] { Drain(); });
  const base::MutexLock lock(mutex_);
  running_ = true;
}

void CallbackQueue::Stop() {
  {
    const base::MutexLock lock(mutex_);
    running_ = false;
  }
  task_->Stop();
  Drain();
}

void CallbackQueue::Run(std::move_only_function<void()> callback) {
  bool wake = false;
  {
    const base::MutexLock lock(mutex_);
    if (running_) {
      wake = queue_.empty() && batches_ == 0;
      queue_.push_back(std::move(callback));
    }
  }
  if (callback) {
    RunOne(callback);
  } else if (wake) {
    task_->Wake();
  }
}

void CallbackQueue::Hold() {
  const base::MutexLock lock(mutex_);
  ++batches_;
}

void CallbackQueue::Release() {
  bool wake = false;
  {
    const base::MutexLock lock(mutex_);
    --batches_;
    wake = running_ && !queue_.empty();
  }
  if (wake) task_->Wake();
}

void CallbackQueue::RunOne(std::move_only_function<void()>& callback) const {
  try {
    callback();
  } catch (const std::exception& problem) {
    logger_.Error(std::string("the callback of a request threw: ") + problem.what());
  } catch (...) {
    logger_.Error("the callback of a request threw something that is no std::exception");
  }
}

void CallbackQueue::Drain() {
  std::vector<std::move_only_function<void()>> batch;
  while (true) {
    {
      const base::MutexLock lock(mutex_);
      if (queue_.empty()) return;
      batch.swap(queue_);
    }
    for (auto& callback : batch) RunOne(callback);
    batch.clear();
  }
}

}  // namespace drumbeat::node_host
