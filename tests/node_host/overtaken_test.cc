// SPDX-License-Identifier: Apache-2.0
//
// What is under way when a replica is stopped.
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "local_hosts.h"
#include "storage/forwarding_snapshot_store.h"

namespace drumbeat::node_host {
namespace {

constexpr ShardId kShard(1);

/// Before an image enters, `before` is called.
class HookedSink : public storage::ForwardingSnapshotSink {
 public:
  HookedSink(std::unique_ptr<storage::SnapshotSink> sink, std::function<void()>& before)
      : ForwardingSnapshotSink(std::move(sink)), before_(before) {}
  Result<void> Commit(const raft::SnapshotRecord& record) override {
    if (before_) before_();
    return ForwardingSnapshotSink::Commit(record);
  }

 private:
  std::function<void()>& before_;
};

using HookedStore = storage::SinkWrappingStore<HookedSink, std::function<void()>>;

class CutListener : public EventListener {
 public:
  void LogCompacted(const ReplicaRef&, Index) override { ++cuts_; }
  int cuts() const { return cuts_; }

 private:
  std::atomic<int> cuts_{0};
};

/// A host with replica 1 of `members`, of which nobody else is there.
class OvertakenTest : public testing::Test {
 protected:
  void Begin(std::uint64_t members) {
    NodeHostConfig config;
    config.listener = listener_;
    config.engine_workers = 1;
    storage::Stores stores = disk_.Open();
    stores.snapshots = std::make_unique<HookedStore>(std::move(stores.snapshots), before_image_);
    auto host = StartOneHost(board_, milliseconds(5), MakeThreadScheduler(), std::move(stores),
                             logging::Logger(log_, LogLevel::kInfo, "test"), config);
    ASSERT_TRUE(host.has_value()) << host.error().message;
    host_ = std::move(*host);
    ASSERT_NO_FATAL_FAILURE(Start(kShard, members));
  }
  void Start(ShardId shard, std::uint64_t members) {
    ReplicaConfig replica;
    replica.shard_id = shard;
    replica.compaction_overhead = 0;
    const Result<void> started = StartFirst(*host_, members, replica);
    ASSERT_TRUE(started.has_value()) << started.error().message;
    ASSERT_TRUE(Eventually([&] { return host_->GetReplicaInfo(shard)->ready; }));
  }
  void TearDown() override { host_->Close(milliseconds(0)); }
  bool Shows(const std::string& text) {
    return Eventually([&] {
      const auto shown = host_->StaleRead(kShard, {});
      return shown && std::any_cast<std::string>(*shown) == text;
    });
  }

  std::function<void()> before_image_;
  Switchboard board_;
  StallingDisk disk_;
  const std::shared_ptr<QuietSink> log_ = std::make_shared<QuietSink>();
  const std::shared_ptr<CutListener> listener_ = std::make_shared<CutListener>();
  std::unique_ptr<Host> host_;
};

// The next life would begin from an image that is about to be replaced.
TEST_F(OvertakenTest, AStopWaitsForAnImageThatEnters) {
  ASSERT_NO_FATAL_FAILURE(Begin(2));
  std::atomic<bool> entering = false;
  std::atomic<bool> stopped = false;
  bool overtaken = false;
  before_image_ = [&] {
    entering = true;
    // Time enough for a stop that waits for nothing.
    const auto end = std::chrono::steady_clock::now() + milliseconds(200);
    while (!stopped && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    overtaken = stopped;
  };
  const codec::Chunk chunk = SnapshotToFirst(kShard, Index(1000), Term(1), "x");
  std::jthread sender([&] { board_.Deliver("host1:1", chunk); });
  ASSERT_TRUE(Eventually([&] { return entering.load(); }));
  EXPECT_TRUE(host_->StopShard(kShard).Get().has_value());
  stopped = true;
  sender.join();
  EXPECT_FALSE(overtaken);
  before_image_ = nullptr;
  ASSERT_NO_FATAL_FAILURE(Start(kShard, 2));
  EXPECT_TRUE(Shows("x"));
}

// The next life would not cut it before its own next snapshot.
TEST_F(OvertakenTest, AStopBehindASnapshotStillCutsTheLog) {
  ASSERT_NO_FATAL_FAILURE(Begin(1));
  ASSERT_TRUE(Eventually([&] {
    return host_->Propose(kShard, Session::NoOp(kShard), "x", milliseconds(5000)).Get().has_value();
  }));
  // The engine's only worker is held up by another shard, which calls for votes.
  std::promise<void> go_on;
  std::atomic<bool> held = false;
  board_.OnSend([&](const raft::Envelope& message) {
    if (message.shard == kShard || held.exchange(true)) return;
    go_on.get_future().wait();
  });
  ASSERT_NO_FATAL_FAILURE(Start(ShardId(2), 2));
  ASSERT_TRUE(Eventually([&] { return held.load(); }));
  ASSERT_TRUE(host_->RequestSnapshot(kShard, {}, milliseconds(10'000)).Get().has_value());
  auto stop = host_->StopShard(kShard);
  EXPECT_EQ(listener_->cuts(), 0);
  go_on.set_value();
  EXPECT_TRUE(stop.Get().has_value());
  EXPECT_TRUE(Eventually([&] { return listener_->cuts() == 1; }));
}

}  // namespace
}  // namespace drumbeat::node_host
