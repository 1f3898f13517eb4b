// SPDX-License-Identifier: Apache-2.0
#include "storage/kv_snapshot_store.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "contract/store_samples.h"
#include "storage/forwarding_kv.h"
#include "storage/image_record.h"
#include "storage/keys.h"
#include "storage/rocksdb_kv.h"
#include "storage/sealed_value.h"
#include "storage/store_fixture.h"
#include "storage/stores.h"
#include "storage/temp_folder.h"
#include "storage/test_log.h"

namespace drumbeat::storage {
namespace {

using Hook = std::function<void()>;

/// Calls `before` when its keys are about to enter, and `behind` when they have.
class HookedBulk : public KvBulk {
 public:
  HookedBulk(std::unique_ptr<KvBulk> bulk, Hook& before, Hook& behind)
      : bulk_(std::move(bulk)), before_(before), behind_(behind) {}

  Result<void> Add(std::string_view key, std::string_view value) override {
    return bulk_->Add(key, value);
  }
  Result<void> EndRun() override { return bulk_->EndRun(); }
  Result<void> Commit() override {
    if (before_) before_();
    Result<void> entered = bulk_->Commit();
    if (behind_) behind_();
    return entered;
  }

 private:
  const std::unique_ptr<KvBulk> bulk_;
  Hook& before_;
  Hook& behind_;
};

class HookedKv : public ForwardingKv {
 public:
  HookedKv(std::unique_ptr<Kv> kv, Hook& before, Hook& behind)
      : ForwardingKv(std::move(kv)), before_(before), behind_(behind) {}

  Result<std::unique_ptr<KvBulk>> NewBulk() override {
    Result<std::unique_ptr<KvBulk>> bulk = ForwardingKv::NewBulk();
    if (bulk) bulk = std::make_unique<HookedBulk>(std::move(*bulk), before_, behind_);
    return bulk;
  }

 private:
  Hook& before_;
  Hook& behind_;
};

/// An image of a replica enters while the replica is removed.
class OvertakenImageTest : public testing::Test {
 protected:
  static inline const ReplicaRef kReplica = Replica(1, 1);

  void SetUp() override {
    auto stores = MakeStores(std::make_unique<HookedKv>(OpenMemoryKv(disk_), before_, behind_),
                             OpenMemorySlot(disk_), &std::chrono::steady_clock::now);
    ASSERT_TRUE(stores.has_value()) << stores.error().message;
    stores_ = std::move(*stores);
    ASSERT_TRUE(stores_.log->SaveBootstrap(kReplica, {.addresses = {}}).has_value());
  }
  void Remove() {
    ASSERT_TRUE(stores_.log->Remove(kReplica).has_value());
    ASSERT_TRUE(stores_.snapshots->Remove(kReplica).has_value());
  }
  void ExpectNothingLeft() {
    auto sink = stores_.snapshots->Create(kReplica);
    ASSERT_TRUE(sink.has_value()) << sink.error().message;
    ASSERT_TRUE((*sink)->Append("state").has_value());
    const Result<void> entered = (*sink)->Commit(MakeRecord(9, 1, 5));
    ASSERT_FALSE(entered.has_value());
    EXPECT_EQ(entered.error().code, ErrorCode::kReplicaRemoved);
    EXPECT_FALSE(stores_.snapshots->Newest(kReplica).value().has_value());
    // Not through new stores: they would drop what they find.
    EXPECT_TRUE(OpenMemoryKv(disk_)->RunKeys(ImageKeys().range()).empty());
    EXPECT_TRUE(OpenMemoryStores(disk_, &std::chrono::steady_clock::now).has_value());
  }

