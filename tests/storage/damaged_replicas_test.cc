// SPDX-License-Identifier: Apache-2.0
#include "storage/damaged_replicas.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "contract/store_samples.h"
#include "storage/image_record.h"
#include "storage/keys.h"
#include "storage/rocksdb_kv.h"
#include "storage/store_fixture.h"
#include "storage/stores.h"
#include "storage/temp_folder.h"
#include "storage/test_log.h"

// P4: a record that belongs to one replica and cannot be read stops that replica, which is left as
// it is; the host's others go on.
namespace drumbeat::storage {
namespace {

/// Where stores lie, and what they are made of.
class Place {
 public:
  virtual ~Place() = default;
  virtual Result<Stores> Open() = 0;
  virtual std::unique_ptr<Kv> OpenKv() = 0;
};

class MemoryPlace : public Place {
 public:
  Result<Stores> Open() override {
    return OpenMemoryStores(disk_, &std::chrono::steady_clock::now);
  }
  std::unique_ptr<Kv> OpenKv() override { return OpenMemoryKv(disk_); }

 private:
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>(MemoryDisk::Crashes::kNever);
};

class RocksDbPlace : public Place {
 public:
  Result<Stores> Open() override { return OpenStores(folder_.path()); }
  std::unique_ptr<Kv> OpenKv() override {
    auto kv = OpenRocksDbKv({.database = folder_.path() / "db",
                             .staging = folder_.path() / "staging",
                             .memory_bytes = 4u << 20},
                            NoLogger());
    EXPECT_TRUE(kv.has_value()) << kv.error().message;
    return std::move(*kv);
  }

 private:
  TempFolder folder_;
};

struct PlaceKind {
  std::string name;
  std::function<std::unique_ptr<Place>()> make;

  friend void PrintTo(const PlaceKind& kind, std::ostream* out) { *out << kind.name; }
};

class DamagedReplicasTest : public testing::TestWithParam<PlaceKind> {
 protected:
  using Pairs = std::vector<std::pair<std::string, std::string>>;

  void SetUp() override {
    place_ = GetParam().make();
    const Stores stores = Open();
    for (const ReplicaRef& replica : {kReplica, kOther}) {
      ASSERT_TRUE(stores.log->SaveBootstrap(replica, {.addresses = {}, .join = true}).has_value());
      ASSERT_TRUE(SaveEntries(*stores.log, replica, MakeEntries(1, 31, 2)).has_value());
      ASSERT_TRUE(SaveHardState(*stores.log, replica, MakeHardState(3, 2, 30)).has_value());
      StoreImage(stores, replica, 20);
    }
    ASSERT_TRUE(stores.log->Remove(kRemoved).has_value());
  }
  Stores Open() {
    auto stores = place_->Open();
    EXPECT_TRUE(stores.has_value()) << stores.error().message;
    return std::move(*stores);
  }
  static void StoreImage(const Stores& stores, const ReplicaRef& replica, std::uint64_t index) {
    const auto sink = stores.snapshots->Create(replica).value();
    ASSERT_TRUE(sink->Append("image " + std::to_string(index)).has_value());
    ASSERT_TRUE(sink->Commit(MakeRecord(index, 2)).has_value());
  }

  /// One bit of the value under `key` flips.
  void Spoil(Space space, std::string_view key) {
    const auto kv = place_->OpenKv();
    std::string value(kv->Get(space, key).value().value().view());
    value[value.size() / 2] = static_cast<char>(value[value.size() / 2] ^ 4);
    const auto batch = kv->NewBatch();
    batch->Put(space, key, value);
    ASSERT_TRUE(kv->Write(*batch).has_value());
  }
  void SpoilState(StateKind kind, const ReplicaRef& replica) {
    Spoil(Space::kState, StateKey(kind, replica));
  }
  /// Spoils the record of kReplica's newest image.
  void SpoilImageRecord() {
    const std::string key = ImageRecordKeyOf(*place_->OpenKv(), kReplica);
    Spoil(Space::kImages, key);
  }
  /// An older image that nobody got round to drop.
  void AddOlderImage() {
    const auto kv = place_->OpenKv();
    const auto bulk = kv->NewBulk().value();
    const Key key = ImageRecordKey({kReplica, 77});
    const ImageRecord older{.record = MakeRecord(10, 2), .bytes = 0};
    ASSERT_TRUE(bulk->Add(key, EncodeImageRecord(key, kReplica.shard, older)).has_value());
    ASSERT_TRUE(bulk->Commit().has_value());
  }

