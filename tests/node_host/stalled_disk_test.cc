// SPDX-License-Identifier: Apache-2.0
#include <any>
#include <string>

#include <gtest/gtest.h>

#include "local_hosts.h"

namespace drumbeat::node_host {
namespace {

using StalledDiskTest = LocalHostsTest;

// S-15, P-08, B-16: a leader that waits for its disk sends no heartbeats, so it is replaced.
TEST_F(StalledDiskTest, ALeaderThatCannotWriteIsReplaced) {
  const std::uint64_t leader = LeaderSeenBy(1);
  ASSERT_TRUE(Propose(leader, "a").has_value());
  disks_[leader].Stall(true);
  Request<ApplyResult> waits =
      hosts_[leader]->Propose(kShard, Session::NoOp(kShard), "b", milliseconds(100));
  const std::uint64_t other = leader % 3 + 1;
  const std::uint64_t next = LeaderSeenBy(other, leader);
  EXPECT_NE(next, leader);
  const auto written = Propose(other, "c");
  EXPECT_TRUE(written.has_value()) << written.error().text();

  disks_[leader].Stall(false);
  // The request ends, and what it says is true: "b" may have reached the others before the stall.
  const Result<ApplyResult> outcome = waits.Get();
  EXPECT_TRUE(outcome || outcome.error().code == ErrorCode::kTimeout);
  EXPECT_EQ(LeaderSeenBy(leader, leader), LeaderSeenBy(other));
  ASSERT_TRUE(Propose(leader, "d").has_value());
  const auto text = [&](std::uint64_t id) {
    const auto read = hosts_[id]->Read(kShard, {}, milliseconds(5000)).Get();
    return read ? std::any_cast<std::string>(*read) : std::string(read.error().text());
  };
  EXPECT_EQ(text(leader), text(other));
  EXPECT_NE(text(leader).find('c'), std::string::npos);
}

}  // namespace
}  // namespace drumbeat::node_host
