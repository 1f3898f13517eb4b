// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include "contract/store_samples.h"
#include "storage/keys.h"
#include "storage/rocksdb_kv.h"
#include "storage/sealed_value.h"
#include "storage/store_fixture.h"
#include "storage/stores.h"
#include "storage/temp_folder.h"
#include "storage/test_log.h"

// S-12: what a newer version wrote is not taken for damage, for which the advice is to remove the
// replica; the host does not start, and is told which version would.
namespace drumbeat::storage {
namespace {

class NewerFormatTest : public testing::Test {
 protected:
  void SetUp() override {
    const Stores stores = OpenStores(folder_.path()).value();
    ASSERT_TRUE(stores.log->SaveBootstrap(kReplica, {.addresses = {}, .join = true}).has_value());
    ASSERT_TRUE(SaveEntries(*stores.log, kReplica, MakeEntries(1, 31, 2)).has_value());
    ASSERT_TRUE(SaveHardState(*stores.log, kReplica, MakeHardState(3, 2, 30)).has_value());
    const auto sink = stores.snapshots->Create(kReplica).value();
    ASSERT_TRUE(sink->Append("image").has_value());
    ASSERT_TRUE(sink->Commit(MakeRecord(20, 2)).has_value());
  }

  std::string database() const { return folder_.path() / "db"; }
  std::unique_ptr<Kv> OpenKv() const {
    auto kv = OpenRocksDbKv(
        {.database = database(), .staging = folder_.path() / "staging", .memory_bytes = 4U << 20},
        NoLogger());
    EXPECT_TRUE(kv.has_value()) << kv.error().message;
    return std::move(*kv);
  }

  /// The value under `key` becomes a whole one of the next format.
  void Renew(Space space, std::string_view key) const {
    const auto kv = OpenKv();
    std::string value(kv->Get(space, key).value().value().view());
    value.resize(value.size() - 4);
    ++value[0];
    value += "and what only the newer version knows";
    SealValue(value, key);
    const auto batch = kv->NewBatch();
    batch->Put(space, key, value);
    ASSERT_TRUE(kv->Write(*batch).has_value());
  }

  void ExpectRefused(const std::vector<std::string>& parts) const {
    const auto stores = OpenStores(folder_.path());
    ASSERT_FALSE(stores.has_value());
    const std::string& message = stores.error().message;
    EXPECT_EQ(stores.error().code, ErrorCode::kNewerFormat) << message;
    for (const std::string& part : parts) {
      EXPECT_NE(message.find(part), std::string::npos) << part << ": " << message;
    }
    EXPECT_NE(message.find(database()), std::string::npos) << message;
    EXPECT_NE(message.find("a newer version of drumbeat"), std::string::npos) << message;
    EXPECT_TRUE(message.ends_with("; start that version")) << message;
    EXPECT_EQ(message.find("remove"), std::string::npos) << "bad advice: " << message;
  }

  inline static const ReplicaRef kReplica = Replica(1, 1);
  const TempFolder folder_;
};

TEST_F(NewerFormatTest, ALogStateIsRefusedByName) {
  Renew(Space::kState, StateKey(StateKind::kLog, kReplica));
  ExpectRefused({"[00001:00001]", "its log state"});
}

TEST_F(NewerFormatTest, ARecordOfAFirstStartIsRefusedByName) {
  Renew(Space::kState, StateKey(StateKind::kBootstrap, kReplica));
  ExpectRefused({"[00001:00001]", "the record of its first start"});
}

TEST_F(NewerFormatTest, ASnapshotIsRefusedByName) {
  const std::string key = ImageRecordKeyOf(*OpenKv(), kReplica);
  Renew(Space::kImages, key);
  ExpectRefused({"the snapshot of [00001:00001]"});
}

TEST_F(NewerFormatTest, AColumnFamilyThatIsUnknownIsRefusedByName) {
  {
    std::vector<std::string> names;
    ASSERT_TRUE(rocksdb::DB::ListColumnFamilies({}, database(), &names).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const std::string& name : names)
      families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* opened = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open({}, database(), families, &handles, &opened).ok());
    const std::unique_ptr<rocksdb::DB> db(opened);
    rocksdb::ColumnFamilyHandle* extra = nullptr;
    ASSERT_TRUE(db->CreateColumnFamily({}, "gossip", &extra).ok());
    handles.push_back(extra);
    for (rocksdb::ColumnFamilyHandle* handle : handles) {
      ASSERT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
    }
  }
  ExpectRefused({"gossip"});
}

}  // namespace
}  // namespace drumbeat::storage
