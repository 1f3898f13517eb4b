// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "raft/test_shard.h"

// N-02 to N-04, B-13: members that hear only some of the others, with pre-votes and quorum checks.
namespace drumbeat::raft::testing {
namespace {

Term HighestTerm(TestShard& shard) {
  Term highest;
  for (const auto& [id, replica] : shard.replicas()) {
    highest = std::max(highest, replica->raft().term());
  }
  return highest;
}

/// Whether a leader commits what is proposed to it, tried at each of them.
bool Serves(TestShard& shard) {
  for (const auto& [id, replica] : shard.replicas()) {
    if (replica->raft().role() != Role::kLeader) continue;
    const Index before = replica->applied();
    shard.Propose(id, "still here");
    shard.TickAll(2);
    if (replica->applied() > before) return true;
  }
  return false;
}

/// The six directed links between three members; bit i of `mask` says that link i works.
struct Link {
  std::uint64_t from;
  std::uint64_t to;
};
constexpr Link kLinks[] = {{1, 2}, {2, 1}, {1, 3}, {3, 1}, {2, 3}, {3, 2}};

bool Works(unsigned mask, ReplicaId from, ReplicaId to) {
  for (unsigned i = 0; i < std::size(kLinks); ++i) {
    if (ReplicaId(kLinks[i].from) == from && ReplicaId(kLinks[i].to) == to) {
      return (mask >> i & 1) != 0;
    }
  }
  return true;
}

bool HasPairThatHearsEachOther(unsigned mask) {
  return (mask & 3) == 3 || (mask >> 2 & 3) == 3 || (mask >> 4 & 3) == 3;
}

TEST(PartialConnectivityTest, WhateverLinksOfThreeWorkTermsDoNotClimbAndAPairServes) {
  for (unsigned mask = 0; mask < 64; ++mask) {
    for (std::uint64_t leader = 1; leader <= 3; ++leader) {
      TestShard shard(3, TestShard::CarefulOptions());
      ASSERT_TRUE(shard.Elect(leader));
      const std::uint64_t before = HighestTerm(shard).value();
      shard.filter = [mask](const Envelope& e) { return Works(mask, e.from, e.to); };
      shard.TickAll(150);
      const std::string where = "links " + std::to_string(mask) + ", leader was " +
                                std::to_string(leader) + ", terms " + std::to_string(before) +
                                " to " + std::to_string(HighestTerm(shard).value());
      EXPECT_LE(HighestTerm(shard).value(), before + 3) << where;
      EXPECT_EQ(Serves(shard), HasPairThatHearsEachOther(mask)) << where;
      shard.filter = nullptr;
      shard.TickAll(30);
      EXPECT_TRUE(Serves(shard)) << where << ", healed";
    }
  }
}

// The shape of the outage of 2020: two of five each see one member of a majority that is whole.
TEST(PartialConnectivityTest, TwoHalfLostMembersDoNotDisturbAMajority) {
  for (std::uint64_t leader = 1; leader <= 5; ++leader) {
    TestShard shard(5, TestShard::CarefulOptions());
    ASSERT_TRUE(shard.Elect(leader));
    const std::uint64_t before = HighestTerm(shard).value();
    for (const auto& [a, b] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
             {4, 2}, {4, 3}, {4, 5}, {5, 1}, {5, 3}}) {
      shard.Cut(a, b);
    }
    shard.TickAll(60);
    const std::uint64_t settled = shard.Leader();
    const std::uint64_t term = HighestTerm(shard).value();
    ASSERT_TRUE(settled >= 1 && settled <= 3) << "led by " << settled << " after " << leader;
    EXPECT_LE(term, before + 3);
    shard.TickAll(300);
    EXPECT_EQ(shard.Leader(), settled);
    EXPECT_EQ(HighestTerm(shard).value(), term);
    EXPECT_TRUE(Serves(shard));
  }
}

}  // namespace
}  // namespace drumbeat::raft::testing
