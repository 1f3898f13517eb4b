// SPDX-License-Identifier: Apache-2.0
#include "node_host/applier.h"

#include <algorithm>
#include <any>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <span>
#include <stop_token>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "base/check.h"
#include "base/resident_memory.h"
#include "codec/records.h"
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

enum class Trouble : std::uint8_t { kNone, kNoMemory, kBrokenInvariant };

/// Can do nothing while it is in trouble.
class TroubledRuntime : public state_machine::Runtime {
 public:
  TroubledRuntime(std::unique_ptr<Runtime> runtime, const std::atomic<Trouble>& trouble)
      : runtime_(std::move(runtime)), trouble_(trouble) {}
  Result<void> Apply(std::span<const raft::Entry> entries,
                     std::vector<state_machine::AppliedEntry>& out) override {
    return Healthy().Apply(entries, out);
  }
  Result<std::any> Lookup(const std::any& query) const override { return Healthy().Lookup(query); }
  Result<Saved> Save(codec::ImageSink& sink, Compression compression, std::uint64_t now_unix_ns,
                     std::stop_token stop) const override {
    return Healthy().Save(sink, compression, now_unix_ns, std::move(stop));
  }
  Result<void> Recover(const raft::SnapshotRecord& record, std::unique_ptr<SnapshotReader> image,
                       std::stop_token stop) override {
    return Healthy().Recover(record, std::move(image), std::move(stop));
  }
  void Close() override { runtime_->Close(); }
  Index applied() const override { return runtime_->applied(); }
  Term applied_term() const override { return runtime_->applied_term(); }
  Membership membership() const override { return runtime_->membership(); }
  codec::StoredSessions sessions() const override { return runtime_->sessions(); }

 private:
  Runtime& Healthy() const {
    const Trouble trouble = trouble_;
    if (trouble == Trouble::kNoMemory) throw std::bad_alloc();
    DRUMBEAT_CHECK(trouble == Trouble::kNone, "the test breaks it");
    return *runtime_;
  }

  const std::unique_ptr<Runtime> runtime_;
  const std::atomic<Trouble>& trouble_;
};

/// A replica's applier without the replica, and pools of one worker each.
class ApplierTest : public testing::Test {
 protected:
  static constexpr ReplicaRef kRef{ShardId(1), ReplicaId(1)};

  ApplierTest() { Begin(); }
  ~ApplierTest() override {
    apply_pool_.Stop();
    snapshot_pool_.Stop();
  }

