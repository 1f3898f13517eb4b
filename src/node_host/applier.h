// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <any>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <variant>
#include <vector>

#include "drumbeat/snapshot.h"

#include "base/mutex.h"
#include "node_host/replica_state.h"
#include "node_host/work_pool.h"
#include "raft/entry.h"
#include "state_machine/runtime.h"

namespace drumbeat::node_host {

/// The side of a replica that runs its state machine: applies what was committed, answers reads,
/// takes and restores snapshots. What it does is queued and done in order, in the apply pool;
/// snapshots move over to the snapshot pool while they last.
///
/// Thread-safety: all functions from any thread, except Run(), which the pools call.
class Applier : public Runnable, public std::enable_shared_from_this<Applier> {
 public:
  /// `notify_raft`: the inbox holds something that should not wait for the next tick.
  Applier(std::shared_ptr<ReplicaState> state, std::unique_ptr<state_machine::Runtime> runtime,
          std::function<void()> notify_raft);

  /// Restores the newest snapshot, if any, and tells the Raft that it may start.
  void Load(std::optional<raft::SnapshotRecord> snapshot);
  void Apply(std::vector<raft::Entry> committed);
  /// Starts over from a received snapshot.
  void Restore(const raft::SnapshotRecord& snapshot);
  /// Takes a snapshot for a client that waits in ReplicaState.
  void TakeSnapshot(const SnapshotOptions& options, std::uint64_t request);
  /// Reads may have become ready.
  void AnswerReads();
  /// Closes the state machine behind everything that is under way, then calls `closed`, once.
  void Close(std::function<void()> closed);

  /// Asks the state machine now, on this thread. If it throws, its replica fails.
  Result<std::any> Lookup(const std::any& query);

  Index applied() const { return Index(applied_.load(std::memory_order_acquire)); }
  const state_machine::Runtime& runtime() const { return *runtime_; }

  bool Run() override;

 private:
  struct LoadTask {
    std::optional<raft::SnapshotRecord> snapshot;
  };
  struct ApplyTask {
    std::vector<raft::Entry> entries;
  };
  struct RestoreTask {
    raft::SnapshotRecord snapshot;
  };
  struct SnapshotTask {
    SnapshotOptions options;
    /// Whose answer it is; 0: nobody asked.
    std::uint64_t request = 0;
  };
  struct ReadTask {};
  struct CloseTask {
    std::function<void()> closed;
  };
  using Work = std::variant<LoadTask, ApplyTask, RestoreTask, SnapshotTask, ReadTask, CloseTask>;

  void Enqueue(Work work);
  static bool IsLong(const Work& work);

  void Do(LoadTask& task);
  void Do(ApplyTask& task);
  void Do(RestoreTask& task);
  void Do(SnapshotTask& task);
  void Do(ReadTask& task);
  void Do(CloseTask& task);

  Result<void> Recover(const raft::SnapshotRecord& snapshot);
  Result<raft::SnapshotRecord> Save();
  void TellRaft(std::span<const state_machine::AppliedEntry> applied);
  void AnswerReadyReads();
  void Answer(std::span<PendingRead> reads);
  void SnapshotIfDue();

  const std::shared_ptr<ReplicaState> shared_state_;
  ReplicaState& state_;
  const std::unique_ptr<state_machine::Runtime> runtime_;
  const std::function<void()> notify_raft_;
  std::atomic<std::uint64_t> applied_{0};
  std::stop_source stop_;
  /// Only in Run():
  std::vector<state_machine::AppliedEntry> outcomes_;
  Index last_snapshot_;
  /// Up to where one was taken or tried to be.
  Index last_attempt_;
  bool in_snapshot_pool_ = false;

  base::Mutex mutex_;
  std::deque<Work> queue_ DRUMBEAT_GUARDED_BY(mutex_);
  /// In a pool, or being run.
  bool scheduled_ DRUMBEAT_GUARDED_BY(mutex_) = false;
  bool reads_queued_ DRUMBEAT_GUARDED_BY(mutex_) = false;
  bool snapshot_queued_ DRUMBEAT_GUARDED_BY(mutex_) = false;
};

}  // namespace drumbeat::node_host
