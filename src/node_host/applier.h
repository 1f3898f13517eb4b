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
/// takes and restores snapshots. What it does is queued and done in order, in the apply pool; to
/// restore a snapshot it moves over to the snapshot pool. A snapshot that is to be taken stands in
/// line there by itself, and applying goes on until its turn comes.
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
  class SnapshotTurn;

  void Enqueue(Work work);
  static bool IsLong(const Work& work);
  WorkPool& Pool() const DRUMBEAT_REQUIRES(mutex_);
  /// Into the pool where the first of the queue belongs, unless it is there.
  bool MovesOver() DRUMBEAT_REQUIRES(mutex_);
  void WorkEnds() DRUMBEAT_REQUIRES(mutex_);
  void StandInLine(const SnapshotTask& task);
  /// False: something else is being done, stand in line again.
  bool TakeTurn(const SnapshotTask& task);
  bool TakeOver() DRUMBEAT_EXCLUDES(mutex_);
  bool IsWanted(const SnapshotTask& task) const;
  bool SnapshotIsDue() const;

  void Do(LoadTask& task);
  void Do(ApplyTask& task);
  void Do(RestoreTask& task);
  void Do(SnapshotTask& task);
  void Do(ReadTask& task);
  void Do(CloseTask& task);

  Result<void> Recover(const raft::SnapshotRecord& snapshot);
  void Snapshot(const SnapshotTask& task);
  Result<raft::SnapshotRecord> Save();
  void TellRaft(std::span<const state_machine::AppliedEntry> applied);
  /// Also of a removal that a snapshot tells of.
  void TellIfRemoved();
  void AnswerReadyReads();
  void Answer(std::span<PendingRead> reads);
  void SnapshotIfDue();

  const std::shared_ptr<ReplicaState> shared_state_;
  ReplicaState& state_;
  const std::unique_ptr<state_machine::Runtime> runtime_;
  const std::function<void()> notify_raft_;
  std::atomic<std::uint64_t> applied_{0};
  std::stop_source stop_;
  /// Only for whoever is at work:
  /// Of the batch that is being applied; its memory is used again, but for that of large batches.
  std::vector<state_machine::AppliedEntry> outcomes_;
  static constexpr std::size_t kKeptOutcomes = 1024;
  /// Applied since Raft last heard of it.
  std::uint64_t untold_bytes_ = 0;
  static constexpr std::uint64_t kToldBytes = 1u << 20;
  Index last_snapshot_;
  /// Up to where one was taken or tried to be.
  Index last_attempt_;
  bool snapshot_queued_ = false;

  base::Mutex mutex_;
  std::deque<Work> queue_ DRUMBEAT_GUARDED_BY(mutex_);
  /// In a pool, or being run, or parked.
  bool scheduled_ DRUMBEAT_GUARDED_BY(mutex_) = false;
  bool in_snapshot_pool_ DRUMBEAT_GUARDED_BY(mutex_) = false;
  /// One of the queue is being done, or a snapshot is being taken.
  bool at_work_ DRUMBEAT_GUARDED_BY(mutex_) = false;
  /// Back in its pool when the snapshot has been taken.
  bool parked_ DRUMBEAT_GUARDED_BY(mutex_) = false;
  /// Of snapshots, while something else is being done.
  int waiting_turns_ DRUMBEAT_GUARDED_BY(mutex_) = 0;
  /// To one of those: it is at work.
  bool handed_over_ DRUMBEAT_GUARDED_BY(mutex_) = false;
  base::ConditionVariable work_handed_over_;
  bool reads_queued_ DRUMBEAT_GUARDED_BY(mutex_) = false;
};

}  // namespace drumbeat::node_host
