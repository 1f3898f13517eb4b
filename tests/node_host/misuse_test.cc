// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <limits>
#include <memory>
#include <string>
#include <sys/stat.h>

#include <gtest/gtest.h>
#include <unistd.h>

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
}

//
TEST(MisuseTest, EveryCallSaysWhatIsWrong) {
  TestCluster cluster(1);
  cluster.Serve(1);
  NodeHost& host = cluster.At(1);
  ExpectAll(host, kNowhere, ErrorCode::kShardNotFound);
  EXPECT_EQ(CodeOf(host.GetLeader(kNowhere)), ErrorCode::kShardNotFound);
  EXPECT_EQ(CodeOf(host.Propose(kShard, Session::NoOp(kNowhere), "x", kTimeout)),
            ErrorCode::kInvalidSession);
  EXPECT_EQ(CodeOf(host.CloseSession(Session::NoOp(kShard), kTimeout)), ErrorCode::kInvalidSession);
  // These numbers would register a session, or end it, and say that the command was applied.
  Session last = Session::Registered(kShard, 7, Session::kMaxSeries);
  for (int i = 0; i < 3; ++i) {
    last.ProposalCompleted();
    EXPECT_EQ(last.series_id(), Session::kMaxSeries + 1);
    EXPECT_EQ(CodeOf(host.Propose(kShard, last, "", kTimeout)), ErrorCode::kInvalidSession);
  }
  EXPECT_EQ(
      CodeOf(host.Propose(kShard, Session::Registered(kShard, 7, ~std::uint64_t{0}), "", kTimeout)),
      ErrorCode::kInvalidSession);
  EXPECT_EQ(CodeOf(host.RequestAddReplica(kShard, ReplicaId(9), "no address", kTimeout)),
            ErrorCode::kInvalidAddress);
  EXPECT_EQ(CodeOf(cluster.Start(1)), ErrorCode::kShardAlreadyExists);
  host.Close(milliseconds(0));
  host.Close(milliseconds(0));
  ExpectAll(host, kShard, ErrorCode::kClosed);
  EXPECT_EQ(CodeOf(host.GetLeader(kShard)), ErrorCode::kClosed);
  EXPECT_EQ(CodeOf(host.GetReplicaInfo(kShard)), ErrorCode::kClosed);
  EXPECT_EQ(CodeOf(host.StopShard(kShard)), ErrorCode::kClosed);
}

/// Two voters, and a third replica that was added as a witness.
class WitnessRoleTest : public testing::Test {
 protected:
  void SetUp() override {
    cluster_.Serve(2);
    auto added =
        cluster_.At(1).RequestAddWitness(kShard, ReplicaId(3), cluster_.Host(3).address, kTimeout);
    ASSERT_TRUE(added.Get().has_value());
    cluster_.Host(3).listener = failures_;
    cluster_.Stop(3);
    cluster_.Open(3);
  }
  Result<void> Start(std::uint64_t id, ReplicaRole role, bool join) {
    ReplicaConfig config = cluster_.Config(id);
    config.role = role;
    return cluster_.Start(id, join, config);
  }
  bool Leads(std::uint64_t id) {
    return Eventually([&] { return cluster_.At(id).GetLeader(kShard).has_value(); });
  }

  struct Failures : EventListener {
    void ReplicaFailed(const ReplicaRef&, const Error& error) override { failed = error.code; }
    std::atomic<ErrorCode> failed = ErrorCode::kTimeout;
  };
  std::shared_ptr<Failures> failures_ = std::make_shared<Failures>();
  TestCluster cluster_{3};
};

TEST_F(WitnessRoleTest, AWitnessServesNoClients) {
  const auto session = cluster_.At(1).OpenSession(kShard, kTimeout).Get();
  ASSERT_TRUE(session.has_value());
  ASSERT_TRUE(Start(3, ReplicaRole::kWitness, true).has_value());
  ASSERT_TRUE(Leads(3));
  ExpectAll(cluster_.At(3), kShard, ErrorCode::kNotSupported);
  EXPECT_EQ(CodeOf(cluster_.At(3).CloseSession(*session, kTimeout)), ErrorCode::kNotSupported);
}

// It would show an empty state, as it was sent no commands.
TEST_F(WitnessRoleTest, AWitnessThatIsStartedAsAVoterFailsAndMayComeBack) {
  ASSERT_TRUE(Start(3, ReplicaRole::kVoter, true).has_value());
  EXPECT_TRUE(Eventually([&] { return failures_->failed == ErrorCode::kBootstrapMismatch; }));
  const auto shown = cluster_.At(3).StaleRead(kShard, {});
  EXPECT_EQ(CodeOf(shown), ErrorCode::kReplicaFailed);
  EXPECT_NE(shown.error().text().find("replica 3 is a witness of its shard"), std::string::npos)
      << shown.error().text();
  ASSERT_TRUE(cluster_.At(3).StopShard(kShard).Get().has_value());
  ASSERT_TRUE(Start(3, ReplicaRole::kWitness, true).has_value());
  EXPECT_TRUE(Leads(3));
}

