// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace drumbeat::base {
namespace {

/// What a failed check says within the scopes around the call; empty if it did not throw.
std::string WhatIsThrown() {
  try {
    DRUMBEAT_CHECK(1 + 1 == 3, "sums are right");
  } catch (const InvariantBroken& broken) {
    return broken.what();
  }
  return "";
}

TEST(CheckTest, WhatHoldsDoesNothing) {
  int evaluated = 0;
  DRUMBEAT_CHECK(++evaluated == 1, "it is evaluated");
  EXPECT_EQ(evaluated, 1);
}

TEST(CheckTest, WithinAScopeItThrowsAndNamesTheReplica) {
  const ReplicaScope scope(ShardId(7), ReplicaId(3));
  const std::string text = WhatIsThrown();
  EXPECT_NE(text.find("shard 7 replica 3"), std::string::npos) << text;
  EXPECT_NE(text.find("sums are right"), std::string::npos) << text;
  EXPECT_NE(text.find("1 + 1 == 3"), std::string::npos) << text;
  EXPECT_NE(text.find("check_test.cc"), std::string::npos) << text;
}

TEST(CheckTest, ScopesNestAndEnd) {
  const ReplicaScope outer(ShardId(1), ReplicaId(1));
  {
    const ReplicaScope inner(ShardId(2), ReplicaId(2));
    EXPECT_NE(WhatIsThrown().find("shard 2 replica 2"), std::string::npos);
  }
  EXPECT_NE(WhatIsThrown().find("shard 1 replica 1"), std::string::npos);
}

TEST(CheckTest, AScopeBelongsToItsThread) {
  const ReplicaScope here(ShardId(1), ReplicaId(1));
  std::string there;
  std::thread([&] {
    const ReplicaScope scope(ShardId(9), ReplicaId(9));
    there = WhatIsThrown();
  }).join();
  EXPECT_NE(there.find("shard 9"), std::string::npos);
  EXPECT_NE(WhatIsThrown().find("shard 1"), std::string::npos);
}

TEST(CheckDeathTest, OutsideAnyScopeItEndsTheProcess) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(DRUMBEAT_CHECK(false, "why it must hold"), "why it must hold");
}

}  // namespace
}  // namespace drumbeat::base
