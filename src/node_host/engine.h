// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "node_host/replica.h"
#include "node_host/scheduler.h"
#include "node_host/services.h"

namespace drumbeat::node_host {

/// Steps the Rafts of a fixed part of the shards: takes the inputs of all that are ready, hands
/// over what clients wait for and sends what needs no write, saves all their outputs in one write,
/// sends and hands over the rest, repeats.
/// What arrives during a write is taken up by the next round: that is the group commit.
class EngineWorker {
 public:
  /// `raft_ended`: told once of each replica whose Raft has come to its end.
  EngineWorker(const Services& services, const std::string& name,
               std::function<void(const std::shared_ptr<Replica>&)> raft_ended);

  /// `replica` has something in its inbox. From any thread.
  void Notify(const std::shared_ptr<Replica>& replica);
  /// Ends the task; no step runs afterwards.
  void Stop() { task_->Stop(); }

 private:
  using Replicas = std::vector<std::shared_ptr<Replica>>;

  void Pass();
  /// Writes what those in `ended_` had put off, then tells of their end.
  void End();
  /// One round over `active_`; those that owe more stay in it.
  void Round();
  /// Writes `updates_`. False: that failed, and with it the host.
  bool Save();

  const Services& services_;
  const std::function<void(const std::shared_ptr<Replica>&)> raft_ended_;
  base::Mutex mutex_;
  Replicas ready_ DRUMBEAT_GUARDED_BY(mutex_);
  /// Only in Pass():
  Replicas active_;
  Replicas writing_;
  Replicas ended_;
  std::vector<storage::ReplicaUpdate> updates_;
  std::unique_ptr<Task> task_;
};

}  // namespace drumbeat::node_host