  /// Everything that is stored of kReplica.
  Pairs Evidence() {
    const auto kv = place_->OpenKv();
    Pairs all;
    const auto add = [&](Space space, const KeyRange& range) {
      const auto cursor = kv->Scan(space, range);
      for (; cursor->Valid(); cursor->Next()) all.emplace_back(cursor->key(), cursor->value());
    };
    for (const StateKind kind : {StateKind::kBootstrap, StateKind::kLog, StateKind::kRemoved}) {
      const Key key = StateKey(kind, kReplica);
      add(Space::kState, {key, std::string(key.view()) + '\0'});
    }
    add(Space::kEntries, EntryKeys(kReplica).range());
    add(Space::kImages, ImageKeys().range());
    std::erase_if(all, [](const auto& pair) {
      const auto image = ParseImageKey(pair.first);
      return image && image->image.replica != kReplica;
    });
    return all;
  }

  template <class T>
  static void ExpectNamed(const Result<T>& result, const std::string& what) {
    ASSERT_FALSE(result.has_value());
    const Error& error = result.error();
    EXPECT_EQ(error.code, ErrorCode::kDamaged);
    for (const std::string& part :
         {std::string("[00001:00001]"), what, std::string("remove this replica")}) {
      EXPECT_NE(error.message.find(part), std::string::npos) << part << ": " << error.message;
    }
  }
  static void ExpectRefused(const Stores& stores, const std::string& what) {
    LogStore& log = *stores.log;
    ExpectNamed(log.WasRemoved(kReplica), what);
    ExpectNamed(log.LoadBootstrap(kReplica), what);
    ExpectNamed(log.SaveBootstrap(kReplica, {.addresses = {}}), what);
    ExpectNamed(log.Load(kReplica), what);
    ExpectNamed(log.Read(kReplica, Index(1), Index(2), kNoLimit), what);
    ExpectNamed(SaveEntries(log, kReplica, MakeEntries(1, 3, 9)), what);
    ExpectNamed(SaveHardState(log, kReplica, MakeHardState(9, 3, 0)), what);
    ExpectNamed(log.CutThrough(kReplica, Index(30)), what);
    ExpectNamed(stores.snapshots->Newest(kReplica), what);
    ExpectNamed(stores.snapshots->Open(kReplica, Index(20)), what);
    ExpectNamed(stores.snapshots->Create(kReplica), what);
    EXPECT_EQ(log.List().value(), std::vector<ReplicaRef>({kReplica, kOther}))
        << "its place is taken";
    EXPECT_EQ(log.List(kReplica.shard).value(), std::vector<ReplicaRef>({kReplica}));
  }
  static void ExpectOtherServes(const Stores& stores, std::uint64_t round) {
    LogStore& log = *stores.log;
    ASSERT_TRUE(log.LoadBootstrap(kOther).value().has_value());
    ASSERT_EQ(log.Load(kOther)->last, Index(30 + round));
    const auto more = MakeEntries(31 + round, 32 + round, 3);
    ASSERT_TRUE(SaveEntries(log, kOther, more).has_value());
    StoreImage(stores, kOther, 21 + round);
    EXPECT_EQ(stores.snapshots->Newest(kOther).value()->index, Index(21 + round));
  }
  /// kReplica alone is refused, time and again, and nothing of it changes.
  void ExpectFailsAlone(const std::string& what) {
    const Pairs evidence = Evidence();
    ASSERT_GE(evidence.size(), 5u);
    for (std::uint64_t round = 0; round < 2; ++round) {
      {
        const Stores stores = Open();
        ExpectRefused(stores, what);
        ExpectOtherServes(stores, round);
      }
      EXPECT_EQ(Evidence(), evidence);
    }
  }

