// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "test_cluster.h"

namespace drumbeat::node_host {
namespace {

constexpr ShardId kShard = TestCluster::kShard;
constexpr ShardId kNowhere{999};
constexpr milliseconds kTimeout(5000);

template <class T>
ErrorCode CodeOf(const Result<T>& result) {
  EXPECT_FALSE(result.has_value());
  return result ? ErrorCode::kAborted : result.error().code;
}

template <class T>
ErrorCode CodeOf(Request<T> request) {
  return CodeOf(request.Get());
}

/// What every call says that names a shard.
void ExpectAll(NodeHost& host, ShardId shard, ErrorCode code) {
  const Session session = Session::NoOp(shard);
  EXPECT_EQ(CodeOf(host.Propose(shard, session, "x", kTimeout)), code);
  EXPECT_EQ(CodeOf(host.OpenSession(shard, kTimeout)), code);
  EXPECT_EQ(CodeOf(host.ReadIndex(shard, kTimeout)), code);
  EXPECT_EQ(CodeOf(host.Read(shard, {}, kTimeout)), code);
  EXPECT_EQ(CodeOf(host.StaleRead(shard, {})), code);
  EXPECT_EQ(CodeOf(host.GetShardMembership(shard, kTimeout)), code);
  EXPECT_EQ(CodeOf(host.RequestAddReplica(shard, ReplicaId(9), "a:1", kTimeout)), code);
  EXPECT_EQ(CodeOf(host.RequestDeleteReplica(shard, ReplicaId(9), kTimeout)), code);
  EXPECT_EQ(CodeOf(host.RequestSnapshot(shard, {}, kTimeout)), code);
  EXPECT_EQ(CodeOf(host.RequestLeaderTransfer(shard, ReplicaId(9), kTimeout)), code);
  EXPECT_EQ(CodeOf(host.GetLeader(shard)), code);
}

//
TEST(MisuseTest, EveryCallSaysWhatIsWrong) {
  TestCluster cluster(1);
  cluster.Found(1);
  ASSERT_TRUE(cluster.Propose(1, "a").has_value());
  NodeHost& host = cluster.At(1);
  ExpectAll(host, kNowhere, ErrorCode::kShardNotFound);
  EXPECT_EQ(CodeOf(host.Propose(kShard, Session::NoOp(kNowhere), "x", kTimeout)),
            ErrorCode::kInvalidSession);
  EXPECT_EQ(CodeOf(host.CloseSession(Session::NoOp(kShard), kTimeout)), ErrorCode::kInvalidSession);
  EXPECT_EQ(CodeOf(host.RequestAddReplica(kShard, ReplicaId(9), "no address", kTimeout)),
            ErrorCode::kInvalidAddress);
  EXPECT_EQ(CodeOf(cluster.Start(1)), ErrorCode::kShardAlreadyExists);
  host.Close(milliseconds(0));
  host.Close(milliseconds(0));
  ExpectAll(host, kShard, ErrorCode::kClosed);
}

TEST(MisuseTest, SettingsOutOfTheirBoundsAreNamed) {
  TestCluster cluster(1);
  const auto start = [&](auto change) {
    ReplicaConfig config = cluster.Config(1);
    change(config);
    return CodeOf(cluster.Start(1, false, config));
  };
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  const auto bad = ErrorCode::kInvalidArgument;
  EXPECT_EQ(start([](ReplicaConfig& c) { c.replica_id = ReplicaId(0); }), bad);
  EXPECT_EQ(start([](ReplicaConfig& c) { c.heartbeat_ticks = 0; }), bad);
  EXPECT_EQ(start([](ReplicaConfig& c) { c.election_ticks = c.heartbeat_ticks; }), bad);
  EXPECT_EQ(start([](ReplicaConfig& c) { c.election_ticks = kMax; }), bad);
  EXPECT_EQ(start([](ReplicaConfig& c) { c.heartbeat_ticks = kMax; }), bad);
  EXPECT_EQ(start([](ReplicaConfig& c) { c.heartbeat_ticks = kMax / 2 + 1; }), bad);
  EXPECT_EQ(start([](ReplicaConfig& c) { c.max_entry_bytes = 0; }), bad);
  EXPECT_EQ(start([](ReplicaConfig& c) { c.max_entry_bytes = kMax; }), bad);
  const auto none = [](ShardId, ReplicaId) { return std::unique_ptr<StateMachine>(); };
  StartOptions joins;
  joins.join = true;
  EXPECT_EQ(CodeOf(cluster.At(1).StartReplica(joins, none, cluster.Config(1))), bad);
  EXPECT_EQ(CodeOf(cluster.At(1).StartReplica(joins, nullptr, cluster.Config(1))), bad);
}

TEST(MisuseTest, AnyTimeoutWillDo) {
  TestCluster cluster(1);
  cluster.Found(1);
  ASSERT_TRUE(cluster.Propose(1, "a").has_value());
  NodeHost& host = cluster.At(1);
  for (const milliseconds timeout : {milliseconds::max(), milliseconds(1'000'000'000'000)}) {
    EXPECT_TRUE(host.Propose(kShard, Session::NoOp(kShard), "x", timeout).Get().has_value());
    EXPECT_TRUE(host.Read(kShard, {}, timeout).Get().has_value());
  }
  for (const milliseconds timeout : {milliseconds(0), milliseconds(-1), milliseconds::min()}) {
    // In time or not, it ends.
    const auto read = host.Read(kShard, {}, timeout).Get();
    EXPECT_TRUE(read.has_value() || read.error().code == ErrorCode::kTimeout);
  }
}

//
TEST(ProposalSizeTest, NothingAndTheLargestAreTakenAndAByteMoreIsNot) {
  TestCluster cluster(1);
  cluster.Found(1);
  ASSERT_TRUE(cluster.Propose(1, "").has_value());
  const std::size_t most = cluster.Config(1).max_entry_bytes;
  const std::string largest(most, 'x');
  const auto taken = cluster.Propose(1, largest);
  ASSERT_TRUE(taken.has_value()) << taken.error().text();
  EXPECT_EQ(CodeOf(cluster.Propose(1, largest + "x")), ErrorCode::kPayloadTooLarge);
  EXPECT_EQ(cluster.Text(1).size(), most);
}

}  // namespace
}  // namespace drumbeat::node_host
