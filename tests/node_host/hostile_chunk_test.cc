// SPDX-License-Identifier: Apache-2.0
#include <string>

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
  codec::Chunk elsewhere = Snapshot(leader, follower);
  elsewhere.shard = ShardId(2);
  EXPECT_FALSE(Deliver(elsewhere)) << "of a shard that is not here";
  codec::Chunk stub = Snapshot(leader, follower);
  stub.witness = true;
  stub.data = base::Bytes::Copy(codec::WitnessImage(1));
  EXPECT_FALSE(Deliver(stub)) << "a witness's, which holds no state";

  for (std::uint64_t id = 1; id <= 3; ++id) {
    const auto info = hosts_[id]->GetReplicaInfo(kShard);
    ASSERT_TRUE(info.has_value());
    EXPECT_EQ(info->snapshot_index, Index(0)) << id;
  }
  EXPECT_TRUE(Propose(follower, "b").has_value());
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

}  // namespace
}  // namespace drumbeat::node_host
