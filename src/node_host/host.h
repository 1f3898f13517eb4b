// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <any>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "drumbeat/node_host.h"

#include "node_host/callback_queue.h"
#include "node_host/engine.h"
#include "node_host/event_queue.h"
#include "node_host/pending_reads.h"
#include "node_host/replica.h"
#include "node_host/scheduler.h"
#include "node_host/services.h"
#include "node_host/snapshot_receiver.h"
#include "node_host/work_pool.h"
#include "storage/data_folder.h"
#include "storage/rocksdb_stores.h"
#include "transport/transport.h"

namespace drumbeat::node_host {

/// What a host is made of: the real parts in a process, simulated ones in a simulation.
struct HostParts {
  std::unique_ptr<Scheduler> scheduler;
  /// Null where there is no folder.
  std::unique_ptr<storage::DataFolder> folder;
  storage::Stores stores;
  std::unique_ptr<transport::Transport> transport;
  logging::Logger logger;
  std::string id;
  /// Seeds everything random of this host.
  std::uint64_t seed = 1;
};

/// NodeHost over any parts; see drumbeat/node_host.h for every contract.
class Host : private transport::TransportHandler {
 public:
  /// Starts the transport and the workers. `config` is complete.
  static Result<std::unique_ptr<Host>> Start(const NodeHostConfig& config, HostParts parts);
  ~Host() override;

  void Close(std::chrono::milliseconds handover);
  /// Whether the calling thread is one of this host's own or runs a user's code for it: what waits
  /// for the host's threads would wait for itself. Close() then begins elsewhere.
  bool MustNotWait() const;
  const NodeHostConfig& config() const { return config_; }
  std::string listen_address() const { return parts_.transport->listen_address(); }
  const std::string& id() const { return parts_.id; }

  Result<void> StartReplica(const StartOptions& options, const StateMachineFactory& factory,
                            const ReplicaConfig& config);
  Request<void> StopShard(ShardId shard);
  Result<void> RemoveData(const ReplicaRef& replica);

  Request<ApplyResult> Propose(ShardId shard, const Session& session, std::string_view command,
                               std::chrono::milliseconds timeout);
  Request<Session> OpenSession(ShardId shard, std::chrono::milliseconds timeout);
  Request<void> CloseSession(const Session& session, std::chrono::milliseconds timeout);
  Request<Index> ReadIndex(ShardId shard, std::chrono::milliseconds timeout);
  Request<std::any> Read(ShardId shard, std::any query, std::chrono::milliseconds timeout);
  Result<std::any> StaleRead(ShardId shard, const std::any& query);
  Request<Membership> GetShardMembership(ShardId shard, std::chrono::milliseconds timeout);
  Request<Membership> RequestChange(ShardId shard, raft::ConfigChange change,
                                    std::chrono::milliseconds timeout);
  Request<Index> RequestSnapshot(ShardId shard, const SnapshotOptions& options,
                                 std::chrono::milliseconds timeout);
  Result<LeaderInfo> GetLeader(ShardId shard) const;
  Request<LeaderInfo> RequestLeaderTransfer(ShardId shard, ReplicaId target,
                                            std::chrono::milliseconds timeout);
  Result<ReplicaInfo> GetReplicaInfo(ShardId shard) const;
  std::vector<ReplicaInfo> GetNodeHostInfo() const;

 private:
  using ReplicaPtr = std::shared_ptr<Replica>;
  /// A shard's place in the table.
  struct Slot {
    ReplicaPtr replica;
    /// Its state machine is closed and destroyed; nothing of it runs any more.
    bool closed = false;
    /// Remove it from the table once it is closed.
    bool remove = false;
    std::vector<internal::Completion<void>> stoppers;
  };

  /// While it lives, the calling thread is in the middle of something of `host`.
  class Inside {
   public:
    explicit Inside(const Host& host);
    ~Inside();
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    const Host* const outer_;
  };

  Host(const NodeHostConfig& config, HostParts parts);

  // TransportHandler:
  void OnMessages(const std::string& source_address, std::vector<raft::Envelope> messages) override;
  bool OnChunk(codec::Chunk chunk) override;
  void OnUnreachable(const std::string& address, const std::string& reason) override;
  void OnConnected(const std::string& address) override;

