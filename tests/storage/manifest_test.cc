// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <rocksdb/file_system.h>

#include "fuzz/log_file.h"
#include "storage/log_files.h"
#include "storage/manifest_guard.h"
#include "storage/rocksdb_kv.h"
#include "storage/store_fixture.h"
#include "storage/system_calls.h"
#include "storage/temp_folder.h"
#include "storage/test_log.h"

namespace drumbeat::storage {
namespace {

namespace fs = std::filesystem;

// Each snapshot that enters or goes is a change to the set of tables, and all changes are read at
// the next opening.
TEST(ManifestTest, DoesNotGrowWithEverySnapshot) {
  const TempFolder folder;
  const fs::path database = folder.path() / "db";
  auto kv = OpenRocksDbKv({.database = database,
                           .staging = folder.path() / "staging",
                           .memory_bytes = 4u << 20,
                           .max_manifest_bytes = 16u << 10},
                          NoLogger());
  ASSERT_TRUE(kv.has_value());
  std::uintmax_t largest = 0;
  for (int i = 1000; i < 1500; ++i) {
    auto bulk = (*kv)->NewBulk().value();
    ASSERT_TRUE(bulk->Add(std::to_string(i), "image").has_value());
    ASSERT_TRUE(bulk->EndRun().has_value());
    ASSERT_TRUE(bulk->Commit().has_value());
    ASSERT_TRUE((*kv)->Drop(Space::kImages, {"0", std::to_string(i)}).has_value());
    for (const auto& file : fs::directory_iterator(database)) {
      if (!file.path().filename().string().starts_with("MANIFEST-")) continue;
      largest = std::max(largest, file.file_size());
    }
  }
  EXPECT_LT(largest, std::uintmax_t{24} << 10);
}

// A power cut in the sync of an edit: nobody relied upon it, but RocksDB refuses it.
TEST(ManifestTest, ATornLastEditIsCutOff) {
  const TempFolder folder;
  const fs::path manifest = folder.path() / "MANIFEST-000007";
  WriteFile(folder.path() / "CURRENT", "MANIFEST-000007\n");
  fuzz::LogWriter log;
  log.Add(std::string(100, 'a'));
  const std::size_t whole = log.bytes().size();
  log.Add(std::string(3000, 'b'));
  std::string torn = log.bytes();
  std::fill(torn.begin() + 1024, torn.begin() + 1536, '\0');
  WriteFile(manifest, torn);
  const auto prepared = PrepareLogFiles(folder.path(), NoLogger());
  ASSERT_TRUE(prepared.has_value()) << prepared.error().message;
  EXPECT_EQ(ReadFile(manifest), torn.substr(0, whole));
}

/// A database that makes a new manifest with each change to its tables, and what must be in it.
class NewManifestTest : public testing::Test {
 protected:
  Result<std::unique_ptr<Kv>> Open() {
    return OpenRocksDbKv({.database = database(),
                          .staging = folder_.path() / "staging",
                          .memory_bytes = 4u << 20,
                          .max_manifest_bytes = 1},
                         NoLogger());
  }
  fs::path database() const { return folder_.path() / "db"; }

  static Result<void> Put(Kv& kv, const std::string& key) {
    const auto batch = kv.NewBatch();
    batch->Put(Space::kState, key, "value");
    return kv.Write(*batch);
  }
  static Result<void> Enter(Kv& kv, const std::string& key) {
    auto bulk = kv.NewBulk();
    if (!bulk) return std::unexpected(bulk.error());
    if (Result<void> added = (*bulk)->Add(key, "image"); !added) return added;
    return (*bulk)->Commit();
  }

