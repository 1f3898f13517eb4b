// SPDX-License-Identifier: Apache-2.0
#include "node_host/pending_reads.h"

#include <memory>
#include <set>

#include <gtest/gtest.h>

#include "node_host/callback_queue.h"

namespace drumbeat::node_host {
namespace {

// N-08. Ticks are counted from 0 in each life.
TEST(PendingReadsTest, TwoLivesNeverGiveEqualContexts) {
  const auto callbacks =
      std::make_shared<CallbackQueue>(logging::Logger(nullptr, LogLevel::kOff, "test"));
  std::set<raft::ReadContext> given;
  for (std::uint64_t life = 1; life <= 3; ++life) {
    PendingReads reads(1, life);
    for (int round = 0; round < 1000; ++round) {
      PendingRead read{.what = PendingRead::IndexOnly{internal::Completion<Index>(callbacks)}};
      ASSERT_TRUE(reads.Add(read).has_value());
      const auto context = reads.StartRound(0);
      ASSERT_TRUE(context.has_value());
      EXPECT_TRUE(given.insert(*context).second) << "life " << life << ", round " << round;
      reads.Drop(*context, Error{ErrorCode::kNoLeader, {}});
    }
  }
}

}  // namespace
}  // namespace drumbeat::node_host
