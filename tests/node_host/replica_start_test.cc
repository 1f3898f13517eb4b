// SPDX-License-Identifier: Apache-2.0
#include "node_host/replica_start.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "storage/forwarding_kv.h"
#include "storage/stores.h"

namespace drumbeat::node_host {
namespace {

using storage::KeyRange;
using storage::Kv;
using storage::KvCursor;
using storage::Space;

class CountingCursor : public KvCursor {
 public:
  CountingCursor(std::unique_ptr<KvCursor> cursor, int& steps)
      : cursor_(std::move(cursor)), steps_(steps) {}

  bool Valid() const override { return cursor_->Valid(); }
  void Next() override {
    ++steps_;
    cursor_->Next();
  }
  std::string_view key() const override { return cursor_->key(); }
  std::string_view value() const override { return cursor_->value(); }
  Result<void> status() const override { return cursor_->status(); }

 private:
  const std::unique_ptr<KvCursor> cursor_;
  int& steps_;
};

/// Counts what is read.
class CountingKv : public storage::ForwardingKv {
 public:
  CountingKv(std::unique_ptr<Kv> kv, int& steps) : ForwardingKv(std::move(kv)), steps_(steps) {}

  Result<std::optional<base::Bytes>> Get(Space space, std::string_view key) override {
    ++steps_;
    return ForwardingKv::Get(space, key);
  }
  std::unique_ptr<KvCursor> Scan(Space space, const KeyRange& range) override {
    ++steps_;
    return std::make_unique<CountingCursor>(ForwardingKv::Scan(space, range), steps_);
  }
  Result<std::optional<std::string>> LastKey(Space space, const KeyRange& range) override {
    ++steps_;
    return ForwardingKv::LastKey(space, range);
  }

 private:
  int& steps_;
};

/// What a start reads where `replicas` were started before.
int StepsOfAStart(std::uint64_t replicas) {
  const auto disk = std::make_shared<storage::MemoryDisk>(storage::MemoryDisk::Crashes::kNever);
  int steps = 0;
  const storage::Stores stores =
      storage::MakeStores(std::make_unique<CountingKv>(storage::OpenMemoryKv(disk), steps),
                          storage::OpenMemorySlot(disk), &std::chrono::steady_clock::now)
          .value();
  for (std::uint64_t shard = 1; shard <= replicas; ++shard) {
    const ReplicaRef replica{ShardId(shard), ReplicaId(1)};
    EXPECT_TRUE(stores.log->SaveBootstrap(replica, {.addresses = {}, .join = true}).has_value());
  }
  ReplicaConfig config;
  config.shard_id = ShardId(5);
  config.replica_id = ReplicaId(1);
  ReplicaStarter starter(*stores.log, *stores.snapshots, "localhost:63001");
  steps = 0;
  const auto checked = starter.Check({.join = true}, config);
  EXPECT_TRUE(checked.has_value()) << checked.error().text();
  return steps;
}

// those of other shards cost a start nothing.
TEST(ReplicaStarterTest, AStartReadsAsMuchHoweverManyReplicasThereAre) {
  const int steps = StepsOfAStart(10);
  EXPECT_GT(steps, 0);
  EXPECT_EQ(StepsOfAStart(1000), steps);
}

/// Starts of replica 1 of shard 5 at localhost:63001.
class BootstrapTest : public testing::Test {
 protected:
  static MemberMap Founders() {
    return {{ReplicaId(1), "localhost:63001"}, {ReplicaId(2), "localhost:63002"}};
  }
  static ReplicaConfig Config() {
    ReplicaConfig config;
    config.shard_id = ShardId(5);
    config.replica_id = ReplicaId(1);
    return config;
  }
  std::optional<ErrorCode> Start(const StartOptions& options,
                                 const ReplicaConfig& config = Config()) {
    ReplicaStarter starter(*stores_.log, *stores_.snapshots, "localhost:63001");
    const auto checked = starter.Check(options, config);
    if (!checked) return checked.error().code;
    const auto prepared = starter.Prepare(*checked);
    EXPECT_TRUE(prepared.has_value()) << prepared.error().text();
    return std::nullopt;
  }
  void ExpectRefused(const StartOptions& options, ErrorCode code,
                     const ReplicaConfig& config = Config()) {
    EXPECT_EQ(Start(options, config), code);
    EXPECT_TRUE(stores_.log->List().value().empty()) << "a start that is refused leaves nothing";
  }

  std::shared_ptr<storage::MemoryDisk> disk_ =
      std::make_shared<storage::MemoryDisk>(storage::MemoryDisk::Crashes::kNever);
  storage::Stores stores_ =
      storage::OpenMemoryStores(disk_, &std::chrono::steady_clock::now).value();
};

// M-11.
TEST_F(BootstrapTest, AFirstStartThatCannotBeMeantIsRefused) {
  const auto bad = ErrorCode::kInvalidArgument;
  ExpectRefused({.initial_members = Founders(), .join = true}, bad);
  ExpectRefused({}, ErrorCode::kBootstrapMismatch);
  MemberMap members = Founders();
  members[ReplicaId(0)] = "localhost:63003";
  ExpectRefused({.initial_members = members}, bad);
  members = Founders();
  members[ReplicaId(3)] = "nowhere";
  ExpectRefused({.initial_members = members}, ErrorCode::kInvalidAddress);
  members[ReplicaId(3)] = "LOCALHOST:63002";
  ExpectRefused({.initial_members = members}, bad);
  ExpectRefused({.initial_members = {{ReplicaId(2), "localhost:63002"}}}, bad);
  members = Founders();
  members[ReplicaId(1)] = "localhost:63009";
  ExpectRefused({.initial_members = members}, bad);
  for (const ReplicaRole role : {ReplicaRole::kNonVoting, ReplicaRole::kWitness}) {
    ReplicaConfig config = Config();
    config.role = role;
    ExpectRefused({.initial_members = Founders()}, bad, config);
  }
  EXPECT_EQ(Start({.initial_members = Founders()}), std::nullopt);
}

TEST_F(BootstrapTest, AFounderStaysOneOfTheSameMembers) {
  ASSERT_EQ(Start({.initial_members = Founders()}), std::nullopt);
  const auto changed = ErrorCode::kBootstrapMismatch;
  EXPECT_EQ(Start({.join = true}), changed);
  MemberMap members = Founders();
  members[ReplicaId(2)] = "localhost:63009";
  EXPECT_EQ(Start({.initial_members = members}), changed);
  members = Founders();
  members[ReplicaId(3)] = "localhost:63003";
  EXPECT_EQ(Start({.initial_members = members}), changed);
  EXPECT_EQ(Start({.initial_members = {{ReplicaId(1), "localhost:63001"}}}), changed);
  members = Founders();
  members[ReplicaId(2)] = "LocalHost:63002";
  EXPECT_EQ(Start({.initial_members = members}), std::nullopt);
  EXPECT_EQ(Start({}), std::nullopt);
}

TEST_F(BootstrapTest, AJoinerStaysOne) {
  ASSERT_EQ(Start({.join = true}), std::nullopt);
  EXPECT_EQ(Start({.initial_members = Founders()}), ErrorCode::kBootstrapMismatch);
  EXPECT_EQ(Start({.join = true}), std::nullopt);
}

}  // namespace
}  // namespace drumbeat::node_host