  /// A replica that starts anew.
  void Begin() {
    ReplicaConfig config;
    config.shard_id = kRef.shard;
    config.replica_id = kRef.replica;
    state_ = std::make_shared<ReplicaState>(services_, config, 1, 1u << 20);
    auto runtime = state_machine::Runtime::Make({.replica = kRef}, std::make_unique<TextMachine>());
    applier_ = std::make_shared<Applier>(
        state_, std::make_unique<TroubledRuntime>(std::move(runtime), trouble_), [] {});
  }
  /// Applies what makes replicas 1 and 2 members; the last index.
  Index Found() {
    std::vector<raft::Entry> entries =
        codec::BootstrapEntries({{ReplicaId(1), "a:1"}, {ReplicaId(2), "b:1"}});
    const Index last = entries.back().index;
    applier_->Apply(std::move(entries));
    return last;
  }
  bool Applies(Index index) {
    return Eventually([&] { return applier_->applied() == index; });
  }
  Request<Index> Snapshot() {
    internal::Completion<Index> completion(services_.callbacks);
    Request<Index> taken = completion.request();
    const auto begun = state_->BeginSnapshot(completion, 1000);
    EXPECT_TRUE(begun.has_value());
    applier_->TakeSnapshot({}, *begun);
    return taken;
  }
  /// Whether the Raft is told that this replica was removed.
  bool TellsOfRemoval() {
    return Eventually([&] {
      Inbox::Contents contents;
      state_->inbox.Take(contents);
      return std::ranges::any_of(contents.events, [](const ReplicaEvent& event) {
        return std::holds_alternative<RemovedItself>(event);
      });
    });
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
  std::atomic<Trouble> trouble_ = Trouble::kNone;
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
  std::shared_ptr<ReplicaState> state_;
  std::shared_ptr<Applier> applier_;
};

// It is taken in the moment before the Raft hears of the removal, and nothing behind it is applied
// again.
TEST_F(ApplierTest, ASnapshotBehindItsOwnRemovalTellsOfIt) {
  const Index founded = Found();
  raft::Entry removal;
  removal.term = Term(2);
  removal.index = founded + 1;
  removal.type = raft::EntryType::kConfigChange;
  removal.command = base::Bytes::Copy(codec::EncodeConfigChange(
      {.type = raft::ConfigChangeType::kRemove, .replica = kRef.replica, .address = ""}));
  applier_->Apply({removal});
  EXPECT_TRUE(TellsOfRemoval());
  ASSERT_EQ(Snapshot().Get().value(), removal.index);
  const auto newest = stores_.snapshots->Newest(kRef);
  ASSERT_TRUE(newest.has_value() && newest->has_value());

  Begin();
  applier_->Load(**newest);
  EXPECT_TRUE(TellsOfRemoval());
  Begin();
  Found();
  applier_->Restore(**newest);
  EXPECT_TRUE(TellsOfRemoval());
}

// A replica catches up by batches of hundreds of thousands of entries.
TEST_F(ApplierTest, ALargeBatchLeavesNoMemoryBehind) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers keep freed memory";
#endif
  constexpr std::uint64_t kCommands = 400'000;
  const std::uint64_t founded = Found().value();
  ASSERT_TRUE(Applies(Index(founded)));
  const std::size_t before = base::ResidentBytes();
  std::vector<raft::Entry> entries(kCommands);
  for (std::uint64_t i = 0; i < kCommands; ++i) {
    entries[i].term = Term(2);
    entries[i].index = Index(founded + 1 + i);
  }
  applier_->Apply(std::move(entries));
  ASSERT_TRUE(Applies(Index(founded + kCommands)));
  EXPECT_TRUE(Eventually([&] { return base::ResidentBytes() < before + (24u << 20); }))
      << base::ResidentBytes() - before;
}

TEST_F(ApplierTest, ASnapshotForWhichThereIsNoMemoryFails) {
  const Index founded = Found();
  ASSERT_TRUE(Applies(founded));
  trouble_ = Trouble::kNoMemory;
  const Result<Index> failed = Snapshot().Get();
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::kStorage);
  EXPECT_FALSE(state_->stopped());
  trouble_ = Trouble::kNone;
  EXPECT_EQ(Snapshot().Get().value(), founded);
}

TEST_F(ApplierTest, AReplicaThatLacksMemoryFailsAlone) {
  ASSERT_TRUE(Applies(Found()));
  ASSERT_TRUE(Snapshot().Get().has_value());
  const auto newest = stores_.snapshots->Newest(kRef);
  ASSERT_TRUE(newest.has_value() && newest->has_value());
  const std::vector<std::function<void()>> works = {
      [&] { Found(); }, [&] { applier_->Load(**newest); }, [&] { applier_->Restore(**newest); }};
  for (const auto& work : works) {
    Begin();
    trouble_ = Trouble::kNoMemory;
    work();
    EXPECT_TRUE(Eventually([&] { return state_->life() == Life::kFailed; }));
    closed_ = false;
    applier_->Close([this] { closed_ = true; });
    EXPECT_TRUE(Eventually([&] { return closed_.load(); }));
    trouble_ = Trouble::kNone;
    Begin();
    EXPECT_TRUE(Applies(Found()));
  }
}

TEST_F(ApplierTest, ABrokenInvariantEndsItsReplicaAlone) {
  const std::vector<std::function<void()>> works = {[&] { Found(); },
                                                    [&] { EXPECT_FALSE(Snapshot().Get()); }};
  for (const auto& work : works) {
    Begin();
    ASSERT_TRUE(Applies(Found()));
    trouble_ = Trouble::kBrokenInvariant;
    work();
    EXPECT_TRUE(Eventually([&] { return state_->life() == Life::kFailed; }));
    const auto why = state_->Refusal();
    ASSERT_TRUE(why.has_value());
    EXPECT_TRUE(why->message.contains("shard 1 replica 1: the test breaks it")) << why->message;
    trouble_ = Trouble::kNone;
  }
}

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
