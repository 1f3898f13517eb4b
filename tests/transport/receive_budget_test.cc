// SPDX-License-Identifier: Apache-2.0
#include "transport/receive_budget.h"

#include <cstdint>

#include <gtest/gtest.h>

namespace drumbeat::transport {
namespace {

class ReceiveBudgetTest : public testing::Test {
 protected:
  /// What `part` gets when it takes what it can, bit by bit.
  static std::size_t TakeAll(ReceiveBudget& part) {
    const std::size_t before = part.used;
    while (part.Take(1)) {
    }
    return part.used - before;
  }

  ReceiveBudget whole_{.limit = 400, .used = 0};
  ReceiveBudget first_{.limit = 100, .used = 0, .whole = &whole_};
  ReceiveBudget second_{.limit = 100, .used = 0, .whole = &whole_};
  ReceiveBudget third_{.limit = 100, .used = 0, .whole = &whole_};
};

TEST_F(ReceiveBudgetTest, APartLeavesAsMuchAsItTakes) {
  EXPECT_EQ(TakeAll(first_), 200u);
  EXPECT_EQ(TakeAll(second_), 100u);
  EXPECT_EQ(TakeAll(third_), 100u) << "its limit, although less is left than it has";
  EXPECT_EQ(whole_.used, 400u);
}

TEST_F(ReceiveBudgetTest, PartsNeverTakeMoreThanTheWhole) {
  whole_.limit = 150;
  EXPECT_EQ(TakeAll(first_), 100u);
  EXPECT_EQ(TakeAll(second_), 50u);
  EXPECT_EQ(TakeAll(third_), 0u);
}

TEST_F(ReceiveBudgetTest, WhatIsRefusedTakesNothing) {
  EXPECT_FALSE(first_.Take(401));
  EXPECT_FALSE(first_.Take(201));
  EXPECT_EQ(first_.used, 0u);
  EXPECT_EQ(whole_.used, 0u);
  EXPECT_TRUE(first_.Take(200));
}

TEST_F(ReceiveBudgetTest, NothingIsAlwaysAllowed) {
  TakeAll(first_);
  TakeAll(second_);
  TakeAll(third_);
  EXPECT_TRUE(first_.Take(0)) << "which has more than its limit";
  EXPECT_TRUE(third_.Take(0));
  EXPECT_EQ(whole_.used, 400u);
}

TEST_F(ReceiveBudgetTest, WhatIsReturnedIsThereForAll) {
  TakeAll(first_);
  TakeAll(second_);
  TakeAll(third_);
  first_.Return(200);
  EXPECT_EQ(first_.used, 0u);
  EXPECT_EQ(TakeAll(second_), 50u);
  ReceiveBudget alone{.limit = 10, .used = 0};
  EXPECT_TRUE(alone.Take(10));
  EXPECT_FALSE(alone.Take(1));
  alone.Return(10);
  EXPECT_TRUE(alone.Take(10));
}

}  // namespace
}  // namespace drumbeat::transport
