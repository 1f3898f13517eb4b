// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "raft/alone_leader.h"

namespace drumbeat::raft::testing {
namespace {

// N-05: a line that cannot move a full message in time would break under each of them.
TEST(SendLimitsTest, ProbesAreSmallUntilOneIsAnswered) {
  Options options = TestShard::DefaultOptions();
  options.max_append_bytes = 4 * (1000 + kEntryOverheadBytes);
  options.max_probe_bytes = 2 * (1000 + kEntryOverheadBytes);
  AloneLeader leader(options);
  leader.Answer(2, leader.last);
  const auto sizes = [&] {
    std::vector<std::size_t> counts;
    for (const Envelope& append : leader.AppendsTo(2)) {
      const std::size_t count = AsAppend(append).entries.size();
      if (count > 0) counts.push_back(count);
    }
    leader.shard.sent.clear();
    return counts;
  };
  leader.shard.sent.clear();
  for (int i = 0; i < 8; ++i) leader.shard.raft(1).Propose({Command(std::string(1000, 'x'))});
  leader.shard.Settle();
  EXPECT_EQ(sizes(), (std::vector<std::size_t>{4, 4}));
  leader.shard.raft(1).Unreachable(ReplicaId(2));
  leader.shard.Propose(1, "y");
  EXPECT_EQ(sizes(), std::vector<std::size_t>{2});
  leader.Answer(2, leader.last + 2);
  EXPECT_EQ(sizes(), (std::vector<std::size_t>{4, 3}));
}

}  // namespace
}  // namespace drumbeat::raft::testing
