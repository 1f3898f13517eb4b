// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "storage/log_store.h"

namespace drumbeat::simulation {

/// Told of what a log store does.
class LogWatcher {
 public:
  virtual ~LogWatcher() = default;

  /// A write is about to begin.
  virtual void Saving() = 0;
  /// `update` is durable.
  virtual void Saved(const storage::ReplicaUpdate& update) = 0;
  /// It may or may not be.
  virtual void SaveFailed(const storage::ReplicaUpdate& update) = 0;
  /// Entries up to `through` were given up.
  virtual void Cut(const ReplicaRef& replica, Index through) = 0;
  /// A start of `replica` finds this.
  virtual void Loaded(const ReplicaRef& replica, const storage::StoredLog& log,
                      std::span<const raft::Entry> entries) = 0;
};

/// `store`, telling `watcher`, which outlives it.
std::unique_ptr<storage::LogStore> Watch(std::unique_ptr<storage::LogStore> store,
                                         LogWatcher& watcher);

}  // namespace drumbeat::simulation