  const std::shared_ptr<MemoryDisk> disk_ =
      std::make_shared<MemoryDisk>(MemoryDisk::Crashes::kNever);
  Hook before_;
  Hook behind_;
  Stores stores_;
};

TEST_F(OvertakenImageTest, NothingStaysOfOneThatEntersBehindTheRemoval) {
  before_ = [this] { Remove(); };
  ExpectNothingLeft();
}

TEST_F(OvertakenImageTest, NothingStaysOfOneThatEntersBeforeTheRemoval) {
  behind_ = [this] { Remove(); };
  ExpectNothingLeft();
}

// Folders of the first versions, whose images stood in the order of their replicas.
TEST(FirstImagesTest, OneIsReadAndReplaced) {
  const auto disk = std::make_shared<MemoryDisk>(MemoryDisk::Crashes::kNever);
  const ReplicaRef replica = Replica(1, 1);
  const ImageName name{.replica = replica, .number = 7, .by_replica = true};
  {
    const auto kv = OpenMemoryKv(disk);
    const auto bulk = kv->NewBulk().value();
    const Key chunk = ChunkKey(name, 0);
    std::string value;
    BeginValue(value);
    value += "old state";
    SealValue(value, chunk);
    ASSERT_TRUE(bulk->Add(chunk, value).has_value());
    ASSERT_TRUE(bulk->EndRun().has_value());
    const Key record = ImageRecordKey(name);
    const ImageRecord image{.record = MakeRecord(9, 1), .bytes = 9};
    ASSERT_TRUE(bulk->Add(record, EncodeImageRecord(record, replica.shard, image)).has_value());
    ASSERT_TRUE(bulk->Commit().has_value());
    // What a removal of all images of a replica could leave.
    const auto mark = kv->NewBulk().value();
    ASSERT_TRUE(mark->Add(std::string("i") + std::string(16, '\x05'), "").has_value());
    ASSERT_TRUE(mark->Commit().has_value());
  }
  const Stores stores = OpenMemoryStores(disk, &std::chrono::steady_clock::now).value();
  ASSERT_EQ(stores.snapshots->Newest(replica).value()->index, Index(9));
  const auto reader = stores.snapshots->Open(replica, Index(9)).value();
  EXPECT_EQ(ReadWhole(*reader), "old state");
  const auto sink = stores.snapshots->Create(replica).value();
  ASSERT_TRUE(sink->Append("new").has_value());
  ASSERT_TRUE(sink->Commit(MakeRecord(10, 1, 3)).has_value());
  EXPECT_EQ(ReadWhole(*stores.snapshots->Open(replica, Index(10)).value()), "new");

  const auto kv = OpenMemoryKv(disk);
  const auto old = kv->Get(Space::kImages, ImageRecordKey(name));
  EXPECT_FALSE(old.value().has_value()) << "dropped";
  const auto record = ParseImageKey(ImageRecordKeyOf(*kv, replica));
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->image, (ImageName{.replica = replica, .number = 8}));
}

// Two that delete the same: RocksDB passes over files that the other one is deleting.
TEST(ImagesOnDiskTest, WhoeverRemovesThemAtOnceTheNextStartIsClean) {
  const TempFolder folder;
  for (std::uint64_t id = 1; id <= 20; ++id) {
    {
      const Stores stores = OpenStores(folder.path()).value();
      const auto sink = stores.snapshots->Create(Replica(id, 1)).value();
      ASSERT_TRUE(sink->Append("state").has_value());
      ASSERT_TRUE(sink->Commit(MakeRecord(9, 1, 5)).has_value());
      const auto remove = [&] {
        EXPECT_TRUE(stores.snapshots->Remove(Replica(id, 1)).has_value());
      };
      std::jthread other(remove);
      remove();
    }
    const auto stores = OpenStores(folder.path());
    ASSERT_TRUE(stores.has_value()) << stores.error().message;
    EXPECT_FALSE(stores->snapshots->Newest(Replica(id, 1)).value().has_value());
  }
  const auto kv = OpenRocksDbKv({.database = folder.path() / "db",
                                 .staging = folder.path() / "staging",
                                 .memory_bytes = 4u << 20},
                                NoLogger());
  ASSERT_TRUE(kv.has_value()) << kv.error().message;
  EXPECT_TRUE((*kv)->RunKeys(ImageKeys().range()).empty());
}

}  // namespace
}  // namespace drumbeat::storage
