// SPDX-License-Identifier: Apache-2.0
#include "node_host/engine.h"

#include <utility>

namespace drumbeat::node_host {

EngineWorker::EngineWorker(const Services& services, const std::string& name,
                           std::function<void(const std::shared_ptr<Replica>&)> raft_ended)
    : services_(services),
      raft_ended_(std::move(raft_ended)),
      task_(services.scheduler.Start(name, [this] { Pass(); })) {}

void EngineWorker::Notify(const std::shared_ptr<Replica>& replica) {
  if (replica->queued.exchange(true)) return;
  bool was_empty = false;
  {
    const base::MutexLock lock(mutex_);
    was_empty = ready_.empty();
    ready_.push_back(replica);
  }
  if (was_empty) task_->Wake();
}

void EngineWorker::Pass() {
  while (true) {
    {
      const base::MutexLock lock(mutex_);
      if (ready_.empty()) return;
      active_.swap(ready_);
    }
    for (const std::shared_ptr<Replica>& replica : active_) {
      replica->queued.store(false);
      if (replica->raft_over) continue;
      if (replica->raft().TakeInputs()) continue;
      replica->raft_over = true;
      replica->raft().AddLastUpdate(updates_);
      ended_.push_back(replica);
    }
    End();
    Round();
    active_.clear();
  }
}

void EngineWorker::End() {
  (void)Save();
  for (const auto& replica : ended_) raft_ended_(replica);
  ended_.clear();
}

void EngineWorker::Round() {
  while (!active_.empty()) {
    writing_.clear();
    for (std::shared_ptr<Replica>& replica : active_) {
      if (!replica->raft_over && replica->raft().TakeOutput()) {
        writing_.push_back(std::move(replica));
      }
    }
    for (const auto& replica : writing_) replica->raft().ApplyDurable();
    for (const auto& replica : writing_) replica->raft().SendNow();
    services_.transport.Flush();
    for (const auto& replica : writing_) replica->raft().AddUpdate(updates_);
    if (!Save()) break;
    for (const auto& replica : writing_) replica->raft().Finish();
    services_.transport.Flush();
    for (const auto& replica : writing_) {
      // Its end is noticed, and told, by the next TakeInputs().
      if (replica->state().stopped()) Notify(replica);
    }
    active_.swap(writing_);
  }
  // Nothing of those that have stopped is kept until there is work again.
  writing_.clear();
}

bool EngineWorker::Save() {
  if (updates_.empty()) return true;
  const Result<void> saved = services_.log_store.Save(updates_);
  updates_.clear();
  if (saved) return true;
  services_.fail_host(saved.error());
  return false;
}

}  // namespace drumbeat::node_host
