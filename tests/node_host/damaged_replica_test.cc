// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "logging/logger.h"
#include "storage/keys.h"
#include "storage/rocksdb_kv.h"
#include "test_cluster.h"

// P4 with real hosts: what is damaged of one replica stops that replica and nobody else.
namespace drumbeat::node_host {
namespace {

constexpr ShardId kShard = TestCluster::kShard;
constexpr ShardId kOtherShard{129};
constexpr milliseconds kTimeout(5000);

Result<void> StartIn(TestCluster& cluster, ShardId shard, const StartOptions& options,
                     std::uint64_t replica = 1) {
  ReplicaConfig config = cluster.Config(replica);
  config.shard_id = shard;
  return cluster.At(1).StartReplica(
      options, [](ShardId, ReplicaId) { return std::make_unique<TextMachine>(); }, config);
}

Result<ApplyResult> Say(TestCluster& cluster, ShardId shard, const std::string& text) {
  Result<ApplyResult> result = Fail(ErrorCode::kNoLeader);
  Eventually([&] {
    result = cluster.At(1).Propose(shard, Session::NoOp(shard), text, kTimeout).Get();
    return result.has_value();
  });
  return result;
}

/// Flips a bit in the log state of replica 1 of kShard.
void SpoilLogState(const TestHost& host) {
  auto kv = storage::OpenRocksDbKv({.database = host.folder / "db" / "db",
                                    .staging = host.folder / "db" / "staging",
                                    .memory_bytes = 4u << 20},
                                   logging::Logger(nullptr, LogLevel::kOff, "test"));
  ASSERT_TRUE(kv.has_value()) << kv.error().text();
  const storage::Key key = storage::StateKey(storage::StateKind::kLog, {kShard, ReplicaId(1)});
  std::string value((*kv)->Get(storage::Space::kState, key).value().value().view());
  value[8] = static_cast<char>(value[8] ^ 1);
  const auto batch = (*kv)->NewBatch();
  batch->Put(storage::Space::kState, key, value);
  ASSERT_TRUE((*kv)->Write(*batch).has_value());
}

class DamagedReplicaTest : public testing::Test {
 protected:
  void SetUp() override {
    founders_ = {{ReplicaId(1), cluster_.Host(1).address}};
    for (const ShardId shard : {kShard, kOtherShard}) {
      ASSERT_TRUE(StartIn(cluster_, shard, {.initial_members = founders_}).has_value());
      ASSERT_TRUE(Say(cluster_, shard, "a").has_value());
    }
    cluster_.Stop(1);
    SpoilLogState(cluster_.Host(1));
    cluster_.Open(1);
  }

