// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "codec/image_fixture.h"
#include "node_host/host.h"
#include "storage/stores.h"
#include "test_cluster.h"

namespace drumbeat::node_host {

/// Carries messages within this process, at once.
class Switchboard {
 public:
  class Line : public transport::Transport {
   public:
    Line(Switchboard& board, std::string address) : board_(board), address_(std::move(address)) {}
    Result<void> Start(transport::TransportHandler& handler) override {
      const std::lock_guard lock(board_.mutex_);
      board_.handlers_[address_] = &handler;
      return {};
    }
    void Stop() override {
      const std::lock_guard lock(board_.mutex_);
      board_.handlers_.erase(address_);
    }
    void Send(const std::string& address, raft::Envelope message) override {
      const std::lock_guard lock(board_.mutex_);
      if (board_.on_send_) board_.on_send_(message);
      const auto to = board_.handlers_.find(address);
      if (to != board_.handlers_.end()) to->second->OnMessages(address_, {std::move(message)});
    }
    void Flush() override {}
    void SendSnapshot(const std::string&, std::unique_ptr<transport::ChunkSource>,
                      std::function<void(Result<void>)> done) override {
      done(Fail(ErrorCode::kNotSupported));
    }
    std::string listen_address() const override { return address_; }

   private:
    Switchboard& board_;
    const std::string address_;
  };

  /// Calls `told` with whatever is sent from now on, also to where nobody is.
  void OnSend(std::function<void(const raft::Envelope&)> told) {
    const std::lock_guard lock(mutex_);
    on_send_ = std::move(told);
  }
  /// Hands a message from the host at `source` to the one at `address`.
  void Deliver(const std::string& address, const std::string& source, raft::Envelope message) {
    HandlerOf(address).OnMessages(source, {std::move(message)});
  }
  /// Hands a chunk to the host at `address`; what it says to that.
  bool Deliver(const std::string& address, const codec::Chunk& chunk) {
    return HandlerOf(address).OnChunk(chunk);  // which sends an answer
  }

 private:
  transport::TransportHandler& HandlerOf(const std::string& address) {
    const std::lock_guard lock(mutex_);
    return *handlers_.at(address);
  }

  std::mutex mutex_;
  std::function<void(const raft::Envelope&)> on_send_;
  std::map<std::string, transport::TransportHandler*> handlers_;
};

/// A host at host1:1, reached through `board`; `config` says what else is not as usual.
inline Result<std::unique_ptr<Host>> StartOneHost(
    Switchboard& board, std::chrono::milliseconds tick, std::unique_ptr<Scheduler> scheduler,
    storage::Stores stores, const logging::Logger& logger, NodeHostConfig config = {}) {
  config.raft_address = "host1:1";
  config.tick = tick;
  config.deployment_id = 1;
  return Host::Start(config, {.scheduler = std::move(scheduler),
                              .folder = nullptr,
                              .stores = std::move(stores),
                              .transport = std::make_unique<Switchboard::Line>(board, "host1:1"),
                              .logger = logger,
                              .id = "host1"});
}

/// Replicas 1 to `members`, at host1:1 and so on.
inline MemberMap FirstMembers(std::uint64_t members) {
  MemberMap all;
  for (std::uint64_t id = 1; id <= members; ++id) {
    all[ReplicaId(id)] = "host" + std::to_string(id) + ":1";
  }
  return all;
}

/// Starts replica 1 of `members` there, with the other settings of `replica`.
inline Result<void> StartFirst(Host& host, std::uint64_t members, ReplicaConfig replica) {
  replica.replica_id = ReplicaId(1);
  return host.StartReplica(
      {.initial_members = FirstMembers(members)},
      [](ShardId, ReplicaId) { return std::make_unique<TextMachine>(); }, replica);
}

/// Starts replica 1 of two there; the other one, at host2:1, is the test.
inline Result<void> StartFirstOfTwo(Host& host, ShardId shard = ShardId(1)) {
  ReplicaConfig replica;
  replica.shard_id = shard;
  return StartFirst(host, 2, replica);
}

/// A whole snapshot from the second of two to the first.
inline codec::Chunk SnapshotToFirst(ShardId shard, Index index, Term term,
                                    const std::string& text) {
  codec::Chunk chunk;
  chunk.shard = shard;
  chunk.to = ReplicaId(1);
  chunk.from = ReplicaId(2);
  chunk.chunk_count = 1;
  chunk.index = index;
  chunk.term = term;
  chunk.membership.config_change_id = 2;
  chunk.membership.voters = FirstMembers(2);
  chunk.data = base::Bytes::Copy(codec::ImageOf(codec::EncodeSessions({}) + text));
  return chunk;
}

/// The same snapshot in two pieces.
inline std::pair<codec::Chunk, codec::Chunk> Halves(const codec::Chunk& whole) {
  std::pair<codec::Chunk, codec::Chunk> halves{whole, whole};
  halves.first.chunk_count = halves.second.chunk_count = 2;
  halves.second.chunk_id = 1;
  halves.first.data = base::Bytes::Copy(whole.data.view().substr(0, 9));
  halves.second.data = base::Bytes::Copy(whole.data.view().substr(9));
  return halves;
}

/// A disk on which every write waits while it stands still, and that breaks when told.
class StallingDisk {
 public:
  /// What is written without a sync fails from the next snapshot on.
  void BreakBehindSnapshot() {
    const std::lock_guard lock(mutex_);
    breaks_ = true;
  }
  /// From now on every write fails.
  void Break() {
    const std::lock_guard lock(mutex_);
    broken_ = true;
  }
  void Stall(bool stalled) {
    {
      const std::lock_guard lock(mutex_);
      stalled_ = stalled;
    }
    changed_.notify_all();
  }
  const std::shared_ptr<storage::MemoryDisk>& disk() const { return disk_; }
  storage::Stores Open() {
    auto stores = storage::OpenMemoryStores(disk_, &std::chrono::steady_clock::now);
    EXPECT_TRUE(stores.has_value());
    return std::move(*stores);
  }

