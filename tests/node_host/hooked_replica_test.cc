// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <any>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "hooked_machine.h"

// What a host owes to whoever asked, whatever a state machine does.
namespace drumbeat::node_host {
namespace {

using SnapshotRequestTest = HookedTest;
using LookupTest = HookedTest;
using StopTest = HookedTest;

TEST_F(SnapshotRequestTest, OneThatFailedIsNotTakenForASnapshot) {
  int saves = 0;
  hooks_.on_save = [&]() -> Result<void> {
    return ++saves == 1 ? Result<void>(Fail(ErrorCode::kAborted, "not now")) : Result<void>();
  };
  Begin();
  const Result<Index> failed = Snapshot();
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::kAborted);
  const Result<Index> taken = Snapshot();
  EXPECT_TRUE(taken.has_value()) << taken.error().text();
  const Result<Index> again = Snapshot();
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, ErrorCode::kNothingToDo);
}

TEST_F(SnapshotRequestTest, OneGetsItsOwnAnswerAndNotThatOfAnEarlierOne) {
  HeldSaves saves(hooks_);
  Begin();
  const Index before = Committed();
  const Result<Index> late = Snapshot(milliseconds(50));
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, ErrorCode::kTimeout);
  auto proposed = host().Propose(kShard, Session::NoOp(kShard), "b", kTimeout);
  ASSERT_TRUE(Eventually([&] { return Committed() > before; }));
  auto second = host().RequestSnapshot(kShard, {}, kTimeout);
  saves.GoOn();
  ASSERT_TRUE(proposed.Get().has_value());
  const Result<Index> taken = second.Get();
  ASSERT_TRUE(taken.has_value()) << taken.error().text();
  EXPECT_GT(*taken, before);
}

// Else a client that asks again after each timeout would pile them up.
TEST_F(SnapshotRequestTest, OneThatNobodyWaitsForAnyMoreIsNotTaken) {
  HeldSaves saves(hooks_);
  Begin();
  for (int i = 0; i < 3; ++i) {
    const Index before = Committed();
    const Result<Index> late = Snapshot(milliseconds(50));
    ASSERT_FALSE(late.has_value());
    EXPECT_EQ(late.error().code, ErrorCode::kTimeout);
    (void)host().Propose(kShard, Session::NoOp(kShard), "b", kTimeout);
    ASSERT_TRUE(Eventually([&] { return Committed() > before; }));
  }
  auto last = host().RequestSnapshot(kShard, {}, kTimeout);
  saves.GoOn();
  ASSERT_TRUE(last.Get().has_value());
  EXPECT_EQ(saves.begun(), 2) << "the first one, which had begun, and the last";
}

TEST_F(SnapshotRequestTest, TheLargestPeriodIsNever) {
  Begin(std::numeric_limits<std::uint64_t>::max());
  ASSERT_TRUE(Snapshot().has_value());
  ASSERT_TRUE(cluster_.Propose(1, "b").has_value());
  // Not taken before by the replica itself.
  const Result<Index> taken = Snapshot();
  EXPECT_TRUE(taken.has_value()) << taken.error().text();
}

// Two snapshots are taken at once: further ones stand in line.
TEST_F(SnapshotRequestTest, OneThatStandsInLineHoldsUpNothing) {
  HeldSaves saves(hooks_);
  Begin(5);
  StartOthers(2);
  std::vector<Request<Index>> others = SnapshotsOf({7, 8});
  ASSERT_TRUE(Eventually([&] { return saves.begun() == 2; }));
  for (int i = 0; i < 20; ++i) {
    const auto applied = host().Propose(kShard, Session::NoOp(kShard), "b", kTimeout).Get();
    ASSERT_TRUE(applied.has_value()) << applied.error().text();
  }
  auto asked = host().RequestSnapshot(kShard, {}, kTimeout);
  ASSERT_TRUE(cluster_.Propose(1, "c").has_value());
  EXPECT_EQ(saves.begun(), 2);
  EXPECT_EQ(host().GetReplicaInfo(kShard)->snapshot_index, Index(0));
  saves.GoOn();
  for (Request<Index>& other : others) EXPECT_TRUE(other.Get().has_value());
  EXPECT_TRUE(
      Eventually([&] { return host().GetReplicaInfo(kShard)->snapshot_index == Committed(); }));
  // The one that was due has it taken as well.
  const Result<Index> taken = asked.Get();
  EXPECT_TRUE(taken || taken.error().code == ErrorCode::kNothingToDo) << taken.error().text();
}

