// SPDX-License-Identifier: Apache-2.0
#include "transport/token_bucket.h"

#include <gtest/gtest.h>

namespace drumbeat::transport {
namespace {

using std::chrono::seconds;

TEST(TokenBucketTest, WithoutALimitNothingWaits) {
  TokenBucket bucket(0);
  const Time now{seconds(100)};
  bucket.Take(1u << 30, now);
  EXPECT_TRUE(bucket.Free(now));
}

TEST(TokenBucketTest, APieceGoesAtOnceAndTheNextWaitsForIt) {
  TokenBucket bucket(1000);
  const Time now{seconds(100)};
  EXPECT_TRUE(bucket.Free(now));
  bucket.Take(5000, now);
  EXPECT_FALSE(bucket.Free(now));
  EXPECT_EQ(bucket.free_at(), now + seconds(5));
  EXPECT_TRUE(bucket.Free(now + seconds(5)));
}

TEST(TokenBucketTest, PiecesOfManyStreamsAddUp) {
  TokenBucket bucket(1000);
  const Time now{seconds(100)};
  for (int i = 0; i < 10; ++i) bucket.Take(100, now);
  EXPECT_EQ(bucket.free_at(), now + seconds(1));
}

TEST(TokenBucketTest, TimeWithoutTrafficIsNotSavedUp) {
  TokenBucket bucket(1000);
  bucket.Take(1000, Time{seconds(100)});
  bucket.Take(1000, Time{seconds(200)});
  EXPECT_EQ(bucket.free_at(), Time{seconds(201)});
}

TEST(TokenBucketTest, HugePiecesAtTinyRatesDoNotOverflow) {
  TokenBucket bucket(1);
  const Time now{seconds(100)};
  for (int i = 0; i < 100; ++i) bucket.Take(~std::uint64_t{0}, now);
  EXPECT_GT(bucket.free_at(), now);
}

}  // namespace
}  // namespace drumbeat::transport
