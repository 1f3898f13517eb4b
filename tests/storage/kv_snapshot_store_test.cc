// SPDX-License-Identifier: Apache-2.0
#include "storage/kv_snapshot_store.h"

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include "contract/store_samples.h"
#include "storage/forwarding_kv.h"
#include "storage/keys.h"
#include "storage/stores.h"

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
    EXPECT_TRUE(OpenMemoryKv(disk_)->RunKeys(ImageRecordKeys().range()).empty());
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

}  // namespace
}  // namespace drumbeat::storage