// Its turn comes while a batch is applied that takes long, and others have theirs meanwhile.
TEST_F(SnapshotRequestTest, OneThatMissesItsTurnHoldsUpNothing) {
  std::atomic<int> saves = 0;
  std::promise<void> go_on[2];
  std::shared_future<void> waits[2] = {go_on[0].get_future().share(),
                                       go_on[1].get_future().share()};
  hooks_.on_save = [&]() -> Result<void> {
    waits[std::min(saves++ / 2, 1)].wait();
    return {};
  };
  std::promise<void> applying;
  std::promise<void> apply;
  hooks_.on_update = [&](std::string_view command) {
    if (command != "long") return;
    applying.set_value();
    apply.get_future().wait();
  };
  Begin();
  StartOthers(4);
  std::vector<Request<Index>> others = SnapshotsOf({7, 8});
  ASSERT_TRUE(Eventually([&] { return saves == 2; }));
  auto asked = host().RequestSnapshot(kShard, {}, kTimeout);
  auto lengthy = host().Propose(kShard, Session::NoOp(kShard), "long", kTimeout);
  applying.get_future().wait();
  std::ranges::move(SnapshotsOf({9, 10}), std::back_inserter(others));
  go_on[0].set_value();
  EXPECT_TRUE(Eventually([&] { return saves == 4; })) << "a worker waits for the batch";
  apply.set_value();
  EXPECT_TRUE(lengthy.Get().has_value());
  EXPECT_TRUE(cluster_.Propose(1, "b").has_value());
  EXPECT_EQ(saves, 4);
  go_on[1].set_value();
  for (Request<Index>& other : others) EXPECT_TRUE(other.Get().has_value());
  EXPECT_TRUE(asked.Get().has_value());
}

TEST_F(SnapshotRequestTest, OneThatStandsInLineKeepsNoStoppedStateMachine) {
  HeldSaves saves(hooks_);
  Begin();
  StartOthers(2);
  std::vector<Request<Index>> others = SnapshotsOf({7, 8});
  ASSERT_TRUE(Eventually([&] { return saves.begun() == 2; }));
  auto asked = host().RequestSnapshot(kShard, {}, kTimeout);
  ASSERT_TRUE(cluster_.Propose(1, "b").has_value());
  ASSERT_TRUE(host().StopShard(kShard).Get().has_value());
  EXPECT_EQ(asked.Get().error().code, ErrorCode::kTerminated);
  EXPECT_TRUE(Eventually([&] { return hooks_.alive.use_count() == 3; })) << "and two others";
  saves.GoOn();
  for (Request<Index>& other : others) EXPECT_TRUE(other.Get().has_value());
}

// Something is always being applied, and more is there already.
TEST_F(SnapshotRequestTest, ABusyReplicaTakesOne) {
  std::promise<void> saved;
  auto is_saved = saved.get_future();
  hooks_.on_save = [&]() -> Result<void> {
    saved.set_value();
    return {};
  };
  int updates = 0;
  Request<ApplyResult> next = Request<ApplyResult>::Completed(ApplyResult());
  hooks_.on_update = [&](std::string_view command) {
    if (command != "busy" || is_saved.wait_for(milliseconds(0)) == std::future_status::ready)
      return;
    if (++updates > 200) return;
    const Index before = Committed();
    next = host().Propose(kShard, Session::NoOp(kShard), "busy", kTimeout);
    Eventually([&] { return Committed() > before; });
  };
  Begin();
  auto first = host().Propose(kShard, Session::NoOp(kShard), "busy", kTimeout);
  EXPECT_TRUE(Eventually([&] { return Committed() >= Index(5); }));
  EXPECT_TRUE(Snapshot().has_value());
  host().Close(milliseconds(0));
  EXPECT_LT(updates, 200);
}

