// SPDX-License-Identifier: Apache-2.0
#include <any>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "test_cluster.h"

namespace drumbeat::node_host {
namespace {

constexpr ShardId kShard = TestCluster::kShard;
constexpr milliseconds kTimeout(10'000);

/// Calls back once its replica is ready, and whenever one has stopped.
class Listener : public EventListener {
 public:
  void ReplicaReady(const ReplicaRef&) override {
    if (ready) ready();
  }
  void ReplicaStopped(const ReplicaRef&) override {
    if (stopped) stopped();
  }
  std::function<void()> ready;
  std::function<void()> stopped;
};

/// A text machine that calls back from inside its functions.
class CallingMachine : public TextMachine {
 public:
  explicit CallingMachine(std::function<void()> call) : call_(std::move(call)) {}
  Result<ApplyResult> Update(const UpdateEntry& entry) override {
    if (entry.command == "call") call_();
    return TextMachine::Update(entry);
  }
  Result<std::any> Lookup(const std::any& query) const override {
    if (query.has_value()) call_();
    return TextMachine::Lookup(query);
  }

 private:
  const std::function<void()> call_;
};

bool IsClosed(NodeHost& host) {
  const auto leader = host.GetLeader(ShardId(999));
  return !leader && leader.error().code == ErrorCode::kClosed;
}

Result<void> Found(TestCluster& cluster, const StateMachineFactory& factory) {
  return cluster.At(1).StartReplica(
      {.initial_members = {{ReplicaId(1), cluster.Host(1).address}}, .join = false}, factory,
      cluster.Config(1));
}

TEST(ClosingTest, AListenerMayClose) {
  TestCluster cluster(1);
  cluster.Stop(1);
  const auto listener = std::make_shared<Listener>();
  listener->ready = [&] { cluster.At(1).Close(kTimeout); };
  listener->stopped = listener->ready;
  cluster.Host(1).listener = listener;
  cluster.Open(1);
  cluster.Found(1);
  EXPECT_TRUE(Eventually([&] { return IsClosed(cluster.At(1)); }));
  cluster.At(1).Close();
  // It is really closed: the folder is free.
  cluster.Open(1);
  cluster.At(1).Close();
}

TEST(ClosingTest, ACallbackMayClose) {
  TestCluster cluster(1);
  cluster.Serve(1);
  std::promise<void> told;
  cluster.At(1).Propose(kShard, Session::NoOp(kShard), "b", kTimeout).Then([&](auto) {
    cluster.At(1).Close();
    told.set_value();
  });
  told.get_future().wait();
  EXPECT_TRUE(IsClosed(cluster.At(1)));
  cluster.At(1).Close();
}

TEST(ClosingTest, ACallbackThatTheClosingEndsMayClose) {
  TestCluster cluster(3);
  cluster.Serve(3);
  cluster.Stop(2);
  cluster.Stop(3);
  std::atomic<int> told = 0;
  for (int i = 0; i < 100; ++i) {
    cluster.At(1).Propose(kShard, Session::NoOp(kShard), "b", kTimeout).Then([&](auto) {
      cluster.At(1).Close();
      ++told;
    });
  }
  cluster.At(1).Close(milliseconds(0));
  EXPECT_EQ(told, 100);
}

TEST(ClosingTest, AStateMachineMayClose) {
  for (const bool update : {true, false}) {
    TestCluster cluster(1);
    NodeHost& host = cluster.At(1);
    const auto started = Found(cluster, [&](ShardId, ReplicaId) {
      return std::make_unique<CallingMachine>([&] { host.Close(); });
    });
    ASSERT_TRUE(started.has_value()) << started.error().text();
    ASSERT_TRUE(cluster.Propose(1, "a").has_value());
    if (update) {
      (void)cluster.Propose(1, "call");
    } else {
      (void)host.StaleRead(kShard, 1);
    }
    EXPECT_TRUE(IsClosed(host));
    host.Close();
  }
}

TEST(ClosingTest, TheTimeToHandOverMayBeAsLongAsItCan) {
  TestCluster cluster(3);
  cluster.election_ticks = {{2, 20'000}, {3, 20'000}};  // they do not campaign by themselves
  cluster.Found(3);
  ASSERT_EQ(cluster.WaitForLeader(), 1u);
  ASSERT_TRUE(cluster.Propose(1, "a").has_value());
  cluster.At(1).Close(milliseconds::max());
  EXPECT_GT(cluster.WaitForLeader(), 1u);
}

TEST(ClosingTest, AFactoryMayCloseButStartsNothing) {
  TestCluster cluster(1);
  NodeHost& host = cluster.At(1);
  ErrorCode inner = ErrorCode::kTimeout;
  const auto started = Found(cluster, [&](ShardId, ReplicaId) {
    inner = host.RemoveData(ShardId(7), ReplicaId(1)).error().code;
    host.Close();
    return std::make_unique<TextMachine>();
  });
  EXPECT_EQ(inner, ErrorCode::kInvalidArgument);
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, ErrorCode::kClosed);
  host.Close();
}

TEST(ClosingTest, AHostMayBeDestroyedOnItsOwnThread) {
  TestCluster cluster(1);
  cluster.Stop(1);
  auto listener = std::make_shared<Listener>();
  cluster.Host(1).listener = listener;
  cluster.Open(1);
  cluster.Host(1).listener.reset();
  cluster.Serve(1);
  const std::weak_ptr<Listener> watched = std::exchange(listener, nullptr);
  auto owned = std::make_shared<std::unique_ptr<NodeHost>>(std::move(cluster.Host(1).host));
  NodeHost& host = **owned;
  host.Propose(kShard, Session::NoOp(kShard), "b", kTimeout).Then([owned](auto) {
    owned->reset();
  });
  owned.reset();
  EXPECT_TRUE(Eventually([&] { return watched.expired(); }));
  cluster.Open(1);
  cluster.Found(1);
  EXPECT_TRUE(cluster.WaitForText(1, "ab"));
}

TEST(ClosingTest, AStartThatIsUnderWayIsWaitedForAndRefused) {
  TestCluster cluster(1);
  NodeHost& host = cluster.At(1);
  std::promise<void> begun;
  std::promise<void> go_on;
  auto started = std::async(std::launch::async, [&] {
    return Found(cluster, [&](ShardId, ReplicaId) {
      begun.set_value();
      go_on.get_future().wait();
      return std::make_unique<TextMachine>();
    });
  });
  begun.get_future().wait();
  auto closed = std::async(std::launch::async, [&] { host.Close(); });
  EXPECT_TRUE(Eventually([&] { return IsClosed(host); }));
  EXPECT_EQ(closed.wait_for(milliseconds(0)), std::future_status::timeout);
  go_on.set_value();
  closed.get();
  const Result<void> result = started.get();
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kClosed);
}

// "Closed" says that it had no effect: another replica of the shard may start in this folder.
TEST(ClosingTest, AStartThatWasRefusedHasBoundNothing) {
  TestCluster cluster(1);
  NodeHost& host = cluster.At(1);
  const auto started = Found(cluster, [&](ShardId, ReplicaId) {
    host.Close();
    return std::make_unique<TextMachine>();
  });
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, ErrorCode::kClosed);
  cluster.Stop(1);
  cluster.Open(1);
  ReplicaConfig another = cluster.Config(1);
  another.replica_id = ReplicaId(5);
  const auto factory = [](ShardId, ReplicaId) { return std::make_unique<TextMachine>(); };
  EXPECT_TRUE(cluster.At(1).StartReplica({.initial_members = {}, .join = true}, factory, another));
}

// What begins before the end may still look for workers and pools behind it.
TEST(ClosingTest, RacesWithEveryCall) {
  for (int round = 0; round < 5; ++round) {
    TestCluster cluster(1);
    cluster.Serve(1);
    NodeHost& host = cluster.At(1);
    std::atomic<bool> over = false;
    std::thread caller([&] {
      for (std::uint64_t i = 0; !over; ++i) {
        (void)host.Propose(kShard, Session::NoOp(kShard), "b", kTimeout);
        (void)host.ReadIndex(kShard, kTimeout);
        (void)host.RequestSnapshot(kShard, {}, kTimeout);
        (void)host.StaleRead(kShard, {});
        (void)host.StopShard(ShardId(1000));
        ReplicaConfig config = cluster.Config(1);
        config.shard_id = ShardId(1000);
        (void)host.StartReplica(
            {.initial_members = {{ReplicaId(1), cluster.Host(1).address}}, .join = false},
            [](ShardId, ReplicaId) { return std::make_unique<TextMachine>(); }, config);
      }
    });
    host.Close(milliseconds(0));
    over = true;
    caller.join();
  }
}

}  // namespace
}  // namespace drumbeat::node_host
