// SPDX-License-Identifier: Apache-2.0
#include "simulation/watched_log.h"

#include <iterator>
#include <utility>
#include <vector>

namespace drumbeat::simulation {
namespace {

using storage::ReplicaUpdate;
using storage::StoredLog;

class WatchedLog : public storage::LogStore {
 public:
  WatchedLog(std::unique_ptr<LogStore> store, LogWatcher& watcher)
      : store_(std::move(store)), watcher_(watcher) {}

  Result<void> Save(std::span<const ReplicaUpdate> updates) override {
    watcher_.Saving();
    Result<void> saved = store_->Save(updates);
    for (const ReplicaUpdate& update : updates) {
      saved ? watcher_.Saved(update) : watcher_.SaveFailed(update);
    }
    return saved;
  }
  Result<void> CutThrough(const ReplicaRef& replica, Index index) override {
    Result<void> cut = store_->CutThrough(replica, index);
    if (cut) watcher_.Cut(replica, index);
    return cut;
  }
  Result<StoredLog> Load(const ReplicaRef& replica) override {
    Result<StoredLog> log = store_->Load(replica);
    if (!log) return log;
    std::vector<raft::Entry> entries;
    for (Index next = log->first; next <= log->last; next = entries.back().index + 1) {
      auto some = store_->Read(replica, next, log->last + 1, 1u << 20);
      if (!some) return log;  // Whoever loads it reads the same, and says so.
      entries.insert(entries.end(), std::make_move_iterator(some->begin()),
                     std::make_move_iterator(some->end()));
    }
    watcher_.Loaded(replica, *log, entries);
    return log;
  }

  Result<std::vector<raft::Entry>> Read(const ReplicaRef& replica, Index first, Index end,
                                        std::uint64_t max_bytes) override {
    return store_->Read(replica, first, end, max_bytes);
  }
  Result<void> SaveBootstrap(const ReplicaRef& replica, const codec::Bootstrap& record) override {
    return store_->SaveBootstrap(replica, record);
  }
  Result<std::optional<codec::Bootstrap>> LoadBootstrap(const ReplicaRef& replica) override {
    return store_->LoadBootstrap(replica);
  }
  Result<std::vector<ReplicaRef>> List() override { return store_->List(); }
  Result<std::vector<ReplicaRef>> List(ShardId shard) override { return store_->List(shard); }
  Result<void> Remove(const ReplicaRef& replica) override { return store_->Remove(replica); }
  Result<bool> WasRemoved(const ReplicaRef& replica) override {
    return store_->WasRemoved(replica);
  }

 private:
  const std::unique_ptr<LogStore> store_;
  LogWatcher& watcher_;
};

}  // namespace

std::unique_ptr<storage::LogStore> Watch(std::unique_ptr<storage::LogStore> store,
                                         LogWatcher& watcher) {
  return std::make_unique<WatchedLog>(std::move(store), watcher);
}

}  // namespace drumbeat::simulation