  TestCluster cluster_{1};
  MemberMap founders_;
};

TEST_F(DamagedReplicaTest, FailsAloneAndNeverStartsAsIfItWereNew) {
  ASSERT_NE(cluster_.Host(1).host, nullptr);
  ASSERT_TRUE(StartIn(cluster_, kOtherShard, {}).has_value());
  for (int round = 0; round < 2; ++round) {
    for (const StartOptions& options :
         {StartOptions{.initial_members = founders_}, StartOptions{}, StartOptions{.join = true}}) {
      const Result<void> started = StartIn(cluster_, kShard, options);
      ASSERT_FALSE(started.has_value());
      EXPECT_EQ(started.error().code, ErrorCode::kDamaged);
      const std::string text(started.error().text());
      for (const std::string& part :
           {std::string("[00128:00001]"), std::string("its log state"),
            cluster_.Host(1).folder.string(), std::string("remove this replica")}) {
        EXPECT_NE(text.find(part), std::string::npos) << part << ": " << text;
      }
    }
    // Another one would have to share its place.
    EXPECT_EQ(StartIn(cluster_, kShard, {.join = true}, 2).error().code,
              ErrorCode::kBootstrapMismatch);
    ASSERT_TRUE(Say(cluster_, kOtherShard, "b").has_value());
    if (round > 0) break;
    cluster_.Stop(1);
    cluster_.Open(1);
    ASSERT_TRUE(StartIn(cluster_, kOtherShard, {}).has_value());
  }
  EXPECT_EQ(
      std::any_cast<std::string>(cluster_.At(1).Read(kOtherShard, {}, kTimeout).Get().value()),
      "abb");
}

TEST_F(DamagedReplicaTest, MakesRoomForAnotherOnceItsDataIsRemoved) {
  NodeHost& host = cluster_.At(1);
  ASSERT_TRUE(StartIn(cluster_, kOtherShard, {}).has_value());
  EXPECT_EQ(host.RemoveData(kOtherShard, ReplicaId(1)).error().code,
            ErrorCode::kShardAlreadyExists);
  EXPECT_EQ(host.RemoveData(kShard, ReplicaId(7)).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(host.RemoveData(kShard, ReplicaId(0)).error().code, ErrorCode::kInvalidArgument);

  const Result<void> removed = host.RemoveData(kShard, ReplicaId(1));
  ASSERT_TRUE(removed.has_value()) << removed.error().text();
  EXPECT_EQ(StartIn(cluster_, kShard, {.initial_members = founders_}).error().code,
            ErrorCode::kReplicaRemoved);
  const Result<void> another = StartIn(cluster_, kShard, {.join = true}, 2);
  EXPECT_TRUE(another.has_value()) << another.error().text();
  ASSERT_TRUE(Say(cluster_, kOtherShard, "b").has_value());
}

/// Remembers who failed, and of what.
class FailureListener : public EventListener {
 public:
  void ReplicaFailed(const ReplicaRef& replica, const Error& error) override {
    const std::lock_guard lock(mutex_);
    failed_.emplace_back(replica, error);
  }
  void ReplicaStopped(const ReplicaRef&) override {
    const std::lock_guard lock(mutex_);
    ++stopped_;
  }
  void HostFailed(const Error&) override {
    const std::lock_guard lock(mutex_);
    ++hosts_failed_;
  }
  void LogCompacted(const ReplicaRef& replica, Index) override {
    const std::lock_guard lock(mutex_);
    compacted_.insert(replica.replica);
  }

  std::vector<std::pair<ReplicaRef, Error>> failed() const {
    const std::lock_guard lock(mutex_);
    return failed_;
  }
  int stopped() const {
    const std::lock_guard lock(mutex_);
    return stopped_;
  }
  bool compacted(ReplicaId replica) const {
    const std::lock_guard lock(mutex_);
    return compacted_.contains(replica);
  }
  int hosts_failed() const {
    const std::lock_guard lock(mutex_);
    return hosts_failed_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<ReplicaRef, Error>> failed_;
  std::set<ReplicaId> compacted_;
  int stopped_ = 0;
  int hosts_failed_ = 0;
};

/// Flips a bit of the image that holds `text`, in the file itself. Whether there was one.
bool SpoilImage(const TestHost& host, const std::string& text) {
  for (const auto& file : std::filesystem::directory_iterator(host.folder / "db" / "db")) {
    if (file.path().extension() != ".sst") continue;
    std::ifstream in(file.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    const std::size_t at = bytes.find(text);
    // The log has tables with that text, too; this one stands in ready files alone.
    if (at == std::string::npos || bytes.find("external_sst_file") == std::string::npos) continue;
    std::fstream out(file.path(), std::ios::binary | std::ios::in | std::ios::out);
    out.seekp(static_cast<std::streamoff>(at));
    out.put(static_cast<char>(bytes[at] ^ 1));
    return true;
  }
  return false;
}

// Found by the simulation: it offered the image again and again for as long as it led.
TEST(DamagedImageTest, ALeaderThatCannotReadItsSnapshotFailsAndTheGroupGoesOn) {
  TestCluster cluster(3);
  const auto listener = std::make_shared<FailureListener>();
  for (std::uint64_t id = 1; id <= 3; ++id) {
    cluster.Stop(id);
    cluster.Host(id).listener = listener;
    cluster.Open(id);
  }
  // The others wait long before they campaign: with another leader nobody would need the image.
  const std::uint64_t leader = 1;
  const std::uint64_t behind = 2;
  const std::uint64_t heir = 3;
  cluster.election_ticks = {{behind, 100}, {heir, 100}};
  cluster.Found(3);
  ASSERT_EQ(cluster.WaitForLeader(), leader);
  ASSERT_TRUE(cluster.Propose(leader, "0").has_value());
  cluster.Stop(behind);
  // Its socket listens on. Once the leader has dialled it again and hears no answer, it sends no
  // entries; those in the link's queue would do as well as the image.
  ASSERT_TRUE(Eventually([&] { return cluster.Host(leader).log->Has(" is reached again "); }));

  // As much as is worth a cut of the log, and more than a stream to one that does not read yet gets
  // rid of: the leader might have read that part before it is spoiled.
  std::string text = "0";
  for (char letter = 'a'; letter < 'e'; ++letter) {
    const std::string more(5u << 20, letter);
    ASSERT_TRUE(cluster.Propose(leader, more).has_value());
    text += more;
  }
  ASSERT_TRUE(cluster.WaitForText(heir, text));
  const auto taken =
      cluster.At(leader).RequestSnapshot(kShard, {.compaction_overhead = 1}, kTimeout).Get();
  ASSERT_TRUE(taken.has_value()) << taken.error().text();
  ASSERT_TRUE(SpoilImage(cluster.Host(leader), std::string(1000, 'd')));
  ASSERT_TRUE(Eventually([&] { return listener->compacted(ReplicaId(leader)); }));

  cluster.Open(behind);
  ASSERT_TRUE(cluster.Start(behind).has_value());
  EXPECT_TRUE(Eventually([&] { return !listener->failed().empty(); }))
      << cluster.Host(leader).log->Text() << "of its heir:\n"
      << cluster.Host(heir).log->Text();
  EXPECT_TRUE(cluster.WaitForText(behind, text)) << "who needed it gets it from the next leader";
  EXPECT_TRUE(cluster.Propose(heir, "!").has_value());
  EXPECT_TRUE(cluster.WaitForText(behind, text + "!"));

  const auto failed = listener->failed();
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].first, (ReplicaRef{kShard, ReplicaId(leader)}));
  EXPECT_EQ(failed[0].second.code, ErrorCode::kDamaged);
  EXPECT_NE(failed[0].second.message.find("the snapshot of [00128:0000"), std::string::npos)
      << failed[0].second.message;
  EXPECT_EQ(cluster.At(leader).GetLeader(kShard).error().code, ErrorCode::kReplicaFailed);
  EXPECT_EQ(listener->hosts_failed(), 0);
  // The first end was that of replica `behind`, by Stop().
  EXPECT_TRUE(Eventually([&] { return listener->stopped() == 2; })) << "nothing of it runs on";
}

}  // namespace
}  // namespace drumbeat::node_host
