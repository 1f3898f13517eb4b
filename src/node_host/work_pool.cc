// SPDX-License-Identifier: Apache-2.0
#include "node_host/work_pool.h"

#include <algorithm>
#include <utility>

namespace drumbeat::node_host {

WorkPool::WorkPool(Scheduler& scheduler, const std::string& name, std::size_t tasks)
    : idle_(tasks, true) {
  for (std::size_t i = 0; i < tasks; ++i) {
    tasks_.push_back(scheduler.Start(name + "-" + std::to_string(i), [this, i] { Pass(i); }));
  }
}

WorkPool::~WorkPool() { Stop(); }

void WorkPool::Stop() {
  std::deque<std::shared_ptr<Runnable>> dropped;
  {
    const base::MutexLock lock(mutex_);
    stopped_ = true;
    dropped.swap(queue_);
  }
  for (const std::unique_ptr<Task>& task : tasks_) task->Stop();
}

void WorkPool::Submit(std::shared_ptr<Runnable> work) {
  const base::MutexLock lock(mutex_);
  if (stopped_) return;
  queue_.push_back(std::move(work));
  const auto idle = std::ranges::find(idle_, true);
  if (idle == idle_.end()) return;
  *idle = false;
  tasks_[static_cast<std::size_t>(idle - idle_.begin())]->Wake();
}

std::shared_ptr<Runnable> WorkPool::Next(std::size_t worker) {
  const base::MutexLock lock(mutex_);
  if (queue_.empty()) {
    idle_[worker] = true;
    return nullptr;
  }
  std::shared_ptr<Runnable> work = std::move(queue_.front());
  queue_.pop_front();
  return work;
}

void WorkPool::Pass(std::size_t worker) {
  while (std::shared_ptr<Runnable> work = Next(worker)) {
    if (!work->Run()) continue;
    const base::MutexLock lock(mutex_);
    if (!stopped_) queue_.push_back(std::move(work));
  }
}

}  // namespace drumbeat::node_host
