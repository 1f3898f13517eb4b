// SPDX-License-Identifier: Apache-2.0
#include "storage/prepared_log.h"

#include <filesystem>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <rocksdb/file_system.h>

#include "storage/log_store.h"
#include "storage/rocksdb_stores.h"
#include "storage/store_fixture.h"
#include "storage/system_calls.h"
#include "storage/temp_folder.h"
#include "storage/test_log.h"
#include "storage/wal_scan.h"

namespace drumbeat::storage {
namespace {

class PreparedLogTest : public testing::Test {
 protected:
  std::unique_ptr<rocksdb::FSWritableFile> Create(const std::string& name) {
    std::unique_ptr<rocksdb::FSWritableFile> file;
    const auto status = PreparedLogFileSystem()->NewWritableFile(Path(name), rocksdb::FileOptions(),
                                                                 &file, nullptr);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return file;
  }
  static void Append(rocksdb::FSWritableFile& file, const std::string& bytes) {
    EXPECT_TRUE(file.Append(bytes, rocksdb::IOOptions(), nullptr).ok());
  }
  std::string Path(const std::string& name) const { return (folder_.path() / name).string(); }
  std::uint64_t SizeOf(const std::string& name) const {
    return std::filesystem::file_size(Path(name));
  }

  TempFolder folder_;
};

TEST_F(PreparedLogTest, SmallWritesDoNotGrowTheFile) {
  const auto file = Create("000001.log");
  Append(*file, "first");
  const std::uint64_t size = SizeOf("000001.log");
  EXPECT_GT(size, 100u << 10);
  for (int i = 0; i < 1000; ++i) Append(*file, std::string(100, 'x'));
  EXPECT_EQ(SizeOf("000001.log"), size);
  EXPECT_EQ(file->GetFileSize(rocksdb::IOOptions(), nullptr), 100'005u);
  for (int i = 0; i < 10'000; ++i) Append(*file, std::string(100, 'x'));
  EXPECT_GT(SizeOf("000001.log"), 1'100'005u);
}

TEST_F(PreparedLogTest, AClosedLogEndsWithItsLastByte) {
  const auto file = Create("000001.log");
  Append(*file, "some bytes");
  ASSERT_TRUE(file->Close(rocksdb::IOOptions(), nullptr).ok());
  EXPECT_EQ(ReadFile(Path("000001.log")), "some bytes");
}

TEST_F(PreparedLogTest, LargeWritesAreWrittenOnce) {
  const auto file = Create("000001.log");
  Append(*file, std::string(100'000, 'x'));
  EXPECT_EQ(SizeOf("000001.log"), 100'000u);
  // And small ones after them are prepared again.
  Append(*file, "small");
  EXPECT_GT(SizeOf("000001.log"), 200'000u);
}

// Part of a record says nothing, but for what it may look like.
TEST_F(PreparedLogTest, AnAppendThatFailsLeavesNothing) {
  for (const std::size_t bytes : {100, 100'000}) {
    const auto file = Create("000001.log");
    Append(*file, "before");
    {
      FullAfter full(".log", 50);
      EXPECT_FALSE(file->Append(std::string(bytes, 'x'), rocksdb::IOOptions(), nullptr).ok());
      EXPECT_GT(full.refused(), 0);
    }
    EXPECT_EQ(ReadFile(Path("000001.log")), "before") << bytes;
  }
}

TEST_F(PreparedLogTest, OtherFilesAreNotTouched) {
  const auto file = Create("000001.sst");
  Append(*file, "bytes");
  ASSERT_TRUE(file->Flush(rocksdb::IOOptions(), nullptr).ok());
  EXPECT_EQ(SizeOf("000001.sst"), 5u);
}

// What a killed process leaves: records, then zeros.
TEST_F(PreparedLogTest, AStoreReadsALogThatEndsInZeros) {
  const auto directory = folder_.path() / "stores";
  const auto copy = folder_.path() / "copy";
  {
    auto stores = OpenRocksDbStores({.directory = directory}, NoLogger());
    ASSERT_TRUE(stores.has_value()) << stores.error().message;
    ASSERT_TRUE(SaveEntries(*stores->log, Replica(1, 1), MakeEntries(1, 100, 1)).has_value());
    std::filesystem::copy(directory, copy, std::filesystem::copy_options::recursive);
  }
  std::uint64_t zeros = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(copy)) {
    if (file.path().extension() != ".log") continue;
    const auto judged = JudgeLogFile(file.path());
    ASSERT_TRUE(judged.has_value());
    EXPECT_EQ(judged->verdict, LogVerdict::kIntact);
    zeros += judged->file_bytes - judged->intact_bytes;
  }
  EXPECT_GT(zeros, 100u << 10);
  auto stores = OpenRocksDbStores({.directory = copy}, NoLogger());
  ASSERT_TRUE(stores.has_value()) << stores.error().message;
  const auto log = stores->log->Load(Replica(1, 1));
  ASSERT_TRUE(log.has_value()) << log.error().message;
  EXPECT_EQ(log->last, Index(99));
}

}  // namespace
}  // namespace drumbeat::storage