  /// Opens, writes and lets images come and go until something fails; then all must fail.
  void Run() {
    Result<std::unique_ptr<Kv>> kv = Open();
    if (!kv) return;
    for (int i = 10; i < 14; ++i) {
      const std::string name = std::to_string(i);
      if (!Keep(**kv, Space::kState, name, Put(**kv, name))) return;
      if (!Keep(**kv, Space::kImages, name, Enter(**kv, name))) return;
      kept_.erase({Space::kImages, std::to_string(i - 1)});
      const Result<void> dropped = (*kv)->Drop(Space::kImages, {"0", name});
      if (!Keep(**kv, Space::kState, name, dropped)) return;
    }
  }
  bool Keep(Kv& kv, Space space, const std::string& key, const Result<void>& done) {
    if (done) {
      kept_.emplace(space, key);
      return true;
    }
    // Nothing depends on a table that was still outside.
    if (done.error().code == ErrorCode::kStorage) return false;
    EXPECT_EQ(done.error().code, ErrorCode::kWriteFailed) << done.error().message;
    const Result<void> later = Put(kv, "later");
    EXPECT_FALSE(later.has_value());
    return false;
  }
  /// And whatever was kept is there.
  void ExpectKept() {
    Result<std::unique_ptr<Kv>> kv = Open();
    ASSERT_TRUE(kv.has_value()) << kv.error().message;
    for (const auto& [space, key] : kept_) {
      const auto value = (*kv)->Get(space, key);
      ASSERT_TRUE(value.has_value()) << value.error().message;
      EXPECT_TRUE(value->has_value()) << key;
    }
  }
  void StartOver() {
    kept_.clear();
    fs::remove_all(database());
  }

  const TempFolder folder_;
  std::set<std::pair<Space, std::string>> kept_;
};

TEST_F(NewManifestTest, WhicheverSyncFailsNothingIsLost) {
  int sync = 0;
  for (bool failed = true; failed; ++sync) {
    SCOPED_TRACE("sync " + std::to_string(sync));
    StartOver();
    {
      FailingSync failing(fs::canonical(folder_.path()).string(), sync);
      Run();
      failed = !failing.failed().empty();
    }
    ExpectKept();
  }
  EXPECT_GT(sync, 60);
}

TEST_F(NewManifestTest, WhicheverRenamingToCurrentFailsNothingIsLost) {
  int renaming = 0;
  for (bool failed = true; failed; ++renaming) {
    SCOPED_TRACE("renaming " + std::to_string(renaming));
    StartOver();
    {
      FailingRename failing("CURRENT", renaming);
      Run();
      failed = failing.failed();
    }
    ExpectKept();
  }
  EXPECT_GT(renaming, 8);
}

// RocksDB tries again by itself, when there is room on the disk for example.
TEST(ManifestGuardTest, BehindAFailureNothingIsMadeRenamedOrDeleted) {
  const TempFolder folder;
  const std::string path = folder.path().string() + "/";
  const auto guard = std::make_shared<ManifestGuard>();
  const auto files = GuardManifest(rocksdb::FileSystem::Default(), guard);
  const auto make = [&](const std::string& name, std::unique_ptr<rocksdb::FSWritableFile>& file) {
    return files->NewWritableFile(path + name, {}, &file, nullptr);
  };
  std::unique_ptr<rocksdb::FSWritableFile> manifest;
  std::unique_ptr<rocksdb::FSWritableFile> other;
  ASSERT_TRUE(make("MANIFEST-000001", manifest).ok());
  ASSERT_TRUE(make("000002.sst", other).ok());
  ASSERT_TRUE(manifest->Append("a", {}, nullptr).ok());
  ASSERT_TRUE(manifest->Sync({}, nullptr).ok());
  guard->Fail();
  EXPECT_FALSE(manifest->Append("b", {}, nullptr).ok());
  EXPECT_FALSE(manifest->Sync({}, nullptr).ok());
  EXPECT_FALSE(make("MANIFEST-000003", other).ok());
  EXPECT_FALSE(make("000004.sst", other).ok());
  EXPECT_FALSE(files->RenameFile(path + "000002.sst", path + "CURRENT", {}, nullptr).ok());
  EXPECT_FALSE(files->LinkFile(path + "000002.sst", path + "000005.sst", {}, nullptr).ok());
  EXPECT_FALSE(files->DeleteFile(path + "000002.sst", {}, nullptr).ok());
  manifest.reset();
  const std::vector<std::filesystem::path> left{"000002.sst", "MANIFEST-000001"};
  EXPECT_EQ(FilesBelow(folder.path()), left);
  EXPECT_EQ(ReadFile(folder.path() / "MANIFEST-000001"), "a");
}

}  // namespace
}  // namespace drumbeat::storage
