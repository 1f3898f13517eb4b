// SPDX-License-Identifier: Apache-2.0
#include "raft/read_index.h"

#include <gtest/gtest.h>

namespace drumbeat::raft {
namespace {

ReadContext Context(std::uint64_t low) { return {.low = low, .high = 100}; }

TEST(ReadQueueTest, ARoundConfirmsItselfAndAllBefore) {
  ReadQueue queue;
  queue.Add(Context(11), ReplicaId{0}, Index{5});
  queue.Add(Context(12), ReplicaId{2}, Index{6});
  queue.Add(Context(13), ReplicaId{3}, Index{7});
  const auto confirmed = queue.TakeConfirmed(*queue.SequenceOf(Context(12)));
  ASSERT_EQ(confirmed.size(), 2u);
  EXPECT_EQ(confirmed[0].context, Context(11));
  EXPECT_EQ(confirmed[0].index, Index{5});
  EXPECT_EQ(confirmed[1].context, Context(12));
  EXPECT_EQ(confirmed[1].from, ReplicaId{2});
  EXPECT_EQ(confirmed[1].index, Index{6});
  EXPECT_EQ(queue.size(), 1u);
  EXPECT_EQ(queue.newest(), Context(13));
}

TEST(ReadQueueTest, AContextThatWaitsAlreadyIsNotAddedAgain) {
  ReadQueue queue;
  EXPECT_EQ(queue.Add(Context(11), ReplicaId{0}, Index{5}), ReadQueue::Added::kYes);
  EXPECT_EQ(queue.Add(Context(11), ReplicaId{2}, Index{9}), ReadQueue::Added::kDuplicate);
  EXPECT_EQ(queue.size(), 1u);
}

TEST(ReadQueueTest, BothWordsOfAContextCount) {
  ReadQueue queue;
  queue.Add({.low = 1, .high = 1}, ReplicaId{0}, Index{5});
  EXPECT_FALSE(queue.SequenceOf({.low = 1, .high = 2}));
  EXPECT_TRUE(queue.SequenceOf({.low = 1, .high = 1}));
}

TEST(ReadQueueTest, IsBounded) {
  ReadQueue queue;
  for (std::uint64_t i = 1; i <= ReadQueue::kLimit; ++i) {
    ASSERT_EQ(queue.Add(Context(i), ReplicaId{0}, Index{1}), ReadQueue::Added::kYes);
  }
  EXPECT_EQ(queue.Add(Context(0xffff), ReplicaId{0}, Index{1}), ReadQueue::Added::kFull);
  queue.TakeConfirmed(*queue.SequenceOf(Context(1)));
  EXPECT_EQ(queue.Add(Context(0xffff), ReplicaId{0}, Index{1}), ReadQueue::Added::kYes);
}

TEST(ReadQueueTest, WithoutAnIndexNothingIsConfirmed) {
  ReadQueue queue;
  queue.Add(Context(11), ReplicaId{0}, Index{0});
  EXPECT_TRUE(queue.TakeConfirmed(~std::uint64_t{0}).empty());
  queue.SetIndex(Index{4});
  queue.Add(Context(12), ReplicaId{0}, Index{6});
  queue.SetIndex(Index{9});  // only for those that have none
  const auto confirmed = queue.TakeConfirmed(~std::uint64_t{0});
  ASSERT_EQ(confirmed.size(), 2u);
  EXPECT_EQ(confirmed[0].index, Index{4});
  EXPECT_EQ(confirmed[1].index, Index{6});
}

TEST(ReadQueueTest, RoundsGoOnCountingAfterLeadershipWasLost) {
  ReadQueue queue;
  queue.Add(Context(11), ReplicaId{0}, Index{1});
  const std::uint64_t before = *queue.SequenceOf(Context(11));
  EXPECT_EQ(queue.TakeAll().size(), 1u);
  EXPECT_TRUE(queue.empty());
  queue.Add(Context(11), ReplicaId{0}, Index{1});
  EXPECT_GT(*queue.SequenceOf(Context(11)), before);
}

TEST(ForwardedReadsTest, AnAnswerTakesAllBeforeItOnce) {
  ForwardedReads reads;
  for (const std::uint64_t low : {1, 2, 3}) reads.Add(Context(low));
  EXPECT_TRUE(reads.TakeThrough(Context(4)).empty());
  EXPECT_EQ(reads.TakeThrough(Context(2)), (std::vector<ReadContext>{Context(1), Context(2)}));
  EXPECT_TRUE(reads.TakeThrough(Context(2)).empty());
  EXPECT_TRUE(reads.TakeThrough(Context(1)).empty());
  EXPECT_EQ(reads.TakeThrough(Context(3)).size(), 1u);
  EXPECT_TRUE(reads.empty());
}

TEST(ForwardedReadsTest, ForgetsTheOldestBeyondItsLimit) {
  ForwardedReads reads;
  for (std::uint64_t i = 1; i <= ForwardedReads::kLimit + 1; ++i) reads.Add(Context(i));
  EXPECT_TRUE(reads.TakeThrough(Context(1)).empty());
  EXPECT_EQ(reads.TakeThrough(Context(2)).size(), 1u);
  EXPECT_EQ(reads.TakeAll().size(), ForwardedReads::kLimit - 1);
  EXPECT_TRUE(reads.empty());
}

}  // namespace
}  // namespace drumbeat::raft