TEST_F(LookupTest, OneThatThrowsFailsItsReplica) {
  for (const bool stale : {true, false}) {
    TestCluster cluster(1);
    Hooks hooks;
    hooks.on_lookup = [] { throw std::runtime_error("as the test told it"); };
    ASSERT_TRUE(
        cluster.At(1)
            .StartReplica(
                {.initial_members = {{ReplicaId(1), cluster.Host(1).address}}, .join = false},
                [&](ShardId, ReplicaId) { return std::make_unique<HookedMachine>(hooks); },
                cluster.Config(1))
            .has_value());
    ASSERT_TRUE(cluster.Propose(1, "a").has_value());
    const Result<std::any> answer =
        stale ? cluster.At(1).StaleRead(kShard, 1) : cluster.At(1).Read(kShard, 1, kTimeout).Get();
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().code, ErrorCode::kReplicaFailed);
    EXPECT_EQ(cluster.Propose(1, "b").error().code, ErrorCode::kReplicaFailed);
  }
}

TEST_F(LookupTest, ASlowOneHoldsUpNobodysCallbacks) {
  HeldLookup held(hooks_);
  Begin();
  ReplicaConfig other = cluster_.Config(1);
  other.shard_id = ShardId(7);
  ASSERT_TRUE(Start(other).has_value());
  auto read = host().Read(kShard, 1, kTimeout);
  held.WaitUntilBegun();
  auto told = std::make_shared<std::promise<void>>();
  auto stopped = told->get_future();
  host().StopShard(ShardId(7)).Then([told](auto) { told->set_value(); });
  EXPECT_EQ(stopped.wait_for(kTimeout), std::future_status::ready);
  held.GoOn();
  EXPECT_TRUE(read.Get().has_value());
}

TEST_F(LookupTest, ReadsBehindASlowOneEndInTime) {
  std::atomic<int> lookups = 0;
  std::promise<void> go_on;
  auto waits = go_on.get_future().share();
  hooks_.on_lookup = [&] {
    ++lookups;
    waits.wait();
  };
  Begin();
  const milliseconds soon(200);
  std::vector<Request<std::any>> reads;
  for (int i = 0; i < 100; ++i) reads.push_back(host().Read(kShard, 1, soon));
  Request<Index> index = host().ReadIndex(kShard, soon);
  // It waits for the applier, as they do.
  auto proposed = host().Propose(kShard, Session::NoOp(kShard), "b", soon);
  EXPECT_EQ(proposed.Get().error().code, ErrorCode::kTimeout);
  EXPECT_TRUE(Eventually([&] {
    return index.done() &&
           std::ranges::count_if(reads, [](const auto& read) { return read.done(); }) >= 99;
  })) << "they waited for the slow one";
  go_on.set_value();
  int late = 0;
  for (Request<std::any>& read : reads) {
    const Result<std::any> answer = read.Get();
    if (answer) continue;
    EXPECT_EQ(answer.error().code, ErrorCode::kTimeout);
    ++late;
  }
  EXPECT_GE(late, 99);
  EXPECT_EQ(lookups, 1);
}

// As soon as one is answered, the next one is there: more shards than there are workers.
TEST_F(LookupTest, ReadsWithoutEndLeaveOthersTheirTurn) {
  constexpr std::uint64_t kShards = 4;
  hooks_.on_lookup = [] {
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(100);
    while (std::chrono::steady_clock::now() < end) {
    }
  };
  Begin();
  StartOthers(kShards);
  std::atomic<bool> over = false;
  std::atomic<int> reading = 0;
  const std::function<void(ShardId)> read_on = [&](ShardId shard) {
    host().Read(shard, 1, kTimeout).Then([&, shard](auto) {
      if (over) {
        --reading;
      } else {
        read_on(shard);
      }
    });
  };
  for (std::uint64_t i = 0; i < kShards * 50; ++i) {
    ++reading;
    read_on(ShardId(7 + i % kShards));
  }
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(cluster_.Propose(1, "b").has_value());
  over = true;
  EXPECT_TRUE(Eventually([&] { return reading == 0; }));
}

