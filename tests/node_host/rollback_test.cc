// SPDX-License-Identifier: Apache-2.0
//
// B-55: a membership change that is replaced, on the real store.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "logging/logger.h"
#include "storage/data_folder.h"
#include "storage/rocksdb_stores.h"
#include "test_cluster.h"

namespace drumbeat::node_host {
namespace {

constexpr ShardId kShard = TestCluster::kShard;
constexpr milliseconds kTimeout(20'000);
constexpr ReplicaId kNever(9);

class RollbackTest : public testing::Test {
 protected:
  RollbackTest() {
    // Long enough to believe to lead while the others are stopped.
    for (std::uint64_t id = 1; id <= 3; ++id) cluster_.election_ticks[id] = 60;
  }

  ReplicaInfo Info(std::uint64_t id) { return cluster_.At(id).GetReplicaInfo(kShard).value(); }
  void Begin(std::uint64_t id) {
    cluster_.Open(id);
    ASSERT_TRUE(cluster_.Start(id).has_value());
  }
  /// Waits until `id` has appended one more entry, as a record of its own, that nobody commits.
  template <class Ask>
  void Append(std::uint64_t id, Ask ask) {
    const ReplicaInfo before = Info(id);
    auto request = ask(cluster_.At(id));
    ASSERT_TRUE(Eventually([&] { return Info(id).last_index > before.last_index; }));
    EXPECT_EQ(Info(id).committed, before.committed);
  }

  /// What the folder of a host that is stopped holds.
  struct Stored {
    storage::StoredLog log;
    Membership snapshot;
    /// The changes in the log, the founding members' not among them.
    std::vector<Index> changes;
  };
  Stored Look(std::uint64_t id) {
    const ReplicaRef replica{kShard, ReplicaId(id)};
    const storage::Stores stores =
        storage::OpenRocksDbStores({.directory = cluster_.Host(id).folder / storage::kStoresName,
                                    .memory_bytes = 4u << 20},
                                   logging::Logger(nullptr, LogLevel::kOff, "test"))
            .value();
    Stored stored{.log = stores.log->Load(replica).value(), .snapshot = {}, .changes = {}};
    const auto newest = stores.snapshots->Newest(replica).value();
    if (newest) stored.snapshot = newest->membership;
    for (Index next = stored.log.first; next <= stored.log.last; next = next + 1) {
      const auto entries = stores.log->Read(replica, next, next + 1, 0);
      const bool change = entries.value().front().type == raft::EntryType::kConfigChange;
      if (change && next > Index(3)) stored.changes.push_back(next);
    }
    return stored;
  }

  TestCluster cluster_{3};
};

TEST_F(RollbackTest, AChangeThatWasReplacedStaysAwayAfterACutAndARestart) {
  cluster_.Serve(3);
  const std::uint64_t leader = cluster_.WaitForLeader();
  const std::uint64_t left = leader % 3 + 1;
  const std::uint64_t right = left % 3 + 1;
  for (const std::uint64_t id : {left, right}) ASSERT_TRUE(cluster_.WaitForText(id, "a"));

  // The change stands alone in the leader's log.
  for (const std::uint64_t id : {left, right}) cluster_.Stop(id);
  const auto propose = [](NodeHost& host) {
    return host.Propose(kShard, Session::NoOp(kShard), "lost", kTimeout);
  };
  Append(leader, propose);
  Append(leader, [](NodeHost& host) {
    return host.RequestAddNonVoting(kShard, kNever, "127.0.0.1:9", kTimeout);
  });
  const Index change = Info(leader).last_index;
  Append(leader, propose);
  cluster_.Stop(leader);
  ASSERT_EQ(Look(leader).changes, std::vector<Index>{change});

  // The others go on without it, and replace it.
  for (const std::uint64_t id : {left, right}) cluster_.LoseSent(id);
  for (const std::uint64_t id : {left, right}) Begin(id);
  std::string expected = "a";
  for (int i = 0; i < 4; ++i, expected += "b") {
    ASSERT_TRUE(cluster_.Propose(left, "b").has_value());
  }
  ASSERT_GT(Info(left).last_index, change);
  Begin(leader);
  ASSERT_TRUE(cluster_.WaitForText(leader, expected));
  cluster_.Stop(leader);
  EXPECT_TRUE(Look(leader).changes.empty());

  // As much as is worth a cut.
  Begin(leader);
  for (int i = 0; i < 4; ++i, expected += std::string(400u << 10, 'c')) {
    ASSERT_TRUE(cluster_.Propose(left, std::string(400u << 10, 'c')).has_value());
  }
  ASSERT_TRUE(cluster_.WaitForText(leader, expected));
  const auto taken =
      cluster_.At(leader).RequestSnapshot(kShard, {.compaction_overhead = 0}, kTimeout).Get();
  ASSERT_TRUE(taken.has_value()) << taken.error().text();
  for (std::uint64_t id = 1; id <= 3; ++id) cluster_.Stop(id);
  const Stored stored = Look(leader);
  EXPECT_GT(stored.log.first, change);
  EXPECT_TRUE(stored.changes.empty());
  EXPECT_EQ(stored.snapshot.voters.size(), 3u);
  EXPECT_TRUE(stored.snapshot.non_votings.empty());

  // Alone it knows what it has stored.
  Begin(leader);
  ASSERT_TRUE(cluster_.WaitForText(leader, expected));
  EXPECT_TRUE(Info(leader).membership.non_votings.empty());
  for (const std::uint64_t id : {left, right}) Begin(id);
  ASSERT_TRUE(cluster_.Propose(leader, "d").has_value());
  const auto members = cluster_.At(leader).GetShardMembership(kShard, kTimeout).Get();
  ASSERT_TRUE(members.has_value()) << members.error().text();
  EXPECT_EQ(members->voters.size(), 3u);
  EXPECT_TRUE(members->non_votings.empty());
}

}  // namespace
}  // namespace drumbeat::node_host
