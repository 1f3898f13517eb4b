// SPDX-License-Identifier: Apache-2.0
#include "node_host/work_pool.h"

#include <utility>

namespace drumbeat::node_host {

WorkPool::WorkPool(Scheduler& scheduler, const std::string& name, std::size_t tasks) {
  const base::MutexLock lock(mutex_);
  workers_.resize(tasks);
  for (std::size_t i = 0; i < tasks; ++i) {
    workers_[i].task = scheduler.Start(name + "-" + std::to_string(i), [this, i] { Pass(i); });
  }
}

WorkPool::~WorkPool() {
  std::vector<Worker> workers;
  {
    const base::MutexLock lock(mutex_);
    queue_.clear();
    for (Worker& worker : workers_) workers.push_back(std::move(worker));
  }
  workers.clear();  // waits for running passes
}

void WorkPool::Submit(std::shared_ptr<Runnable> work) {
  const base::MutexLock lock(mutex_);
  queue_.push_back(std::move(work));
  for (Worker& worker : workers_) {
    if (worker.idle && worker.task != nullptr) {
      worker.idle = false;
      worker.task->Wake();
      return;
    }
  }
}

std::shared_ptr<Runnable> WorkPool::Next(std::size_t worker) {
  const base::MutexLock lock(mutex_);
  if (queue_.empty()) {
    workers_[worker].idle = true;
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
    queue_.push_back(std::move(work));
  }
}

}  // namespace drumbeat::node_host
