// SPDX-License-Identifier: Apache-2.0
#include "storage/memory_kv.h"

#include <string>

#include <gtest/gtest.h>

namespace drumbeat::storage {
namespace {

using Fault = MemoryDisk::Fault;
using Operation = MemoryDisk::Operation;

Result<void> Put(Kv& kv, const std::string& key, Sync sync) {
  const auto batch = kv.NewBatch();
  batch->Put(Space::kState, key, "value");
  return kv.Write(*batch, sync);
}
bool Has(Kv& kv, const std::string& key) { return kv.Get(Space::kState, key)->has_value(); }

TEST(MemoryDiskTest, ACrashForgetsWhatNoSyncCovered) {
  const auto disk = std::make_shared<MemoryDisk>(MemoryDisk::Crashes::kSimulated);
  auto kv = OpenMemoryKv(disk);
  ASSERT_TRUE(Put(*kv, "a", Sync::kNo).has_value());
  ASSERT_TRUE(Put(*kv, "b", Sync::kYes).has_value());
  ASSERT_TRUE(Put(*kv, "c", Sync::kNo).has_value());
  ASSERT_TRUE(Put(*kv, "d", Sync::kNo).has_value());
  EXPECT_EQ(disk->unsynced_batches(), 2u);
  disk->Crash(1);
  EXPECT_FALSE(Put(*kv, "e", Sync::kYes).has_value()) << "it was opened before the crash";
  kv = OpenMemoryKv(disk);
  EXPECT_TRUE(Has(*kv, "a"));
  EXPECT_TRUE(Has(*kv, "b"));
  EXPECT_TRUE(Has(*kv, "c"));
  EXPECT_FALSE(Has(*kv, "d"));
  EXPECT_FALSE(Has(*kv, "e"));
}

TEST(MemoryDiskTest, WhatFailedIsThereOrNot) {
  Fault fault = Fault::kNone;
  const auto disk = std::make_shared<MemoryDisk>(MemoryDisk::Crashes::kSimulated, [&](Operation) {
    return std::exchange(fault, Fault::kNone);
  });
  auto kv = OpenMemoryKv(disk);
  fault = Fault::kLost;
  const Result<void> lost = Put(*kv, "lost", Sync::kYes);
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().code, ErrorCode::kWriteFailed);
  fault = Fault::kApplied;
  EXPECT_FALSE(Put(*kv, "applied", Sync::kYes).has_value());
  EXPECT_FALSE(Has(*kv, "lost"));
  EXPECT_TRUE(Has(*kv, "applied"));
  disk->Crash(1);
  EXPECT_TRUE(Has(*OpenMemoryKv(disk), "applied"));
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
