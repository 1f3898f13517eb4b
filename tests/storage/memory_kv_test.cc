// SPDX-License-Identifier: Apache-2.0
#include "storage/memory_kv.h"

#include <bit>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "base/random.h"

namespace drumbeat::storage {
namespace {

using Fault = MemoryDisk::Fault;
using Operation = MemoryDisk::Operation;

Result<void> Put(Kv& kv, const std::string& key) {
  const auto batch = kv.NewBatch();
  batch->Put(Space::kState, key, "value");
  return kv.Write(*batch);
}
/// The next operation on it meets `fault`, if that is set.
std::shared_ptr<MemoryDisk> DiskWith(Fault& fault) {
  return std::make_shared<MemoryDisk>(MemoryDisk::Crashes::kSimulated, [&fault](Operation) {
    return std::exchange(fault, Fault::kNone);
  });
}
bool Has(Kv& kv, const std::string& key) { return kv.Get(Space::kState, key)->has_value(); }

TEST(MemoryDiskTest, ACrashForgetsWhatNoSyncCovered) {
  Fault fault = Fault::kNone;
  const auto disk = DiskWith(fault);
  auto kv = OpenMemoryKv(disk);
  fault = Fault::kApplied;
  EXPECT_FALSE(Put(*kv, "a").has_value());
  ASSERT_TRUE(Put(*kv, "b").has_value());
  for (const char* key : {"c", "d"}) {
    fault = Fault::kApplied;
    EXPECT_FALSE(Put(*kv, key).has_value());
  }
  EXPECT_EQ(disk->unsynced_batches(), 2u);
  disk->Crash(1);
  EXPECT_FALSE(Put(*kv, "e").has_value()) << "it was opened before the crash";
  kv = OpenMemoryKv(disk);
  EXPECT_TRUE(Has(*kv, "a"));
  EXPECT_TRUE(Has(*kv, "b"));
  EXPECT_TRUE(Has(*kv, "c"));
  EXPECT_FALSE(Has(*kv, "d"));
  EXPECT_FALSE(Has(*kv, "e"));
}

TEST(MemoryDiskTest, WhatFailedIsThereOrNot) {
  Fault fault = Fault::kNone;
  const auto disk = DiskWith(fault);
  auto kv = OpenMemoryKv(disk);
  fault = Fault::kLost;
  const Result<void> lost = Put(*kv, "lost");
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().code, ErrorCode::kWriteFailed);
  fault = Fault::kApplied;
  EXPECT_FALSE(Put(*kv, "applied").has_value());
  EXPECT_FALSE(Has(*kv, "lost"));
  EXPECT_TRUE(Has(*kv, "applied"));
  disk->Crash(1);
  EXPECT_TRUE(Has(*OpenMemoryKv(disk), "applied"));
}

TEST(MemoryDiskTest, APowerCutIsTheEndOfWhateverIsOpen) {
  for (const Fault cut : {Fault::kPowerCutBefore, Fault::kPowerCutBehind}) {
    Fault fault = Fault::kNone;
    const auto disk = DiskWith(fault);
    const auto kv = OpenMemoryKv(disk);
    const auto slot = OpenMemorySlot(disk);
    ASSERT_TRUE(Put(*kv, "before").has_value());
    fault = cut;
    EXPECT_FALSE(Put(*kv, "during").has_value());
    EXPECT_FALSE(Put(*kv, "behind").has_value());
    EXPECT_FALSE(slot->Write("behind").has_value());
    EXPECT_EQ(disk->unsynced_batches(), cut == Fault::kPowerCutBehind ? 1u : 0u);
    disk->Crash(1);
    const auto again = OpenMemoryKv(disk);
    EXPECT_TRUE(Has(*again, "before"));
    EXPECT_EQ(Has(*again, "during"), cut == Fault::kPowerCutBehind);
    EXPECT_FALSE(Has(*again, "behind"));
    EXPECT_EQ(OpenMemorySlot(disk)->content(), "");
  }
}

TEST(MemoryDiskTest, AForgottenSyncTakesAllThatFollowsWithIt) {
  Fault fault = Fault::kNone;
  const auto disk = DiskWith(fault);
  auto kv = OpenMemoryKv(disk);
  ASSERT_TRUE(Put(*kv, "synced").has_value());
  fault = Fault::kApplied;
  EXPECT_FALSE(Put(*kv, "unsynced").has_value());
  fault = Fault::kForgotten;
  EXPECT_FALSE(Put(*kv, "forgotten").has_value());
  ASSERT_TRUE(Put(*kv, "repeated").has_value());
  for (const char* key : {"synced", "unsynced", "forgotten", "repeated"}) {
    EXPECT_TRUE(Has(*kv, key)) << key;
  }
  disk->Crash(disk->unsynced_batches());
  kv = OpenMemoryKv(disk);
  EXPECT_TRUE(Has(*kv, "synced"));
  for (const char* key : {"unsynced", "forgotten", "repeated"}) EXPECT_FALSE(Has(*kv, key)) << key;
  ASSERT_TRUE(Put(*kv, "new").has_value());
  disk->Crash();
  EXPECT_TRUE(Has(*OpenMemoryKv(disk), "new"));
}

TEST(MemoryDiskTest, AFlippedBitStaysFlipped) {
  const auto disk = std::make_shared<MemoryDisk>(MemoryDisk::Crashes::kSimulated);
  base::Random dice(1);
  EXPECT_FALSE(disk->FlipBit(dice));
  auto kv = OpenMemoryKv(disk);
  ASSERT_TRUE(Put(*kv, "a").has_value());
  const std::string before((*kv->Get(Space::kState, "a"))->view());
  EXPECT_EQ(disk->stored_bytes(), 1 + before.size());
  while (!disk->FlipBit(dice)) {
  }
  disk->Crash();
  const std::string after((*OpenMemoryKv(disk)->Get(Space::kState, "a"))->view());
  ASSERT_EQ(after.size(), before.size());
  int flipped = 0;
  for (std::size_t i = 0; i < after.size(); ++i) {
    flipped += std::popcount(static_cast<unsigned char>(after[i] ^ before[i]));
  }
  EXPECT_EQ(flipped, 1);
}

TEST(MemoryDiskTest, AnImageIsDurableAtOnce) {
  const auto disk = std::make_shared<MemoryDisk>(MemoryDisk::Crashes::kSimulated);
  const auto kv = OpenMemoryKv(disk);
  const auto bulk = kv->NewBulk().value();
  ASSERT_TRUE(bulk->Add("a", "1").has_value());
  ASSERT_TRUE(bulk->Commit().has_value());
  disk->Crash();
  EXPECT_TRUE(OpenMemoryKv(disk)->Get(Space::kImages, "a")->has_value());
}

}  // namespace
}  // namespace drumbeat::storage
