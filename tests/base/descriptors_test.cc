// SPDX-License-Identifier: Apache-2.0
#include "base/descriptors.h"

#include <gtest/gtest.h>

#include "base/few_descriptors.h"

namespace drumbeat::base {
namespace {

TEST(DescriptorsTest, AnEighthIsLeftToOthers) {
  for (std::size_t limit = 4; limit < 100'000; limit = limit * 3 / 2) {
    const DescriptorBudget budget = ShareOut(limit);
    EXPECT_LE(budget.store_files + budget.incoming_connections + budget.outgoing_connections,
              limit - limit / 8)
        << limit;
    EXPECT_GE(budget.store_files, 1u);
    EXPECT_GE(budget.incoming_connections, 1u);
    EXPECT_GE(budget.outgoing_connections, 1u);
  }
}

TEST(DescriptorsTest, TheSoftLimitIsShared) {
  const FewDescriptors few(200);
  const DescriptorBudget budget = ShareOutDescriptors();
  EXPECT_EQ(budget.store_files, 50u);
  EXPECT_EQ(budget.incoming_connections, 75u);
  EXPECT_EQ(budget.outgoing_connections, 50u);
}

}  // namespace
}  // namespace drumbeat::base
