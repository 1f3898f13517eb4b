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
  cluster.Serve(1);
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

// Such a member would end every Dragonboat process of the shard.
TEST(MisuseTest, MembersHaveNoIpv6AddressUnlessThatIsAllowed) {
  for (const std::string address : {"[::1]:7000", "[fe80::1]:7000", "::1:7000"}) {
    SCOPED_TRACE(address);
    TestCluster cluster(1);
    const StartOptions founders{
        .initial_members = {{ReplicaId(1), cluster.Host(1).address}, {ReplicaId(2), address}}};
    const auto start = [&](const ReplicaConfig& config) {
      return cluster.At(1).StartReplica(
          founders, [](ShardId, ReplicaId) { return std::make_unique<TextMachine>(); }, config);
    };
    EXPECT_EQ(CodeOf(start(cluster.Config(1))), ErrorCode::kInvalidAddress);
    ReplicaConfig config = cluster.Config(1);
    config.allow_ipv6_members = true;
    // Without brackets it is none either way.
    EXPECT_EQ(start(config).has_value(), address.starts_with('['));
  }
  for (const bool allowed : {false, true}) {
    TestCluster cluster(1);
    StartOptions founder{.initial_members = {{ReplicaId(1), cluster.Host(1).address}}};
    ReplicaConfig config = cluster.Config(1);
    config.allow_ipv6_members = allowed;
    const auto started = cluster.At(1).StartReplica(
        founder, [](ShardId, ReplicaId) { return std::make_unique<TextMachine>(); }, config);
    ASSERT_TRUE(started.has_value()) << started.error().text();
    ASSERT_TRUE(cluster.Propose(1, "a").has_value());
    const auto added =
        cluster.At(1).RequestAddNonVoting(kShard, ReplicaId(2), "[::1]:7000", kTimeout).Get();
    const auto members = cluster.At(1).GetShardMembership(kShard, kTimeout).Get();
    ASSERT_TRUE(members.has_value()) << members.error().text();
    EXPECT_EQ(added.has_value(), allowed);
    EXPECT_EQ(members->non_votings.contains(ReplicaId(2)), allowed);
    if (!allowed) {
      EXPECT_EQ(CodeOf(added), ErrorCode::kInvalidAddress);
      for (const auto& request :
           {cluster.At(1).RequestAddReplica(kShard, ReplicaId(2), "[::1]:7000", kTimeout).Get(),
            cluster.At(1).RequestAddWitness(kShard, ReplicaId(2), "[::1]:7000", kTimeout).Get()}) {
        EXPECT_EQ(CodeOf(request), ErrorCode::kInvalidAddress);
      }
    }
  }
}

TEST(MisuseTest, AnyTimeoutWillDo) {
  TestCluster cluster(1);
  cluster.Serve(1);
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
  cluster.Serve(1, "");
  const std::size_t most = cluster.Config(1).max_entry_bytes;
  const std::string largest(most, 'x');
  const auto taken = cluster.Propose(1, largest);
  ASSERT_TRUE(taken.has_value()) << taken.error().text();
  EXPECT_EQ(CodeOf(cluster.Propose(1, largest + "x")), ErrorCode::kPayloadTooLarge);
  EXPECT_EQ(cluster.Text(1).size(), most);
}

}  // namespace
}  // namespace drumbeat::node_host
