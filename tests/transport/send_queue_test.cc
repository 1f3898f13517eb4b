// SPDX-License-Identifier: Apache-2.0
#include "transport/send_queue.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include <gtest/gtest.h>

#include "codec/message_batch.h"
#include "transport/messages.h"

namespace drumbeat::transport {
namespace {

const Time kStart{std::chrono::hours(1)};

std::vector<std::uint64_t> Take(SendQueue& queue, std::size_t max_bytes) {
  std::vector<QueuedMessage> batch;
  queue.TakeBatch(max_bytes, batch);
  std::vector<std::uint64_t> commits;
  for (const QueuedMessage& message : batch) commits.push_back(CommitOf(message.envelope));
  return commits;
}

using Commits = std::vector<std::uint64_t>;

TEST(SendQueueTest, OneBatchTakesAllInOrder) {
  SendQueue queue({});
  for (std::uint64_t i = 1; i <= 5; ++i) queue.Push(HeartbeatOf(i % 2, i), kStart);
  EXPECT_EQ(queue.size(), 5u);
  EXPECT_EQ(Take(queue, 1u << 20), (Commits{1, 2, 3, 4, 5}));
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0u);
  EXPECT_EQ(queue.dropped(), 0u);
}

TEST(SendQueueTest, BatchesStayWithinTheirLimit) {
  SendQueue queue({});
  const std::size_t one = codec::EncodedMessageSize(HeartbeatOf(1, 1));
  for (std::uint64_t i = 1; i <= 7; ++i) queue.Push(HeartbeatOf(1, i), kStart);
  EXPECT_EQ(queue.bytes(), 7 * one);
  EXPECT_EQ(Take(queue, 3 * one), (Commits{1, 2, 3}));
  EXPECT_EQ(Take(queue, 3 * one + one - 1), (Commits{4, 5, 6}));
  EXPECT_EQ(queue.bytes(), one);
  EXPECT_EQ(Take(queue, 3 * one), (Commits{7}));
}

TEST(SendQueueTest, AMessageOverTheBatchLimitGoesAlone) {
  SendQueue queue({});
  queue.Push(HeartbeatOf(1, 1), kStart);
  queue.Push(AppendOf(1, 9, 1000), kStart);
  queue.Push(HeartbeatOf(1, 2), kStart);
  EXPECT_EQ(Take(queue, 200), (Commits{1}));
  EXPECT_EQ(Take(queue, 200), (Commits{0}));
  EXPECT_EQ(Take(queue, 200), (Commits{2}));
}

TEST(SendQueueTest, TheOldestGoWhenThereAreTooMany) {
  SendQueue queue({.max_bytes = 1u << 20, .max_messages = 3});
  for (std::uint64_t i = 1; i <= 10; ++i) queue.Push(HeartbeatOf(1, i), kStart);
  EXPECT_EQ(queue.dropped(), 7u);
  EXPECT_EQ(Take(queue, 1u << 20), (Commits{8, 9, 10}));
}

TEST(SendQueueTest, TheOldestGoWhenTheyAreTooLarge) {
  const std::size_t one = codec::EncodedMessageSize(HeartbeatOf(1, 1));
  SendQueue queue({.max_bytes = 4 * one, .max_messages = 1000});
  for (std::uint64_t i = 1; i <= 10; ++i) {
    queue.Push(HeartbeatOf(1, i), kStart);
    ASSERT_LE(queue.bytes(), 4 * one);
  }
  EXPECT_EQ(Take(queue, 1u << 20), (Commits{7, 8, 9, 10}));
}

// It is sent again for ever, in any order with others, until it passes.
TEST(SendQueueTest, AMessageLargerThanTheQueuePasses) {
  SendQueue queue({.max_bytes = 500, .max_messages = 1000});
  for (const std::size_t batch_bytes : {100u, 1u << 20}) {
    queue.Push(HeartbeatOf(1, 1), kStart);
    queue.Push(AppendOf(1, 2, 1000), kStart);
    queue.Push(HeartbeatOf(1, 3), kStart);
    Commits taken;
    while (!queue.empty()) std::ranges::copy(Take(queue, batch_bytes), std::back_inserter(taken));
    EXPECT_EQ(taken, (Commits{1, 0, 3}));
  }
  EXPECT_EQ(queue.dropped(), 0u);
}

TEST(SendQueueTest, OneMessageIsOverTheLimitAtMost) {
  const std::size_t one = codec::EncodedMessageSize(HeartbeatOf(1, 1));
  const std::size_t large = codec::EncodedMessageSize(AppendOf(1, 1, 1000));
  SendQueue queue({.max_bytes = 4 * one, .max_messages = 1000});
  for (std::uint64_t i = 1; i <= 10; ++i) {
    for (std::uint64_t n = 0; n < i; ++n) {
      queue.Push(HeartbeatOf(1, i), kStart);
      ASSERT_LE(queue.bytes(), 4 * one + large);
    }
    queue.Push(AppendOf(1, i, 1000), kStart);
    ASSERT_LE(queue.bytes(), 4 * one + large);
  }
  queue.Push(HeartbeatOf(1, 11), kStart);
  EXPECT_EQ(Take(queue, 1u << 20), (Commits{10, 10, 10, 0, 11}));
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0u);
}

TEST(SendQueueTest, ExpireDropsWhatIsOlder) {
  SendQueue queue({});
  for (std::uint64_t i = 0; i < 5; ++i) {
    queue.Push(HeartbeatOf(1, i + 1), kStart + std::chrono::seconds(i));
  }
  queue.Expire(kStart + std::chrono::seconds(3));
  EXPECT_EQ(queue.dropped(), 3u);
  EXPECT_EQ(Take(queue, 1u << 20), (Commits{4, 5}));
  queue.Expire(kStart + std::chrono::hours(1));
  EXPECT_TRUE(queue.empty());
}

TEST(SendQueueTest, ItsMemoryDoesNotGrowWithWhatPassedThrough) {
  SendQueue queue({.max_bytes = 1u << 20, .max_messages = 8});
  std::uint64_t taken = 0;
  for (std::uint64_t i = 1; i <= 10000; ++i) {
    queue.Push(HeartbeatOf(1, i), kStart);
    if (i % 3 == 0) taken += Take(queue, 60).size();
    ASSERT_LE(queue.size(), 8u);
  }
  EXPECT_EQ(taken + queue.dropped() + queue.size(), 10000u);
}

}  // namespace
}  // namespace drumbeat::transport
