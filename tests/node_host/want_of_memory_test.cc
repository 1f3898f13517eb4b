// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <new>
#include <variant>

#include <gtest/gtest.h>

#include "local_hosts.h"

namespace drumbeat::node_host {
namespace {

using WantOfMemoryTest = LocalHostsTest;

// P4: memory that is not there ends the replica whose turn it was, not the process.
TEST_F(WantOfMemoryTest, WhatCannotBeSentEndsItsReplica) {
  const std::uint64_t leader = LeaderSeenBy(1);
  ASSERT_TRUE(Propose(leader, "a").has_value());
  board_.OnSend([leader](const raft::Envelope& message) {
    const auto* append = std::get_if<raft::AppendEntries>(&message.message);
    if (append == nullptr || append->entries.empty()) return;
    if (message.from == ReplicaId(leader)) throw std::bad_alloc();
  });
  const Result<ApplyResult> lost = Propose(leader, "b");
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().code, ErrorCode::kTerminated);
  ASSERT_TRUE(Eventually([&] { return Log(leader)->Has("failed and stops"); }));
  EXPECT_EQ(Propose(leader, "c").error().code, ErrorCode::kReplicaFailed);

  const std::uint64_t other = leader % 3 + 1;
  LeaderSeenBy(other, leader);
  EXPECT_TRUE(Propose(other, "d").has_value());
}

}  // namespace
}  // namespace drumbeat::node_host