 private:
  using Operation = storage::MemoryDisk::Operation;
  using Fault = storage::MemoryDisk::Fault;

  Fault Meet(Operation operation) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !stalled_; });
    if (breaks_ && operation == Operation::kBulkCommit) broken_ = true;
    return broken_ && operation == Operation::kWrite ? Fault::kLost : Fault::kNone;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stalled_ = false;
  bool breaks_ = false;
  bool broken_ = false;
  std::shared_ptr<storage::MemoryDisk> disk_ = std::make_shared<storage::MemoryDisk>(
      storage::MemoryDisk::Crashes::kNever,
      [this](Operation operation) { return Meet(operation); });
};

/// Three hosts of one shard of text machines over memory, each founder a voter.
class LocalHostsTest : public testing::Test {
 protected:
  static constexpr ShardId kShard{1};
  static constexpr milliseconds kTick{5};
  static constexpr std::uint64_t kElectionTicks = 40;

  static std::string Address(std::uint64_t id) { return "host" + std::to_string(id) + ":1"; }

  void SetUp() override {
    StartOptions options;
    for (std::uint64_t id = 1; id <= 3; ++id) {
      options.initial_members[ReplicaId(id)] = Address(id);
    }
    for (std::uint64_t id = 1; id <= 3; ++id) Start(id, options);
  }
  /// A host with its replica.
  void Start(std::uint64_t id, const StartOptions& options) {
    NodeHostConfig config;
    config.raft_address = Address(id);
    config.tick = tick_;
    config.deployment_id = 1;
    config.transport.max_snapshots_in = max_snapshots_in_;
    HostParts parts{.scheduler = MakeThreadScheduler(),
                    .folder = nullptr,
                    .stores = disks_[id].Open(),
                    .transport = std::make_unique<Switchboard::Line>(board_, Address(id)),
                    .logger = logging::Logger(Log(id), LogLevel::kInfo, "test"),
                    .id = Address(id),
                    .seed = id};
    auto host = Host::Start(config, std::move(parts));
    ASSERT_TRUE(host.has_value()) << host.error().message;
    hosts_[id] = std::move(*host);
    ReplicaConfig replica;
    replica.shard_id = kShard;
    replica.replica_id = ReplicaId(id);
    replica.election_ticks = election_ticks_;
    replica.heartbeat_ticks = 4;
    replica.max_in_memory_log_bytes = max_in_memory_log_bytes_;
    replica.max_entry_bytes = std::min(replica.max_entry_bytes, max_in_memory_log_bytes_);
    const auto started = hosts_[id]->StartReplica(
        options, [](ShardId, ReplicaId) { return std::make_unique<TextMachine>(); }, replica);
    ASSERT_TRUE(started.has_value()) << started.error().message;
  }
  void TearDown() override {
    for (auto& [id, disk] : disks_) disk.Stall(false);
    for (auto& [id, host] : hosts_) host->Close(milliseconds(0));
  }

  std::shared_ptr<QuietSink> Log(std::uint64_t id) {
    std::shared_ptr<QuietSink>& log = logs_[id];
    if (log == nullptr) log = std::make_shared<QuietSink>();
    return log;
  }
  /// Whom `id` takes for the leader, once there is one that is not `but`.
  std::uint64_t LeaderSeenBy(std::uint64_t id, std::uint64_t but = 0) {
    std::uint64_t leader = 0;
    EXPECT_TRUE(Eventually([&] {
      const auto info = hosts_[id]->GetLeader(kShard);
      leader = info ? info->leader.value() : 0;
      return leader != 0 && leader != but;
    }));
    return leader;
  }
  Result<ApplyResult> Propose(std::uint64_t id, const std::string& text) {
    Result<ApplyResult> result = Fail(ErrorCode::kNoLeader);
    Eventually([&] {
      result = hosts_[id]->Propose(kShard, Session::NoOp(kShard), text, milliseconds(2000)).Get();
      return result || (result.error().code != ErrorCode::kNoLeader &&
                        result.error().code != ErrorCode::kNotReady);
    });
    return result;
  }

  milliseconds tick_ = kTick;
  std::uint64_t election_ticks_ = kElectionTicks;
  std::size_t max_snapshots_in_ = TransportLimits().max_snapshots_in;
  std::size_t max_in_memory_log_bytes_ = ReplicaConfig().max_in_memory_log_bytes;
  Switchboard board_;
  std::map<std::uint64_t, StallingDisk> disks_;
  std::map<std::uint64_t, std::shared_ptr<QuietSink>> logs_;
  std::map<std::uint64_t, std::unique_ptr<Host>> hosts_;
};

}  // namespace drumbeat::node_host
