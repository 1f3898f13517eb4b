// SPDX-License-Identifier: Apache-2.0
#include "storage/kv_log_store.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "contract/store_samples.h"
#include "storage/entry_record.h"
#include "storage/keys.h"
#include "storage/stores.h"

// What the log store makes of records that do not fit together. What fits is in the contract.
namespace drumbeat::storage {
namespace {

class KvLogStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    auto stores = Open();
    for (std::uint64_t i = 0; i < 5; ++i) {
      const auto entries = MakeEntries(i * 10 + 1, i * 10 + 11, 1);
      ASSERT_TRUE(SaveEntries(*stores.log, kReplica, entries).has_value());
      ASSERT_TRUE(SaveEntries(*stores.log, kOther, entries).has_value());
    }
  }
  Stores Open() { return std::move(*OpenMemoryStores(disk_, &std::chrono::steady_clock::now)); }
  /// Changes the database behind the store's back.
  void Tamper(const std::function<void(KvBatch&)>& change) {
    const auto kv = OpenMemoryKv(disk_);
    const auto batch = kv->NewBatch();
    change(*batch);
    ASSERT_TRUE(kv->Write(*batch).has_value());
  }
  void PutRecord(std::uint64_t first, std::uint64_t end, const RecordEpochs& epochs) {
    const Key key = EntryKey(kReplica, Index(first));
    std::string value;
    PackRecord(value, key, epochs, MakeEntries(first, end, 1));
    Tamper([&](KvBatch& batch) { batch.Put(Space::kEntries, key, value); });
  }
  void ExpectDamaged(const std::string& what) {
    const Stores stores = Open();
    const Result<StoredLog> stored = stores.log->Load(kReplica);
    ASSERT_FALSE(stored.has_value());
    EXPECT_EQ(stored.error().code, ErrorCode::kDamaged);
    EXPECT_NE(stored.error().message.find(what), std::string::npos) << stored.error().message;
    EXPECT_NE(stored.error().message.find("[00001:00001]"), std::string::npos);
    EXPECT_EQ(stores.log->Load(kOther)->last, Index(50)) << "the other replica goes on";
  }

  inline static const ReplicaRef kReplica = Replica(1, 1);
  inline static const ReplicaRef kOther = Replica(1, 2);
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>(MemoryDisk::Crashes::kSimulated);
};

TEST_F(KvLogStoreTest, AMissingRecordIsDamageWhereverItStood) {
  for (const std::uint64_t first : {1, 11, 41}) {
    Tamper(
        [&](KvBatch& batch) { batch.Delete(Space::kEntries, EntryKey(kReplica, Index(first))); });
    ExpectDamaged("entries " + std::to_string(first) + " to 50 are missing");
    PutRecord(first, first + 10, {});
    EXPECT_TRUE(Open().log->Load(kReplica).has_value());
  }
}

// Without the records of a later save those that it replaced seem whole.
TEST_F(KvLogStoreTest, ReplacedEntriesDoNotComeBackForAMissingRecord) {
  {
    const Stores stores = Open();
    for (const std::uint64_t first : {31, 36, 41}) {
      ASSERT_TRUE(SaveEntries(*stores.log, kReplica, MakeEntries(first, 46, 2)).has_value());
    }
    EXPECT_EQ(stores.log->Read(kReplica, Index(1), Index(46), kNoLimit)->size(), 45u);
  }
  EXPECT_EQ(Open().log->Load(kReplica)->last, Index(45));
  const Key middle = EntryKey(kReplica, Index(36));
  const Key last = EntryKey(kReplica, Index(41));
  Tamper([&](KvBatch& batch) { batch.Delete(Space::kEntries, last); });
  ExpectDamaged("a record up to entry 45 is missing");
  PutRecord(41, 46, {.own = 3, .before = 2});
  EXPECT_TRUE(Open().log->Load(kReplica).has_value());
  Tamper([&](KvBatch& batch) { batch.Delete(Space::kEntries, middle); });
  ExpectDamaged("a record before entry 41 is missing");
}

TEST_F(KvLogStoreTest, ARecordThatEndsEarlyIsDamage) {
  PutRecord(21, 25, {});
  ExpectDamaged("entries 25 to 50 are missing");
}

TEST_F(KvLogStoreTest, RecordsOfOneEpochThatOverlapAreDamage) {
  PutRecord(25, 27, {});
  ExpectDamaged("contradict");
}

TEST_F(KvLogStoreTest, ARecordOfAnEpochThatNeverWasIsDamage) {
  PutRecord(21, 31, {.own = 1});
  ExpectDamaged("contradict");
}

TEST_F(KvLogStoreTest, RecordsBehindTheEndAreWaste) {
  PutRecord(61, 70, {});
  EXPECT_EQ(Open().log->Load(kReplica)->last, Index(50));
}

TEST_F(KvLogStoreTest, AStateRecordThatIsGoneIsNoticedByTheWitness) {
  Tamper([&](KvBatch& batch) { batch.Delete(Space::kState, StateKey(StateKind::kLog, kReplica)); });
  const auto stores = OpenMemoryStores(disk_, &std::chrono::steady_clock::now);
  ASSERT_FALSE(stores.has_value());
  EXPECT_NE(stores.error().message.find("lost acknowledged state"), std::string::npos);
}

TEST_F(KvLogStoreTest, ABadStateRecordIsDamage) {
  Tamper([&](KvBatch& batch) {
    batch.Put(Space::kState, StateKey(StateKind::kLog, kReplica), "nonsense");
  });
  ExpectDamaged("its log state");
}

// The witness goes on saying that it was started here until it hears of the removal.
TEST_F(KvLogStoreTest, ARemovedReplicaIsNotListedWhereverItsRemovalIsCutShort) {
  for (int cut_at = 0; cut_at < 3; ++cut_at) {
    SCOPED_TRACE(cut_at);
    int before = -1;
    const auto disk =
        std::make_shared<MemoryDisk>(MemoryDisk::Crashes::kSimulated, [&](MemoryDisk::Operation) {
          return before >= 0 && before-- == 0 ? MemoryDisk::Fault::kPowerCutBefore
                                              : MemoryDisk::Fault::kNone;
        });
    const auto open = [&] { return OpenMemoryStores(disk, &std::chrono::steady_clock::now); };
    {
      const Stores stores = open().value();
      ASSERT_TRUE(stores.log->SaveBootstrap(kReplica, {.addresses = {}, .join = true}).has_value());
      ASSERT_TRUE(SaveEntries(*stores.log, kReplica, MakeEntries(1, 5, 1)).has_value());
      before = cut_at;
      EXPECT_FALSE(stores.log->Remove(kReplica).has_value());
    }
    disk->Crash();
    const auto stores = open();
    ASSERT_TRUE(stores.has_value()) << stores.error().message;
    const bool removed = stores->log->WasRemoved(kReplica).value();
    EXPECT_EQ(removed, cut_at == 2) << "the witness, the database, the witness";
    EXPECT_EQ(stores->log->List().value().size(), removed ? 0u : 1u);
  }
}

TEST_F(KvLogStoreTest, ASmallCutIsPutOff) {
  const Stores stores = Open();
  ASSERT_TRUE(stores.log->CutThrough(kReplica, Index(40)).has_value());
  EXPECT_EQ(stores.log->Load(kReplica)->first, Index(1)) << "not worth a range delete";
}

}  // namespace
}  // namespace drumbeat::storage
