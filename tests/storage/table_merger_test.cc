// SPDX-License-Identifier: Apache-2.0
#include "storage/table_merger.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "storage/faulty_env.h"
#include "storage/rocksdb_kv.h"
#include "storage/store_fixture.h"
#include "storage/stores.h"
#include "storage/system_calls.h"
#include "storage/temp_folder.h"
#include "storage/test_log.h"

// Tables that pile up, and those that RocksDB would merge but cannot read.
namespace drumbeat::storage {
namespace {

namespace fs = std::filesystem;
using Fault = FaultyFileSystem::Fault;

/// RocksDB sleeps for a second after a merge that failed.
class ImpatientEnv : public rocksdb::EnvWrapper {
 public:
  explicit ImpatientEnv(std::unique_ptr<rocksdb::Env> target) : EnvWrapper(std::move(target)) {}
  void SleepForMicroseconds(int microseconds) override {
    if (microseconds >= 1'000'000) ++failures_;
    std::this_thread::yield();
  }
  /// Merges that failed until now.
  int failures() const { return failures_; }

 private:
  std::atomic<int> failures_{0};
};

constexpr std::uint64_t kReplicas = 3;
/// What three replicas have of tables, at the most, however often they were opened.
constexpr std::size_t kFew = 50;

class TableMergerTest : public testing::Test {
 protected:
  fs::path directory() const { return folder_.path() / "stores"; }

  Stores Open() {
    auto stores = OpenRocksDbStoresOn({.directory = directory(), .memory_bytes = 4u << 20},
                                      TestLogger(sink_), &env_);
    EXPECT_TRUE(stores.has_value()) << stores.error().message;
    return std::move(*stores);
  }

  static Result<void> Append(Stores& stores, std::uint64_t id, std::size_t bytes) {
    const auto stored = stores.log->Load(Replica(1, id));
    if (!stored) return std::unexpected(stored.error());
    const std::uint64_t next = stored->last.value() + 1;
    return SaveEntries(*stores.log, Replica(1, id), MakeEntries(next, next + 2, 1, bytes));
  }

  /// One table of state, one of entries, and an image of each replica.
  void MakeTables() {
    {
      Stores stores = Open();
      for (std::uint64_t id = 1; id <= kReplicas; ++id) {
        const ReplicaRef replica = Replica(1, id);
        ASSERT_TRUE(stores.log->SaveBootstrap(replica, {.addresses = {}}).has_value());
        ASSERT_TRUE(Append(stores, id, 9000).has_value());
        const auto sink = stores.snapshots->Create(replica).value();
        ASSERT_TRUE(sink->Append("an image").has_value());
        ASSERT_TRUE(sink->Commit(MakeRecord(1, 1)).has_value());
      }
    }
    (void)Open();
  }

  /// The tables that hold `text`, from the oldest on.
  std::vector<fs::path> TablesWith(const std::string& text) const {
    std::vector<fs::path> tables;
    for (const fs::path& file : FilesBelow(directory())) {
      if (!IsTable(file)) continue;
      if (ReadFile(directory() / file).find(text) != std::string::npos) tables.push_back(file);
    }
    EXPECT_FALSE(tables.empty()) << "no table with " << text;
    return tables;
  }
  /// Whether the log says that `file` is damaged, and what to do.
  bool Logged(const fs::path& file) const {
    const std::string text = sink_->text();
    const auto at = text.find(file.filename().string() + " of the database in ");
    return at != std::string::npos && text.find("; restore ", at) != std::string::npos;
  }

  std::size_t Tables() const {
    return static_cast<std::size_t>(std::ranges::count_if(FilesBelow(directory()), IsTable));
  }

  /// P4, opening after opening: replica 1 stays refused, and the others go on.
  void ExpectTheOthersGoOn(int openings) {
    for (int i = 0; i < openings; ++i) {
      SCOPED_TRACE("opening " + std::to_string(i));
      Stores stores = Open();
      const auto refused = Describe(stores, Replica(1, 1));
      ASSERT_FALSE(refused.has_value());
      EXPECT_EQ(refused.error().code, ErrorCode::kDamaged) << refused.error().message;
      for (std::uint64_t id = 2; id <= kReplicas; ++id) {
        const Result<void> saved = Append(stores, id, 9000);
        ASSERT_TRUE(saved.has_value()) << saved.error().message;
        const auto sink = stores.snapshots->Create(Replica(1, id)).value();
        ASSERT_TRUE(sink->Append("a newer image").has_value());
        const Result<void> stored = sink->Commit(MakeRecord(100 + i, 1));
        EXPECT_TRUE(stored || stored.error().code == ErrorCode::kStorage);
      }
    }
    Stores stores = Open();
    for (std::uint64_t id = 2; id <= kReplicas; ++id) {
      EXPECT_TRUE(Describe(stores, Replica(1, id)).has_value());
      EXPECT_EQ(stores.log->Load(Replica(1, id))->last, Index(2 + 2 * openings));
    }
  }

