// SPDX-License-Identifier: Apache-2.0
#include "raft/inflight.h"

#include <gtest/gtest.h>

namespace drumbeat::raft {
namespace {

TEST(InflightTest, IsFullByMessagesOrByBytes) {
  const Inflight::Limits limits{.messages = 3, .bytes = 100};
  Inflight inflight;
  EXPECT_FALSE(inflight.Full(limits));
  inflight.Add(Index{1}, 10);
  inflight.Add(Index{2}, 10);
  EXPECT_FALSE(inflight.Full(limits));
  inflight.Add(Index{3}, 10);
  EXPECT_TRUE(inflight.Full(limits));
  inflight.FreeTo(Index{1});
  EXPECT_FALSE(inflight.Full(limits));
  inflight.Add(Index{9}, 80);
  EXPECT_TRUE(inflight.Full(limits));
}

TEST(InflightTest, OneMessageMayExceedTheBytesByItself) {
  Inflight inflight;
  inflight.Add(Index{1}, 1000);
  EXPECT_TRUE(inflight.Full({.messages = 10, .bytes = 100}));
  inflight.FreeTo(Index{1});
  EXPECT_FALSE(inflight.Full({.messages = 10, .bytes = 100}));
}

TEST(InflightTest, AnAnswerFreesEverythingUpToIt) {
  Inflight inflight;
  for (std::uint64_t i = 1; i <= 10; ++i) inflight.Add(Index{i * 10}, 1);
  inflight.FreeTo(Index{39});  // within the fourth message: that one is still on its way
  EXPECT_EQ(inflight.messages(), 7u);
  EXPECT_EQ(inflight.bytes(), 7u);
  inflight.FreeTo(Index{5});
  EXPECT_EQ(inflight.messages(), 7u);
  inflight.FreeTo(Index{100});
  EXPECT_EQ(inflight.messages(), 0u);
  EXPECT_EQ(inflight.bytes(), 0u);
}

TEST(InflightTest, KeepsCountOverManyRounds) {
  Inflight inflight;
  std::uint64_t next = 1;
  for (int i = 0; i < 3; ++i) inflight.Add(Index{next++}, 5);
  for (int round = 0; round < 1000; ++round) {
    inflight.Add(Index{next++}, 5);
    inflight.FreeTo(Index{next - 4});
    ASSERT_EQ(inflight.messages(), 3u);
    ASSERT_EQ(inflight.bytes(), 15u);
  }
  inflight.Clear();
  EXPECT_EQ(inflight.messages(), 0u);
}

}  // namespace
}  // namespace drumbeat::raft
