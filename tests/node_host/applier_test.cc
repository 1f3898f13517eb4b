// SPDX-License-Identifier: Apache-2.0
#include "node_host/applier.h"

#include <atomic>
#include <future>
#include <memory>

#include <gtest/gtest.h>

#include "local_hosts.h"

namespace drumbeat::node_host {
namespace {

/// Holds up a worker of a pool.
class Held : public Runnable {
 public:
  bool Run() override {
    begun.set_value();
    go_on.get_future().wait();
    return false;
  }
  std::promise<void> begun;
  std::promise<void> go_on;
};

/// A replica's applier without the replica, and pools of one worker each.
class ApplierTest : public testing::Test {
 protected:
  ApplierTest() {
    ReplicaConfig config;
    config.shard_id = ShardId(1);
    config.replica_id = ReplicaId(1);
    applier_ = std::make_shared<Applier>(
        std::make_shared<ReplicaState>(services_, config, 1, 1u << 20),
        state_machine::Runtime::Make({.replica = {ShardId(1), ReplicaId(1)}},
                                     std::make_unique<TextMachine>()),
        [] {});
  }
  ~ApplierTest() override {
    apply_pool_.Stop();
    snapshot_pool_.Stop();
  }

  /// The pool's worker is held up once it gets there.
  std::shared_ptr<Held> Hold(WorkPool& pool) {
    auto held = std::make_shared<Held>();
    pool.Submit(held);
    return held;
  }

  const std::unique_ptr<Scheduler> scheduler_ = MakeThreadScheduler();
  StallingDisk disk_;
  const storage::Stores stores_ = disk_.Open();
  Switchboard board_;
  Switchboard::Line line_{board_, "host1:1"};
  const logging::Logger logger_{std::make_shared<QuietSink>(), LogLevel::kInfo, "test"};
  EventQueue events_{*scheduler_, nullptr, logger_};
  const std::atomic<std::uint64_t> now_tick_ = 0;
  std::atomic<bool> closed_ = false;
  WorkPool apply_pool_{*scheduler_, "db-apply", 1};
  WorkPool snapshot_pool_{*scheduler_, "db-snapshot", 1};
  const Services services_{.scheduler = *scheduler_,
                           .log_store = *stores_.log,
                           .snapshot_store = *stores_.snapshots,
                           .transport = line_,
                           .events = events_,
                           .apply_pool = apply_pool_,
                           .snapshot_pool = snapshot_pool_,
                           .callbacks = std::make_shared<CallbackQueue>(logger_),
                           .logger = logger_,
                           .now_tick = now_tick_,
                           .fail_host = [](const Error&) {}};
  std::shared_ptr<Applier> applier_;
};

// Others' snapshots, which stand in line behind it, may take long.
TEST_F(ApplierTest, WhatComesAfterLoadingDoesNotStandInLineForSnapshots) {
  const auto first = Hold(snapshot_pool_);
  applier_->Load(std::nullopt);
  const auto behind_moving = Hold(apply_pool_);
  behind_moving->begun.get_future().wait();
  behind_moving->go_on.set_value();
  const auto last = Hold(snapshot_pool_);
  applier_->Close([this] { closed_ = true; });
  first->go_on.set_value();
  EXPECT_TRUE(Eventually([&] { return closed_.load(); }));
  last->go_on.set_value();
}

}  // namespace
}  // namespace drumbeat::node_host
