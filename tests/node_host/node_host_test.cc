// SPDX-License-Identifier: Apache-2.0
#include "drumbeat/node_host.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "test_cluster.h"

namespace drumbeat::node_host {
namespace {

constexpr ShardId kShard = TestCluster::kShard;
constexpr milliseconds kTimeout(5000);

TEST(NodeHostTest, ThreeReplicasAgreeWhereverOneProposes) {
  TestCluster cluster(3);
  cluster.Found(3);
  for (std::uint64_t id = 1; id <= 3; ++id) {
    const Result<ApplyResult> result = cluster.Propose(id, std::to_string(id));
    ASSERT_TRUE(result.has_value()) << result.error().text();
    EXPECT_EQ(result->value, id);
    EXPECT_EQ(result->data, std::to_string(id));
  }
  for (std::uint64_t id = 1; id <= 3; ++id) EXPECT_TRUE(cluster.WaitForText(id, "123"));
}

TEST(NodeHostTest, ASingleReplicaServesAndRemembersAcrossRestarts) {
  TestCluster cluster(1);
  cluster.Serve(1);
  ASSERT_TRUE(cluster.Propose(1, "").has_value());
  cluster.Stop(1);
  cluster.Open(1);
  ASSERT_TRUE(cluster.Start(1).has_value());
  ASSERT_TRUE(cluster.Propose(1, "b").has_value());
  EXPECT_EQ(cluster.Text(1), "ab");
}

TEST(NodeHostTest, LinearizableReadsSeeWhatWasWrittenElsewhere) {
  TestCluster cluster(3);
  cluster.Found(3);
  std::string expected;
  for (int i = 0; i < 20; ++i) {
    const std::uint64_t writer = 1 + static_cast<std::uint64_t>(i % 3);
    ASSERT_TRUE(cluster.Propose(writer, "x").has_value());
    expected += "x";
    for (std::uint64_t reader = 1; reader <= 3; ++reader) {
      const Result<std::any> text = cluster.At(reader).Read(kShard, {}, kTimeout).Get();
      ASSERT_TRUE(text.has_value()) << text.error().text();
      EXPECT_EQ(std::any_cast<std::string>(*text), expected);
    }
  }
}

TEST(NodeHostTest, ARegisteredSessionAppliesASeriesOnce) {
  TestCluster cluster(3);
  cluster.Found(3);
  cluster.WaitForLeader();
  Result<Session> session = cluster.At(1).OpenSession(kShard, kTimeout).Get();
  ASSERT_TRUE(session.has_value()) << session.error().text();
  // Twice the same series, through two hosts: one application, one result.
  const auto first = cluster.At(1).Propose(kShard, *session, "a", kTimeout).Get();
  const auto again = cluster.At(2).Propose(kShard, *session, "a", kTimeout).Get();
  ASSERT_TRUE(first.has_value() && again.has_value());
  EXPECT_EQ(*first, *again);
  session->ProposalCompleted();
  ASSERT_TRUE(cluster.At(3).Propose(kShard, *session, "b", kTimeout).Get().has_value());
  EXPECT_TRUE(cluster.WaitForText(1, "ab"));
  ASSERT_TRUE(cluster.At(1).CloseSession(*session, kTimeout).Get().has_value());
  session->ProposalCompleted();
  const auto late = cluster.At(1).Propose(kShard, *session, "c", kTimeout).Get();
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, ErrorCode::kSessionExpired);
  EXPECT_EQ(late.error().outcome(), Outcome::kDidNotHappen);
}

TEST(NodeHostTest, AReplicaJoinsThroughASnapshotAfterTheLogWasCut) {
  TestCluster cluster(4);
  cluster.snapshot_entries = 10;
  cluster.compaction_overhead = 2;
  cluster.Found(3);
  std::string expected;
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(cluster.Propose(1, "y").has_value());
    expected += "y";
  }
  const auto added = cluster.At(2)
                         .RequestAddReplica(kShard, ReplicaId(4), cluster.Host(4).address, kTimeout)
                         .Get();
  ASSERT_TRUE(added.has_value()) << added.error().text();
  EXPECT_EQ(added->voters.size(), 4u);
  ASSERT_TRUE(cluster.Start(4, true).has_value());
  EXPECT_TRUE(cluster.WaitForText(4, expected));
  EXPECT_TRUE(cluster.Host(4).log->Has("recovered from snapshot"));
  EXPECT_TRUE(cluster.Host(4).log->Has("received snapshot of [00128:00004] at index "));
  // Whoever sent it says so when the end was confirmed.
  EXPECT_TRUE(Eventually([&] {
    for (std::uint64_t id = 1; id <= 3; ++id) {
      if (cluster.Host(id).log->Has("sent snapshot of [00128:0000" + std::to_string(id) +
                                    "] at index ")) {
        return true;
      }
    }
    return false;
  }));
  ASSERT_TRUE(cluster.Propose(4, "z").has_value());
  EXPECT_TRUE(cluster.WaitForText(1, expected + "z"));
}