  bool EventuallyHasTables(std::size_t most) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (Tables() > most) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  TempFolder folder_;
  std::shared_ptr<TestSink> sink_ = std::make_shared<TestSink>();
  std::shared_ptr<FaultyFileSystem::Plan> plan_ = std::make_shared<FaultyFileSystem::Plan>();
  ImpatientEnv env_{rocksdb::NewCompositeEnv(std::make_shared<FaultyFileSystem>(plan_))};
};

TEST_F(TableMergerTest, ABadTableOfEntriesIsMergedAround) {
  MakeTables();
  const fs::path bad = TablesWith("pppp").front();
  SpoilFirstBlock(directory() / bad);
  ExpectTheOthersGoOn(50);
  EXPECT_LE(Tables(), kFew);
  EXPECT_TRUE(fs::exists(directory() / bad));
  EXPECT_TRUE(Logged(bad)) << sink_->text();
}

TEST_F(TableMergerTest, ABadTableOfStateIsMergedAround) {
  MakeTables();
  const fs::path bad = TablesWith("default").front();
  SpoilFirstBlock(directory() / bad);
  ExpectTheOthersGoOn(50);
  EXPECT_LE(Tables(), kFew);
  EXPECT_TRUE(fs::exists(directory() / bad));
  EXPECT_TRUE(Logged(bad)) << sink_->text();
}

// What the disk cannot read is no failed write either.
TEST_F(TableMergerTest, ABadSectorIsMergedAround) {
  MakeTables();
  const fs::path bad = TablesWith("pppp").front();
  const BadSector sector(bad.filename().string());
  ExpectTheOthersGoOn(25);
  EXPECT_GT(sector.refused(), 25);
  EXPECT_TRUE(Logged(bad)) << sink_->text();
}

// Images are never merged.
TEST_F(TableMergerTest, ABadImageIsNoMatterOfTheOthers) {
  MakeTables();
  SpoilFirstBlock(directory() / TablesWith("an image").front());
  ExpectTheOthersGoOn(50);
  EXPECT_LE(Tables(), kFew);
}

// A host that runs on for long: writes are not stopped by the tables of level 0, and what was cut
// is given back.
TEST_F(TableMergerTest, FlushesAreMergedAroundABadTable) {
  MakeTables();
  for (int i = 0; i < 3; ++i) {
    Stores stores = Open();
    for (std::uint64_t id = 1; id <= kReplicas; ++id) {
      ASSERT_TRUE(Append(stores, id, 9000).has_value());
    }
  }
  (void)Open();
  SpoilFirstBlock(directory() / TablesWith("pppp").back());
  Stores stores = Open();
  for (int i = 0; i < 80; ++i) {
    const Result<void> saved = Append(stores, 2, 500'000);
    ASSERT_TRUE(saved.has_value()) << saved.error().message;
    ASSERT_TRUE(stores.log->CutThrough(Replica(1, 2), stores.log->Load(Replica(1, 2))->last));
  }
  EXPECT_TRUE(EventuallyHasTables(kFew)) << Tables();
  EXPECT_LT(env_.failures(), 20) << "RocksDB tries no more";
  EXPECT_EQ(Describe(stores, Replica(1, 1)).error().code, ErrorCode::kDamaged);
  EXPECT_TRUE(Describe(stores, Replica(1, 3)).has_value());
  stores = {};  // no file comes or goes any more
  std::uintmax_t bytes = 0;
  for (const fs::path& file : FilesBelow(directory())) {
    if (IsTable(file)) bytes += fs::file_size(directory() / file);
  }
  EXPECT_LT(bytes, 30u << 20) << "80 MB were written";
}

// Tables that follow each other are moved down a level by RocksDB as they are; those of one replica
// do. What much else there is does not matter.
TEST_F(TableMergerTest, OpeningsGatherNoTables) {
  for (const std::uint64_t replicas : {1, 3}) {
    SCOPED_TRACE(std::to_string(replicas) + " replicas");
    fs::remove_all(directory());
    {
      Stores stores = Open();
      for (int i = 0; i < 35; ++i) {
        ASSERT_TRUE(Append(stores, 9, 1u << 20).has_value());
      }
    }
    std::size_t tables = 0;
    int reads[2] = {0, 0};
    for (int i = 0; i < 60; ++i) {
      const SlowFiles counted(1u << 30);
      Stores stores = Open();
      for (std::uint64_t id = 1; id <= replicas; ++id) {
        const Result<void> saved = Append(stores, id, 100);
        ASSERT_TRUE(saved.has_value()) << saved.error().message;
      }
      tables = std::max(tables, Tables());
      reads[i / 30] += counted.reads();
    }
    EXPECT_LE(tables, kFew);
    EXPECT_LT(reads[1], reads[0] * 3 / 2) << "a later opening takes no longer than an early one";
  }
}

// All databases of a process share RocksDB's threads.
TEST_F(TableMergerTest, MergesOfAnotherHostDoNotHoldItUp) {
  const auto merger = std::make_shared<TableMerger>("db", TestLogger(sink_));
  rocksdb::Options options;
  options.env = &env_;
  options.create_if_missing = true;
  options.listeners.push_back(merger);
  rocksdb::DB* opened = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(options, directory(), &opened).ok());
  const std::unique_ptr<rocksdb::DB> db(opened);
  ASSERT_TRUE(merger->Start(*db, {db->DefaultColumnFamily()}).ok());

  std::promise<void> done;
  const auto wait = [](void* until) {
    const std::unique_ptr<std::shared_future<void>> future(
        static_cast<std::shared_future<void>*>(until));
    future->wait();
  };
  env_.Schedule(wait, new std::shared_future<void>(done.get_future()), rocksdb::Env::LOW);
  rocksdb::CompactionJobInfo job;
  job.cf_id = db->DefaultColumnFamily()->GetID();
  job.status = rocksdb::Status::Corruption("a bad block");
  merger->OnCompactionCompleted(db.get(), job);
  const auto taken_over = [&] { return db->GetOptions().disable_auto_compactions; };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!taken_over() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_TRUE(taken_over());
  done.set_value();
  merger->Stop();
}

// Whatever write fails while damage is met, nothing is written after it.
TEST_F(TableMergerTest, AManifestThatCannotBeSyncedIsFinal) {
  MakeTables();
  for (int i = 0; i < 6; ++i) {
    Stores stores = Open();
    for (std::uint64_t id = 1; id <= kReplicas; ++id) {
      ASSERT_TRUE(Append(stores, id, 9000).has_value());
    }
  }
  SpoilFirstBlock(directory() / TablesWith("pppp").front());
  const fs::path whole = folder_.path() / "whole";
  fs::copy(directory(), whole, fs::copy_options::recursive);
  plan_->named = "MANIFEST";
  const std::string own = "cannot merge the tables in ";
  // Which of the syncs is the merger's depends on what else RocksDB does meanwhile.
  for (int attempt = 0; sink_->text().find(own) == std::string::npos; ++attempt) {
    const int skip = attempt % 10;
    SCOPED_TRACE("after " + std::to_string(skip) + " syncs");
    ASSERT_LT(attempt, 100) << "it was never the merger's that failed";
    fs::remove_all(directory());
    fs::copy(whole, directory(), fs::copy_options::recursive);
    plan_->skip = skip;
    plan_->fault = Fault::kSync;
    auto opened = OpenRocksDbStoresOn({.directory = directory(), .memory_bytes = 4u << 20},
                                      TestLogger(sink_), &env_);
    if (!opened) {
      EXPECT_EQ(opened.error().code, ErrorCode::kStorage) << opened.error().message;
      continue;
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    Result<void> saved;
    while (saved && std::chrono::steady_clock::now() < deadline) saved = Append(*opened, 2, 9000);
    ASSERT_FALSE(saved.has_value());
    EXPECT_EQ(saved.error().code, ErrorCode::kWriteFailed) << saved.error().message;
    EXPECT_NE(saved.error().message.find("injected EIO"), std::string::npos);
  }
}

// Else the next write would fail, for a reason that nobody sees.
TEST_F(TableMergerTest, AnOpeningWhoseMergeFailsSaysSo) {
  const auto open = [&](const fs::path& folder) {
    return OpenRocksDbKv({.database = folder / "db", .staging = folder / "staging", .env = &env_},
                         NoLogger());
  };
  const auto put = [](Kv& kv, int i) {
    const auto batch = kv.NewBatch();
    batch->Put(Space::kEntries, std::to_string(100 + i), "value");
    return kv.Write(*batch);
  };
  plan_->named = ".sst";
  fs::create_directory(directory());
  for (int i = 0; i < 50; ++i) {
    {
      const auto kv = open(directory());
      ASSERT_TRUE(kv.has_value()) << kv.error().message;
      ASSERT_TRUE(put(**kv, i).has_value());
    }
    const fs::path copy = folder_.path() / "copy";
    fs::remove_all(copy);
    fs::copy(directory(), copy, fs::copy_options::recursive);
    plan_->skip = 1;  // what is replayed goes into a table first
    plan_->fault = Fault::kAppendNoSpace;
    const auto opened = open(copy);
    if (opened) {
      plan_->fault = Fault::kNone;
      continue;
    }
    EXPECT_EQ(opened.error().code, ErrorCode::kStorage);
    EXPECT_NE(opened.error().message.find("no space left"), std::string::npos)
        << opened.error().message;
    return;
  }
  FAIL() << "nothing was merged";
}

}  // namespace
}  // namespace drumbeat::storage
