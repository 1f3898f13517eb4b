// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <any>
#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "test_cluster.h"

namespace drumbeat::node_host {

constexpr ShardId kShard = TestCluster::kShard;
constexpr milliseconds kTimeout(10'000);

/// What the test wants to happen inside a state machine.
struct Hooks {
  std::function<void(std::string_view)> on_update = [](std::string_view) {};
  std::function<void()> on_lookup = [] {};
  std::function<Result<void>()> on_save = [] { return Result<void>(); };
  std::function<void()> on_destroy = [] {};
  /// Each machine holds it.
  std::shared_ptr<int> alive = std::make_shared<int>();
};

class HookedMachine : public TextMachine {
 public:
  explicit HookedMachine(const Hooks& hooks) : hooks_(hooks), alive_(hooks.alive) {}
  ~HookedMachine() override { hooks_.on_destroy(); }
  Result<ApplyResult> Update(const UpdateEntry& entry) override {
    hooks_.on_update(entry.command);
    return TextMachine::Update(entry);
  }
  Result<std::any> Lookup(const std::any& query) const override {
    if (query.has_value()) hooks_.on_lookup();
    return TextMachine::Lookup(query);
  }
  Result<void> SaveSnapshot(SnapshotWriter& writer, std::stop_token stop) const override {
    if (const Result<void> may = hooks_.on_save(); !may) return may;
    return TextMachine::SaveSnapshot(writer, stop);
  }

 private:
  const Hooks& hooks_;
  const std::shared_ptr<int> alive_;
};

/// Every save waits until it is told to go on.
class HeldSaves {
 public:
  explicit HeldSaves(Hooks& hooks) {
    hooks.on_save = [this]() -> Result<void> {
      ++begun_;
      may_go_on_.wait();
      return {};
    };
  }
  int begun() const { return begun_; }
  void GoOn() { go_on_.set_value(); }

 private:
  std::atomic<int> begun_ = 0;
  std::promise<void> go_on_;
  const std::shared_future<void> may_go_on_ = go_on_.get_future().share();
};

/// One Lookup begins and waits until it is told to go on.
class HeldLookup {
 public:
  explicit HeldLookup(Hooks& hooks) {
    hooks.on_lookup = [this] {
      begun_.set_value();
      go_on_.get_future().wait();
    };
  }
  void WaitUntilBegun() { begun_.get_future().wait(); }
  void GoOn() { go_on_.set_value(); }

 private:
  std::promise<void> begun_;
  std::promise<void> go_on_;
};

/// One host with one hooked replica, and maybe others.
class HookedTest : public testing::Test {
 protected:
  NodeHost& host() { return cluster_.At(1); }
  Result<void> Start(ReplicaConfig config) {
    return host().StartReplica(
        {.initial_members = {{ReplicaId(1), cluster_.Host(1).address}}, .join = false},
        [this](ShardId, ReplicaId) { return std::make_unique<HookedMachine>(hooks_); }, config);
  }
  void Begin(std::uint64_t snapshot_entries = 0) {
    cluster_.snapshot_entries = snapshot_entries;
    const Result<void> started = Start(cluster_.Config(1));
    ASSERT_TRUE(started.has_value()) << started.error().text();
    ASSERT_TRUE(cluster_.Propose(1, "a").has_value());
  }
  Result<Index> Snapshot(milliseconds timeout = kTimeout) {
    return host().RequestSnapshot(kShard, {}, timeout).Get();
  }
  /// Shard 7 and so on, ready.
  void StartOthers(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      ReplicaConfig other = cluster_.Config(1);
      other.shard_id = ShardId(7 + i);
      other.snapshot_entries = 0;
      ASSERT_TRUE(Start(other).has_value());
      ASSERT_TRUE(
          Eventually([&] { return host().ReadIndex(other.shard_id, kTimeout).Get().has_value(); }));
    }
  }
  std::vector<Request<Index>> SnapshotsOf(std::initializer_list<std::uint64_t> shards) {
    std::vector<Request<Index>> requests;
    for (const std::uint64_t shard : shards) {
      requests.push_back(host().RequestSnapshot(ShardId(shard), {}, kTimeout));
    }
    return requests;
  }
  Index Committed() { return host().GetReplicaInfo(kShard)->committed; }

  Hooks hooks_;
  TestCluster cluster_{1};
};

}  // namespace drumbeat::node_host