// M-09: a second process as the same member, elsewhere and with a folder of its own.
TEST(NodeHostTest, AMembersDoubleElsewhereIsNotHeard) {
  TestCluster cluster(4);
  cluster.Serve(3);
  ASSERT_TRUE(cluster.WaitForText(3, "a"));
  StartOptions options;
  options.initial_members = cluster.Founders();
  options.initial_members[ReplicaId(3)] = cluster.Host(4).address;
  const auto started = cluster.At(4).StartReplica(
      options, [](ShardId, ReplicaId) { return std::make_unique<TextMachine>(); },
      cluster.Config(3));
  ASSERT_TRUE(started.has_value()) << started.error().text();
  const std::string warning = "dropped a message in the name of [00128:00003] from " +
                              cluster.Host(4).address + ", which is not that member's address";
  EXPECT_TRUE(Eventually(
      [&] { return cluster.Host(1).log->Has(warning) && cluster.Host(2).log->Has(warning); }));
  // The members go on, the real third one too, and the double got nothing.
  std::string expected = "a";
  for (std::uint64_t id = 1; id <= 3; ++id) {
    ASSERT_TRUE(cluster.Propose(id, "b").has_value());
    expected += "b";
  }
  for (std::uint64_t id = 1; id <= 3; ++id) EXPECT_TRUE(cluster.WaitForText(id, expected)) << id;
  EXPECT_EQ(cluster.Text(4), "");
}

TEST(NodeHostTest, MembershipRulesRefuseWithAReason) {
  TestCluster cluster(3);
  cluster.Serve(3);
  NodeHost& host = cluster.At(1);
  const std::string spare = "127.0.0.1:9";
  const auto code = [](const Result<Membership>& result) {
    return result ? ErrorCode::kNothingToDo : result.error().code;
  };
  EXPECT_EQ(code(host.RequestAddReplica(kShard, ReplicaId(2), spare, kTimeout).Get()),
            ErrorCode::kRejected);
  EXPECT_EQ(
      code(host.RequestAddReplica(kShard, ReplicaId(9), cluster.Host(2).address, kTimeout).Get()),
      ErrorCode::kRejected);
  EXPECT_EQ(code(host.RequestAddReplica(kShard, ReplicaId(9), "nonsense", kTimeout).Get()),
            ErrorCode::kInvalidAddress);
  EXPECT_EQ(code(host.RequestAddReplica(kShard, ReplicaId(0), spare, kTimeout).Get()),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(host.RequestDeleteReplica(kShard, ReplicaId(9), kTimeout).Get()),
            ErrorCode::kRejected);
  ASSERT_TRUE(host.RequestDeleteReplica(kShard, ReplicaId(3), kTimeout).Get().has_value());
  EXPECT_EQ(code(host.RequestAddReplica(kShard, ReplicaId(3), spare, kTimeout).Get()),
            ErrorCode::kRejected);
}