// All that it gets is a stub without state, and the shard's last word on its role is in that.
TEST_F(WitnessRoleTest, AWitnessThatIsStartedAsAVoterBehindACutLogFailsToo) {
  for (const std::uint64_t id : {1, 2}) {
    ASSERT_TRUE(cluster_.At(id).ReadIndex(kShard, kTimeout).Get().has_value());
    ASSERT_TRUE(cluster_.At(id).RequestSnapshot(kShard, {}, kTimeout).Get().has_value());
  }
  ASSERT_TRUE(Start(3, ReplicaRole::kVoter, true).has_value());
  EXPECT_TRUE(Eventually([&] { return failures_->failed == ErrorCode::kBootstrapMismatch; }));
  const auto shown = cluster_.At(3).StaleRead(kShard, {});
  ASSERT_EQ(CodeOf(shown), ErrorCode::kReplicaFailed);
  EXPECT_NE(shown.error().text().find("replica 3 is a witness of its shard"), std::string::npos)
      << shown.error().text();
  ASSERT_TRUE(cluster_.At(3).StopShard(kShard).Get().has_value());
  ASSERT_TRUE(Start(3, ReplicaRole::kWitness, true).has_value());
  EXPECT_TRUE(Leads(3));
}

TEST_F(WitnessRoleTest, AVoterThatIsStartedAsAWitnessFailsAndMayComeBack) {
  ASSERT_TRUE(cluster_.WaitForText(2, "a"));
  for (const bool from_snapshot : {false, true}) {
    if (from_snapshot) {
      ASSERT_TRUE(cluster_.At(2).RequestSnapshot(kShard, {}, kTimeout).Get().has_value());
    }
    ASSERT_TRUE(cluster_.At(2).StopShard(kShard).Get().has_value());
    ReplicaConfig config = cluster_.Config(2);
    config.role = ReplicaRole::kWitness;
    const StartOptions again;
    const auto text = [](ShardId, ReplicaId) { return std::make_unique<TextMachine>(); };
    ASSERT_TRUE(cluster_.At(2).StartReplica(again, text, config).has_value());
    ErrorCode said{};
    EXPECT_TRUE(Eventually([&] {
      const auto leader = cluster_.At(2).GetLeader(kShard);
      if (!leader) said = leader.error().code;
      return said == ErrorCode::kReplicaFailed;
    })) << ErrorCodeName(said);
    ASSERT_TRUE(cluster_.At(2).StopShard(kShard).Get().has_value());
    ASSERT_TRUE(cluster_.Start(2).has_value());
    EXPECT_TRUE(cluster_.WaitForText(2, "a"));
  }
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
  // None of these has bound the folder to a way to start.
  cluster.Serve(1);
}

// Who handed it in may close it, or try again with it.
TEST(MisuseTest, ASocketIsTakenOverByAHostThatOpensOnly) {
  TestCluster cluster(1);
  const int descriptor = ::dup(cluster.Host(1).listen_fd);
  struct stat handed_in{};
  ASSERT_EQ(::fstat(descriptor, &handed_in), 0);
  const auto is_open = [&] {
    struct stat now{};
    return ::fstat(descriptor, &now) == 0 && now.st_ino == handed_in.st_ino;
  };
  NodeHostConfig config = cluster.At(1).config();
  config.listen_fd = descriptor;
  EXPECT_EQ(CodeOf(NodeHost::Open(config)), ErrorCode::kLocked);
  cluster.Stop(1);
  config.tick = milliseconds(0);
  EXPECT_EQ(CodeOf(NodeHost::Open(config)), ErrorCode::kInvalidArgument);
  config.tick = milliseconds(10);
  config.transport.max_frame_bytes = 64u << 20;
  EXPECT_EQ(CodeOf(NodeHost::Open(config)), ErrorCode::kInvalidArgument);
  // As if there were no limit: multiples of it would not fit.
  config.transport.max_frame_bytes = std::size_t{1} << 62;
  EXPECT_EQ(CodeOf(NodeHost::Open(config)), ErrorCode::kInvalidArgument);
  config.transport = {};
  config.log_store_memory_bytes = std::size_t{1} << 62;
  EXPECT_EQ(CodeOf(NodeHost::Open(config)), ErrorCode::kInvalidArgument);
  config.log_store_memory_bytes = 4u << 20;
  config.tls = TlsConfig{.ca_file = "none", .certificate_file = "none", .key_file = "none"};
  EXPECT_EQ(CodeOf(NodeHost::Open(config)), ErrorCode::kStorage);
  config.tls->key_file.clear();
  EXPECT_EQ(CodeOf(NodeHost::Open(config)), ErrorCode::kInvalidArgument);
  config.tls = {};
  config.data_dir = "/proc/no/folder";
  EXPECT_EQ(CodeOf(NodeHost::Open(config)), ErrorCode::kStorage);
  EXPECT_TRUE(is_open());
  config.data_dir = cluster.Host(1).folder;
  EXPECT_TRUE(NodeHost::Open(config).has_value());
  EXPECT_FALSE(is_open());
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
