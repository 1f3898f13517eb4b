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

}  // namespace
}  // namespace drumbeat::node_host
