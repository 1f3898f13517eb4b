// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "codec/image_fixture.h"
#include "codec/snapshot_image.h"
#include "local_hosts.h"

namespace drumbeat::node_host {
namespace {

class HostileChunkTest : public LocalHostsTest {
 protected:
  /// A whole snapshot ahead of everything, from one member to another.
  codec::Chunk Snapshot(std::uint64_t from, std::uint64_t to) {
    codec::Chunk chunk;
    chunk.shard = kShard;
    chunk.to = ReplicaId(to);
    chunk.from = ReplicaId(from);
    chunk.chunk_count = 1;
    chunk.index = Index(1000);
    chunk.term = Term(1);
    chunk.membership.config_change_id = 3;
    for (std::uint64_t id = 1; id <= 3; ++id) chunk.membership.voters[ReplicaId(id)] = Address(id);
    chunk.data = base::Bytes::Copy(codec::ImageOf(codec::EncodeSessions({}) + "forged"));
    return chunk;
  }
  bool Deliver(const codec::Chunk& chunk) {
    return board_.Deliver(Address(chunk.to.value()), chunk);
  }
};

// What a replica would ignore anyway must not become durable: a restart would begin from it.
TEST_F(HostileChunkTest, WhatTheReplicaWouldNotTakeIsRefused) {
  const std::uint64_t leader = LeaderSeenBy(1);
  ASSERT_TRUE(Propose(leader, "a").has_value());
  const std::uint64_t follower = leader % 3 + 1;
  ASSERT_EQ(LeaderSeenBy(follower), leader);

  EXPECT_FALSE(Deliver(Snapshot(follower, leader))) << "who leads needs none";
  EXPECT_FALSE(Deliver(Snapshot(9, follower))) << "a stranger's";
  EXPECT_FALSE(Deliver(Snapshot(follower, follower))) << "in its own name";
  codec::Chunk elsewhere = Snapshot(leader, follower);
  elsewhere.shard = ShardId(2);
  EXPECT_FALSE(Deliver(elsewhere)) << "of a shard that is not here";
  codec::Chunk stub = Snapshot(leader, follower);
  stub.witness = true;
  stub.data = base::Bytes::Copy(codec::WitnessImage(1));
  EXPECT_FALSE(Deliver(stub)) << "a witness's, which holds no state";
  stub.from = ReplicaId(9);
  stub.membership.witnesses[stub.to] = Address(follower);
  stub.membership.voters.erase(stub.to);
  EXPECT_FALSE(Deliver(stub)) << "a stranger's, who says what the role here is";

  for (std::uint64_t id = 1; id <= 3; ++id) {
    const auto info = hosts_[id]->GetReplicaInfo(kShard);
    ASSERT_TRUE(info.has_value());
    EXPECT_EQ(info->snapshot_index, Index(0)) << id;
  }
  EXPECT_TRUE(Propose(follower, "b").has_value());
}

TEST_F(HostileChunkTest, NobodysIsRefusedAlsoWhereNobodyLeads) {
  const std::uint64_t leader = LeaderSeenBy(1);
  const std::uint64_t follower = leader % 3 + 1;
  for (std::uint64_t id = 1; id <= 3; ++id) {
    if (id != follower) hosts_[id]->Close({});
  }
  ASSERT_TRUE(Eventually([&] {
    const auto info = hosts_[follower]->GetLeader(kShard);
    return info && !info->leader;
  }));
  EXPECT_FALSE(Deliver(Snapshot(0, follower)));
}

// The control: the same in the right hands is taken.
TEST_F(HostileChunkTest, ALeadersSnapshotIsTaken) {
  const std::uint64_t leader = LeaderSeenBy(1);
  const std::uint64_t follower = leader % 3 + 1;
  ASSERT_EQ(LeaderSeenBy(follower), leader);
  EXPECT_TRUE(Deliver(Snapshot(leader, follower)));
  EXPECT_TRUE(Eventually([&] {
    const auto info = hosts_[follower]->GetReplicaInfo(kShard);
    return info && info->snapshot_index == Index(1000);
  }));
}

class LastPlaceTest : public HostileChunkTest {
 protected:
  void SetUp() override {
    max_snapshots_in_ = 1;
    HostileChunkTest::SetUp();
    leader_ = LeaderSeenBy(1);
    follower_ = leader_ % 3 + 1;
    ASSERT_EQ(LeaderSeenBy(follower_), leader_);
  }
  bool IsAt(Index index) {
    return Eventually([&] {
      const auto info = hosts_[follower_]->GetReplicaInfo(kShard);
      return info && info->snapshot_index == index;
    });
  }

  std::uint64_t leader_ = 0;
  std::uint64_t follower_ = 0;
};

TEST_F(LastPlaceTest, AStreamThatBrokeOffMakesRoomForTheNext) {
  codec::Chunk chunk = Snapshot(leader_, follower_);
  ASSERT_TRUE(Deliver(Halves(chunk).first));
  chunk.index = Index(1001);
  EXPECT_TRUE(Deliver(chunk));
  EXPECT_TRUE(IsAt(Index(1001)));
}

TEST_F(LastPlaceTest, WhatTheLeaderSendsIsEndedByNoOtherMember) {
  const auto [first, second] = Halves(Snapshot(leader_, follower_));
  ASSERT_TRUE(Deliver(first));
  const auto others = Halves(Snapshot(6 - leader_ - follower_, follower_));
  EXPECT_FALSE(Deliver(others.first));
  EXPECT_FALSE(Deliver(others.second));
  EXPECT_TRUE(Deliver(second));
  EXPECT_TRUE(IsAt(Index(1000)));
}

TEST_F(LastPlaceTest, AReplicaThatIsStoppedGivesItBack) {
  ASSERT_TRUE(Deliver(Halves(Snapshot(leader_, follower_)).first));
  ReplicaConfig config;
  config.shard_id = ShardId(2);
  config.replica_id = ReplicaId(follower_);
  const StartOptions founders{.initial_members = {{ReplicaId(leader_), Address(leader_)},
                                                  {ReplicaId(follower_), Address(follower_)}}};
  ASSERT_TRUE(
      hosts_[follower_]
          ->StartReplica(
              founders, [](ShardId, ReplicaId) { return std::make_unique<TextMachine>(); }, config)
          .has_value());
  codec::Chunk elsewhere = Snapshot(leader_, follower_);
  elsewhere.shard = config.shard_id;
  EXPECT_TRUE(
      Eventually([&] { return hosts_[follower_]->StaleRead(config.shard_id, {}).has_value(); }));
  EXPECT_FALSE(Deliver(elsewhere));
  ASSERT_TRUE(hosts_[follower_]->StopShard(kShard).Get().has_value());
  EXPECT_TRUE(Deliver(elsewhere));
}

}  // namespace
}  // namespace drumbeat::node_host
