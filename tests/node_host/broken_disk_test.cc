// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <gtest/gtest.h>

#include "local_hosts.h"

namespace drumbeat::node_host {
namespace {

using BrokenDiskTest = LocalHostsTest;

// S-01: found by the nemesis, which broke a leader's disk at the moment of a cut.
TEST_F(BrokenDiskTest, ACutThatFailsEndsTheHostWithTheDisksError) {
  // As much as is worth a cut.
  const std::string much(400u << 10, 'a');
  ASSERT_NE(LeaderSeenBy(1), 0U);
  for (int i = 0; i < 4; ++i) {
    const auto written = Propose(1, much);
    ASSERT_TRUE(written.has_value()) << written.error().text();
  }
  disks_[1].BreakBehindSnapshot();
  (void)hosts_[1]->RequestSnapshot(kShard, {.compaction_overhead = 1}, milliseconds(5000)).Get();
  ErrorCode said = ErrorCode::kTimeout;
  EXPECT_TRUE(Eventually([&] {
    const auto leader = hosts_[1]->GetLeader(kShard);
    if (!leader) said = leader.error().code;
    return !leader;
  }));
  EXPECT_EQ(said, ErrorCode::kHostFailed);
}

TEST_F(BrokenDiskTest, AStartThatCannotBeRecordedEndsTheHost) {
  ASSERT_NE(LeaderSeenBy(1), 0U);
  disks_[1].Break();
  ReplicaConfig config;
  config.shard_id = ShardId(2);
  config.replica_id = ReplicaId(1);
  StartOptions options;
  options.initial_members[ReplicaId(1)] = Address(1);
  const auto started = hosts_[1]->StartReplica(
      options, [](ShardId, ReplicaId) { return std::make_unique<TextMachine>(); }, config);
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, ErrorCode::kWriteFailed) << started.error().text();
  const auto leader = hosts_[1]->GetLeader(kShard);
  ASSERT_FALSE(leader.has_value()) << "the host writes nothing any more";
  EXPECT_EQ(leader.error().code, ErrorCode::kHostFailed);
}

}  // namespace
}  // namespace drumbeat::node_host