TEST(NodeHostTest, AMemberWithoutWhomTooFewAnswerIsNotRemoved) {
  TestCluster cluster(3);
  cluster.Serve(3);
  const std::uint64_t leader = cluster.WaitForLeader();
  const std::uint64_t gone = leader % 3 + 1;
  const std::uint64_t other = 6 - leader - gone;
  cluster.Stop(gone);
  NodeHost& host = cluster.At(leader);
  // It cannot take over, which shows when it has missed many heartbeats.
  const auto moved = host.RequestLeaderTransfer(kShard, ReplicaId(gone), milliseconds(1000)).Get();
  ASSERT_FALSE(moved.has_value());
  const auto refused = host.RequestDeleteReplica(kShard, ReplicaId(other), kTimeout).Get();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kRejected) << refused.error().text();
  EXPECT_NE(refused.error().text().find("too few"), std::string::npos) << refused.error().text();
  ASSERT_TRUE(cluster.Propose(leader, "b").has_value());
  EXPECT_TRUE(host.RequestDeleteReplica(kShard, ReplicaId(gone), kTimeout).Get().has_value());
}

TEST(NodeHostTest, ARemovedReplicaSaysSo) {
  TestCluster cluster(3);
  cluster.Serve(3);
  const std::uint64_t leader = cluster.WaitForLeader();
  const std::uint64_t victim = leader % 3 + 1;
  const auto is_removed = [&] {
    const auto refused =
        cluster.At(victim).Propose(kShard, Session::NoOp(kShard), "b", kTimeout).Get();
    return !refused && refused.error().code == ErrorCode::kReplicaRemoved;
  };
  ASSERT_TRUE(cluster.At(leader)
                  .RequestDeleteReplica(kShard, ReplicaId(victim), kTimeout)
                  .Get()
                  .has_value());
  ASSERT_TRUE(Eventually(is_removed));
  ASSERT_TRUE(cluster.Propose(leader, "b").has_value());
  // It meets its removal again after a restart.
  cluster.Stop(victim);
  cluster.Open(victim);
  ASSERT_TRUE(cluster.Start(victim).has_value());
  EXPECT_TRUE(Eventually(is_removed));
}

TEST(NodeHostTest, LeadershipMovesOnRequestAndOnClose) {
  TestCluster cluster(3);
  cluster.Serve(3);
  const std::uint64_t leader = cluster.WaitForLeader();
  const std::uint64_t target = leader % 3 + 1;
  const auto moved =
      cluster.At(leader).RequestLeaderTransfer(kShard, ReplicaId(target), kTimeout).Get();
  ASSERT_TRUE(moved.has_value()) << moved.error().text();
  EXPECT_EQ(moved->leader, ReplicaId(target));
  // Closing hands over at once: far quicker than an election timeout of 200 to 390 ms would be.
  ASSERT_TRUE(cluster.Propose(target, "b").has_value());
  cluster.Stop(target);
  const auto after = cluster.At(leader).GetLeader(kShard);
  ASSERT_TRUE(after.has_value());
  EXPECT_NE(after->leader, ReplicaId(target));
  ASSERT_TRUE(cluster.Propose(leader, "c").has_value());
}

// The others never campaign by themselves: one of them leads because it was told to.
TEST(NodeHostTest, ALeaderThatIsRemovedHandsOver) {
  TestCluster cluster(3);
  cluster.Serve(3);
  for (const std::uint64_t patient : {2u, 3u}) {
    cluster.Stop(patient);
    cluster.Open(patient);
    ReplicaConfig config = cluster.Config(patient);
    config.election_ticks = 100'000;
    ASSERT_TRUE(cluster.Start(patient, false, config).has_value());
  }
  ASSERT_TRUE(cluster.Propose(1, "b").has_value());
  ASSERT_TRUE(Eventually([&] {
    const auto leader = cluster.At(1).GetLeader(kShard);
    return leader && leader->leader == ReplicaId(1);
  }));
  // Refused while the one that was started last has not shown itself. The answer may come from a
  // replica that has stopped meanwhile.
  ASSERT_TRUE(Eventually([&] {
    const auto removed = cluster.At(1).RequestDeleteReplica(kShard, ReplicaId(1), kTimeout).Get();
    return removed || removed.error().code != ErrorCode::kRejected;
  }));
  ASSERT_TRUE(Eventually([&] {
    const auto leader = cluster.At(2).GetLeader(kShard);
    return leader && leader->leader && leader->leader != ReplicaId(1);
  }));
  EXPECT_TRUE(cluster.Propose(2, "c").has_value());
}

