// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "storage/keys.h"
#include "storage/log_store.h"
#include "storage/replica_log.h"
#include "storage/store_core.h"

namespace drumbeat::storage {

/// The log store's logic over ordered keys and values; FORMATS.md has its records.
class KvLogStore : public LogStore {
 public:
  explicit KvLogStore(std::shared_ptr<StoreCore> core);
  ~KvLogStore() override;

  Result<void> Save(std::span<const ReplicaUpdate> updates) override;
  Result<void> CutThrough(const ReplicaRef& replica, Index index) override;
  Result<StoredLog> Load(const ReplicaRef& replica) override;
  Result<std::vector<raft::Entry>> Read(const ReplicaRef& replica, Index first, Index end,
                                        std::uint64_t max_bytes) override;
  Result<void> SaveBootstrap(const ReplicaRef& replica, const codec::Bootstrap& record) override;
  Result<std::optional<codec::Bootstrap>> LoadBootstrap(const ReplicaRef& replica) override;
  Result<std::vector<ReplicaRef>> List() override;
  Result<std::vector<ReplicaRef>> List(ShardId shard) override;
  Result<void> Remove(const ReplicaRef& replica) override;
  Result<bool> WasRemoved(const ReplicaRef& replica) override;

 private:
  /// What is known of one replica's log without reading.
  struct ReplicaLog {
    /// Held while the log is read for the first time.
    base::Mutex loading;
    base::Mutex mutex;
    bool loaded DRUMBEAT_GUARDED_BY(mutex) = false;
    LogState state DRUMBEAT_GUARDED_BY(mutex);
    RecordMap records DRUMBEAT_GUARDED_BY(mutex);
  };
  /// What one update will have changed once the batch is written.
  struct Plan {
    std::shared_ptr<ReplicaLog> log;
    ReplicaRef replica;
    LogState before;
    LogState after;
    bool restarts = false;
    /// Of the record that the new ones follow, if there is one.
    std::optional<std::uint64_t> epoch_before;
    /// The last of this plan's new records in Scratch::records; they begin where the plan before
    /// ended.
    std::size_t records_end = 0;
  };
  /// What a save works with, used again by later ones.
  struct Scratch {
    std::unique_ptr<KvBatch> batch;
    std::string value;
    std::vector<Plan> plans;
    std::vector<RecordMap::Start> records;
    std::vector<Witness::Note> notes;
  };
  struct HashReplica {
    std::size_t operator()(const ReplicaRef& replica) const noexcept {
      return std::hash<std::uint64_t>()(replica.shard.value() * 0x9e3779b97f4a7c15u ^
                                        replica.replica.value());
    }
  };

  /// The replica's log, read if need be.
  Result<std::shared_ptr<ReplicaLog>> Find(const ReplicaRef& replica);
  Result<void> LoadInto(const ReplicaRef& replica, ReplicaLog& log);
  Result<void> ReadRecords(const ReplicaRef& replica, const LogState& state, RecordMap& records);
  enum class Steps : std::uint8_t { kScan, kSeek };
  Result<void> ReadRecords(const ReplicaRef& replica, const LogState& state, Steps steps,
                           RecordMap& records);

  std::unique_ptr<Scratch> TakeScratch();
  void ReturnScratch(std::unique_ptr<Scratch> scratch);
  Result<void> SaveWith(Scratch& scratch, std::span<const ReplicaUpdate> updates);
  Result<void> PlanUpdate(Scratch& scratch, const ReplicaUpdate& update);
  void PackEntries(Scratch& scratch, Plan& plan, std::span<const raft::Entry> entries);
  Result<void> LowerWitness(Scratch& scratch);
  Result<void> RaiseWitness(Scratch& scratch);
  static void Adopt(Scratch& scratch);

  Result<std::vector<ReplicaRef>> ListOf(const KeyPair& bootstraps, const Witness::Lines& lines);
  Result<Term> TermOfLast(const ReplicaRef& replica, const RecordMap::Place& place);
  Error Damaged(const ReplicaRef& replica, std::string_view what) const;

  const std::shared_ptr<StoreCore> core_;

  base::Mutex mutex_;
  std::unordered_map<ReplicaRef, std::shared_ptr<ReplicaLog>, HashReplica> logs_
      DRUMBEAT_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Scratch>> idle_scratch_ DRUMBEAT_GUARDED_BY(mutex_);
};

}  // namespace drumbeat::storage