  inline static const ReplicaRef kReplica = Replica(1, 1);
  inline static const ReplicaRef kOther = Replica(2, 1);
  inline static const ReplicaRef kRemoved = Replica(3, 1);
  std::unique_ptr<Place> place_;
};

TEST_P(DamagedReplicasTest, ABadLogState) {
  SpoilState(StateKind::kLog, kReplica);
  ExpectFailsAlone("its log state: a stored value has a wrong checksum");
}

TEST_P(DamagedReplicasTest, ABadRecordOfTheFirstStart) {
  SpoilState(StateKind::kBootstrap, kReplica);
  ExpectFailsAlone("the record of its first start");
}

TEST_P(DamagedReplicasTest, ABadSnapshotRecord) {
  SpoilImageRecord();
  ExpectFailsAlone("the snapshot of [00001:00001]");
}

TEST_P(DamagedReplicasTest, ImagesThatOthersReplaceStayAsLongAsOneIsInDoubt) {
  AddOlderImage();
  SpoilImageRecord();
  ExpectFailsAlone("the snapshot of [00001:00001]");
}

TEST_P(DamagedReplicasTest, ImagesOfADamagedLogAreNotTidiedUp) {
  AddOlderImage();
  SpoilState(StateKind::kLog, kReplica);
  ExpectFailsAlone("its log state");
}

TEST_P(DamagedReplicasTest, ABadMarkOfARemovalIsNoLeaveToStartAnew) {
  SpoilState(StateKind::kRemoved, kRemoved);
  const Stores stores = Open();
  const Result<bool> removed = stores.log->WasRemoved(kRemoved);
  ASSERT_FALSE(removed.has_value());
  EXPECT_NE(removed.error().message.find("the mark of its removal"), std::string::npos);
  EXPECT_FALSE(stores.log->SaveBootstrap(kRemoved, {.addresses = {}}).has_value());
  ExpectOtherServes(stores, 0);
}

TEST_P(DamagedReplicasTest, RemovingItsDataIsTheWayOut) {
  SpoilState(StateKind::kLog, kReplica);
  {
    const Stores stores = Open();
    ASSERT_TRUE(stores.log->Remove(kReplica).has_value());
    ASSERT_TRUE(stores.snapshots->Remove(kReplica).has_value());
    EXPECT_TRUE(stores.log->WasRemoved(kReplica).value());
  }
  const Stores stores = Open();
  EXPECT_TRUE(stores.log->WasRemoved(kReplica).value()) << "for ever";
  EXPECT_EQ(stores.log->List().value(), std::vector<ReplicaRef>({kOther}));
  EXPECT_FALSE(stores.snapshots->Newest(kReplica).value().has_value());
  ExpectOtherServes(stores, 0);
}

// A batch that is gone took all that was written after it, of whomever.
TEST_P(DamagedReplicasTest, ARecordThatIsGoneIsAMatterOfTheHost) {
  {
    const auto kv = place_->OpenKv();
    const auto batch = kv->NewBatch();
    batch->Delete(Space::kState, StateKey(StateKind::kLog, kReplica));
    ASSERT_TRUE(kv->Write(*batch).has_value());
  }
  const auto stores = place_->Open();
  ASSERT_FALSE(stores.has_value());
  EXPECT_NE(stores.error().message.find("lost acknowledged state"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Stores, DamagedReplicasTest,
    testing::Values(PlaceKind{"RocksDb", [] { return std::make_unique<RocksDbPlace>(); }},
                    PlaceKind{"Memory", [] { return std::make_unique<MemoryPlace>(); }}),
    [](const testing::TestParamInfo<PlaceKind>& kind) { return kind.param.name; });

}  // namespace
}  // namespace drumbeat::storage