TEST_F(LookupTest, ReadsBehindASlowOneEndWithTheirReplica) {
  HeldLookup held(hooks_);
  Begin();
  auto slow = host().Read(kShard, 1, kTimeout);
  held.WaitUntilBegun();
  auto behind = host().Read(kShard, 1, kTimeout);
  auto stopped = host().StopShard(kShard);
  EXPECT_EQ(behind.Get().error().code, ErrorCode::kTerminated);
  held.GoOn();
  EXPECT_TRUE(stopped.Get().has_value());
}

// It may hold what the next one of this shard needs.
TEST_F(StopTest, NothingIsLeftOfAStateMachineThatWasStopped) {
  std::promise<void> told;
  hooks_.on_destroy = [stopped = told.get_future().share()] {
    stopped.wait_for(milliseconds(200));  // which takes a while
  };
  Begin();
  ASSERT_TRUE(host().StopShard(kShard).Get().has_value());
  EXPECT_EQ(hooks_.alive.use_count(), 1);
  told.set_value();
}

/// Starts a replica again as soon as it hears that it has stopped.
class Restarter : public EventListener {
 public:
  void ReplicaStopped(const ReplicaRef& replica) override {
    ++stopped;
    if (restart) restart(replica);
  }
  std::atomic<int> stopped = 0;
  std::function<void(const ReplicaRef&)> restart;
};

class StoppedTest : public testing::Test {
 protected:
  StoppedTest() {
    cluster_.Stop(1);
    cluster_.Host(1).listener = listener_;
    cluster_.Open(1);
    cluster_.Found(1);
  }

  const std::shared_ptr<Restarter> listener_ = std::make_shared<Restarter>();
  TestCluster cluster_{1};
};

TEST_F(StoppedTest, AReplicaThatFailedIsClosedWithoutBeingAskedTo) {
  ASSERT_TRUE(cluster_.Propose(1, "a").has_value());
  EXPECT_FALSE(cluster_.Propose(1, "throw").has_value());
  EXPECT_TRUE(Eventually([&] { return listener_->stopped == 1; }));
}

// Nothing that its worker waits for happens then.
TEST_F(StoppedTest, AlsoOneThatFailedWhileItWasIdle) {
  Hooks hooks;
  hooks.on_lookup = [] { throw std::runtime_error("as the test told it"); };
  const ShardId shard(7);
  ReplicaConfig config = cluster_.Config(1);
  config.shard_id = shard;
  config.quiesce = true;
  ASSERT_TRUE(
      cluster_.At(1)
          .StartReplica(
              {.initial_members = {{ReplicaId(1), cluster_.Host(1).address}}, .join = false},
              [&](ShardId, ReplicaId) { return std::make_unique<HookedMachine>(hooks); }, config)
          .has_value());
  ASSERT_TRUE(Eventually([&] {
    return cluster_.At(1).Propose(shard, Session::NoOp(shard), "a", kTimeout).Get().has_value();
  }));
  EXPECT_FALSE(cluster_.At(1).StaleRead(shard, 1).has_value());
  EXPECT_TRUE(Eventually([&] { return listener_->stopped == 1; }));
}

TEST_F(StoppedTest, WhoHearsOfItMayStartItAgain) {
  std::atomic<int> refused = 0;
  listener_->restart = [&](const ReplicaRef&) {
    if (!cluster_.Start(1).has_value()) ++refused;
  };
  for (int round = 1; round <= 20; ++round) {
    ASSERT_TRUE(cluster_.At(1).StopShard(kShard).Get().has_value());
    ASSERT_TRUE(Eventually([&] { return listener_->stopped == round; }));
    ASSERT_TRUE(Eventually([&] { return refused > 0 || cluster_.At(1).GetReplicaInfo(kShard); }));
    ASSERT_EQ(refused, 0);
  }
  cluster_.At(1).Close(milliseconds(0));
}

}  // namespace
}  // namespace drumbeat::node_host
