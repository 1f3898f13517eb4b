// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "raft/test_shard.h"

namespace drumbeat::raft::testing {

inline const AppendEntries& AsAppend(const Envelope& envelope) {
  return std::get<AppendEntries>(envelope.message);
}

/// A leader of three whose messages nobody gets; the test answers itself.
class AloneLeader {
 public:
  explicit AloneLeader(Options options = TestShard::DefaultOptions()) : shard(3, options) {
    EXPECT_TRUE(shard.Elect(1));
    term = shard.raft(1).term().value();
    last = shard.raft(1).status().last_index.value();
    shard.filter = [](const Envelope&) { return false; };
    shard.sent.clear();
  }
  void Answer(std::uint64_t from, std::uint64_t index) {
    shard.filter = nullptr;
    shard.Deliver(Make(from, 1, term, AppendReply{.index = Index{index}, .hint = {}}));
    shard.filter = [](const Envelope&) { return false; };
    shard.Settle();
  }
  std::vector<Envelope> AppendsTo(std::uint64_t to) {
    std::vector<Envelope> appends = Only<AppendEntries>(shard.sent);
    std::erase_if(appends, [&](const Envelope& e) { return e.to != ReplicaId{to}; });
    return appends;
  }

  TestShard shard;
  std::uint64_t term = 0;
  std::uint64_t last = 0;
};

}  // namespace drumbeat::raft::testing