/// Starts replica `id` of a cluster that is stopped. Nobody leads and it does not campaign: nothing
/// but showing itself brings it to dial anybody. Returns whether it dials all `members`.
bool ShowsItself(TestCluster& cluster, std::uint64_t id, const StartOptions& options,
                 const std::vector<std::uint64_t>& members) {
  const auto log = cluster.Host(id).log = std::make_shared<QuietSink>();
  cluster.Open(id);
  ReplicaConfig config = cluster.Config(id);
  config.election_ticks = 100'000;
  EXPECT_TRUE(
      cluster.At(id)
          .StartReplica(
              options, [](ShardId, ReplicaId) { return std::make_unique<TextMachine>(); }, config)
          .has_value());
  const std::string dialled = "raft TCP stream from [00128:0000" + std::to_string(id) + "] to ";
  return Eventually([&] {
    return std::ranges::all_of(members, [&](std::uint64_t member) {
      return log->Has(dialled + "[00128:0000" + std::to_string(member) + "] established");
    });
  });
}

TEST(NodeHostTest, AReplicaThatComesBackShowsItselfToAllMembers) {
  TestCluster cluster(3);
  cluster.Serve(3);
  for (std::uint64_t id = 1; id <= 3; ++id) cluster.Stop(id);
  EXPECT_TRUE(ShowsItself(cluster, 1, {.initial_members = cluster.Founders()}, {2, 3}));
}

TEST(NodeHostTest, AReplicaThatComesBackShowsItselfToThoseWhomItsLogNames) {
  TestCluster cluster(3);
  cluster.Serve(2);
  ASSERT_TRUE(cluster.At(1)
                  .RequestAddReplica(kShard, ReplicaId(3), cluster.Host(3).address, kTimeout)
                  .Get()
                  .has_value());
  ASSERT_TRUE(cluster.Start(3, true).has_value());
  ASSERT_TRUE(cluster.Propose(3, "b").has_value());
  for (std::uint64_t id = 1; id <= 3; ++id) {
    ASSERT_TRUE(cluster.WaitForText(id, "ab"));
    cluster.Stop(id);
  }
  EXPECT_TRUE(ShowsItself(cluster, 1, {.initial_members = cluster.Founders()}, {2, 3}));
  cluster.Stop(1);
  EXPECT_TRUE(ShowsItself(cluster, 2, {}, {1, 3}));
  cluster.Stop(2);
  EXPECT_TRUE(ShowsItself(cluster, 3, {.join = true}, {1, 2}));
}

TEST(NodeHostTest, AFailingStateMachineStopsItsReplicaAlone) {
  for (const std::string how : {"throw", "fail"}) {
    TestCluster cluster(1);
    cluster.Found(1);
    ReplicaConfig other = cluster.Config(1);
    other.shard_id = ShardId(7);
    StartOptions options;
    options.initial_members = cluster.Founders();
    ASSERT_TRUE(
        cluster.At(1)
            .StartReplica(
                options, [](ShardId, ReplicaId) { return std::make_unique<TextMachine>(); }, other)
            .has_value());
    const auto failed = cluster.Propose(1, how);
    ASSERT_FALSE(failed.has_value());
    EXPECT_EQ(failed.error().outcome(), Outcome::kUnknown);
    const auto later = cluster.Propose(1, "a");
    ASSERT_FALSE(later.has_value());
    EXPECT_EQ(later.error().code, ErrorCode::kReplicaFailed);
    EXPECT_NE(later.error().text().find("as the test told it"), std::string::npos);
    Result<ApplyResult> fine = Fail(ErrorCode::kNoLeader);
    EXPECT_TRUE(Eventually([&] {
      fine = cluster.At(1).Propose(ShardId(7), Session::NoOp(ShardId(7)), "a", kTimeout).Get();
      return fine.has_value();
    }));
  }
}