  void Deliver(Replica& replica, const std::string& source_address, raft::Envelope message);
  /// Of who sent it; its membership is not yet known.
  bool AcceptsChunk(Replica& replica, const codec::Chunk& chunk) const;
  void SnapshotArrived(Replica& replica, ReplicaId from, const raft::SnapshotRecord& snapshot);

  ReplicaPtr Find(ShardId shard) const;
  /// The replica, if it can serve a request now.
  Result<ReplicaPtr> Serving(ShardId shard) const;
  /// As Serving(); kNotSupported for a witness, which has no state and forwards nothing.
  Result<ReplicaPtr> ServingClients(ShardId shard) const;
  /// What to say of a shard that is not in the table.
  ErrorCode NotHere() const;
  /// Whether the host is neither closing nor failed.
  Result<void> MayStart() const;
  /// start_mutex_, if nothing of the shard runs here and its data may be used.
  Result<std::unique_lock<std::mutex>> LockData(ShardId shard);
  std::vector<ReplicaPtr> AllReplicas() const;
  ReplicaInfo InfoOf(const Replica& replica) const;

  /// Proposes `entry` for whoever waits for `completion`.
  template <class T>
  void ProposeFor(internal::Completion<T> completion, ShardId shard, raft::Entry entry,
                  std::uint64_t deadline_tick);
  template <class T>
  Request<T> ProposeEntry(ShardId shard, raft::Entry entry, std::chrono::milliseconds timeout);
  void AddRead(ShardId shard, PendingRead read);
  template <class Wanted, class T>
  Request<T> StartRead(ShardId shard, Wanted wanted, std::chrono::milliseconds timeout);
  /// Reads the members (linearizable), then calls `then` on whatever thread learns of them, or with
  /// an error of Outcome::kDidNotHappen. It must be short.
  void WithMembers(ShardId shard, std::uint64_t deadline_tick,
                   std::move_only_function<void(Result<Membership>)> then);
  /// Why a request came to nothing when the read before it ended with `error`.
  Error NothingAsked(ShardId shard, const Error& error) const;
  void StartTransfer(Replica& replica, ReplicaId target, std::uint64_t deadline_tick,
                     internal::Completion<LeaderInfo> completion);

  EngineWorker& WorkerOf(ShardId shard);
  std::uint64_t DeadlineTick(std::chrono::milliseconds timeout) const;
  std::uint64_t NewClientId();

  void Tick();
  /// Where slow work belongs.
  void LetGoLater(std::vector<std::shared_ptr<void>> things);
  void HandLeadershipsOver(std::chrono::milliseconds budget);
  void EndAllReplicas();
  void StopTasks();
  void CloseElsewhere(std::chrono::milliseconds handover);
  void RaftEnded(const ReplicaPtr& replica);
  void ReplicaClosed(const ReplicaRef& replica);
  void Fail(const Error& error);
  bool MayWarn();

  const NodeHostConfig config_;
  HostParts parts_;
  std::atomic<std::uint64_t> now_tick_{0};
  std::atomic<std::uint64_t> client_counter_;
  std::atomic<std::uint64_t> last_warning_tick_{0};
  std::atomic<bool> closing_{false};
  std::optional<EventQueue> events_;
  std::optional<WorkPool> apply_pool_;
  std::optional<WorkPool> snapshot_pool_;
  std::optional<Services> services_;
  SnapshotReceiver snapshot_receiver_;

  /// Serialises StartReplica and RemoveData calls.
  std::mutex start_mutex_;
  /// Replicas that were started; under start_mutex_.
  std::uint64_t starts_ = 0;
  mutable std::shared_mutex mutex_;
  /// Guarded by mutex_, as is what follows:
  std::map<ShardId, Slot> shards_;
  std::optional<Error> failure_;

  std::vector<std::unique_ptr<EngineWorker>> workers_;
  std::unique_ptr<Task> ticker_;
  std::once_flag close_once_;
  /// Closes for somebody who must not wait.
  std::thread closer_;
};

}  // namespace drumbeat::node_host