TEST(NodeHostTest, BootstrapContradictionsAreRefused) {
  TestCluster cluster(2);
  cluster.Serve(1);
  EXPECT_EQ(cluster.Start(1).error().code, ErrorCode::kShardAlreadyExists);
  ASSERT_TRUE(cluster.At(1).StopShard(kShard).Get().has_value());
  EXPECT_EQ(cluster.Start(1, true).error().code, ErrorCode::kBootstrapMismatch);
  ReplicaConfig other = cluster.Config(2);
  EXPECT_EQ(cluster.At(1)
                .StartReplica(
                    {.initial_members = {}, .join = true},
                    [](ShardId, ReplicaId) { return std::make_unique<TextMachine>(); }, other)
                .error()
                .code,
            ErrorCode::kBootstrapMismatch);
  const Result<void> unknown = cluster.At(2).StartReplica(
      {}, [](ShardId, ReplicaId) { return std::make_unique<TextMachine>(); }, cluster.Config(2));
  EXPECT_EQ(unknown.error().code, ErrorCode::kBootstrapMismatch);
  ASSERT_TRUE(cluster.Start(1).has_value());
  ASSERT_TRUE(cluster.Propose(1, "b").has_value());
  EXPECT_EQ(cluster.Text(1), "ab");
}

TEST(NodeHostTest, RequestsEndWhenTheHostCloses) {
  TestCluster cluster(3);
  cluster.Serve(3);
  cluster.Stop(2);
  cluster.Stop(3);
  // Without a quorum this would wait for a minute.
  auto waiting = cluster.At(1).Propose(kShard, Session::NoOp(kShard), "b", milliseconds(60000));
  std::promise<ErrorCode> told;
  cluster.At(1)
      .Propose(kShard, Session::NoOp(kShard), "c", milliseconds(60000))
      .Then([&](Result<ApplyResult> result) { told.set_value(result.error().code); });
  NodeHost& host = cluster.At(1);
  host.Close(milliseconds(0));
  const auto ended = waiting.Get();
  ASSERT_FALSE(ended.has_value());
  EXPECT_TRUE(ended.error().code == ErrorCode::kTerminated ||
              ended.error().code == ErrorCode::kNoLeader);
  const ErrorCode code = told.get_future().get();
  EXPECT_TRUE(code == ErrorCode::kTerminated || code == ErrorCode::kNoLeader);
  EXPECT_EQ(host.Propose(kShard, Session::NoOp(kShard), "d", kTimeout).Get().error().code,
            ErrorCode::kClosed);
}

TEST(NodeHostTest, ASnapshotOnRequestCutsTheLogAndSurvivesARestart) {
  TestCluster cluster(1);
  cluster.Found(1);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(cluster.Propose(1, "s").has_value());
  const auto taken = cluster.At(1).RequestSnapshot(kShard, {}, kTimeout).Get();
  ASSERT_TRUE(taken.has_value()) << taken.error().text();
  EXPECT_EQ(cluster.At(1).RequestSnapshot(kShard, {}, kTimeout).Get().error().code,
            ErrorCode::kNothingToDo);
  ASSERT_TRUE(cluster.Propose(1, "t").has_value());
  cluster.Stop(1);
  cluster.Open(1);
  ASSERT_TRUE(cluster.Start(1).has_value());
  EXPECT_TRUE(cluster.WaitForText(1, "ssssst"));
  EXPECT_EQ(cluster.At(1).GetReplicaInfo(kShard)->snapshot_index, *taken);
}

}  // namespace
}  // namespace drumbeat::node_host
