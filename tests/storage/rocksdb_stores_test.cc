// SPDX-License-Identifier: Apache-2.0
#include "storage/rocksdb_stores.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <sys/vfs.h>
#include <vector>

#include <gtest/gtest.h>

#include "base/resident_memory.h"
#include "storage/store_fixture.h"
#include "storage/temp_folder.h"
#include "storage/test_log.h"
#include "storage/wal_scan.h"

namespace drumbeat::storage {
namespace {

namespace fs = std::filesystem;

class RocksDbStoresTest : public testing::Test {
 protected:
  fs::path directory() const { return folder_.path() / "stores"; }
  fs::path copy() const { return folder_.path() / "copy"; }
  void MakeCopy() {
    fs::remove_all(copy());
    fs::copy(directory(), copy(), fs::copy_options::recursive);
  }
  Stores Open() {
    auto stores = OpenStores(directory());
    EXPECT_TRUE(stores.has_value()) << stores.error().message;
    return std::move(*stores);
  }
  static void ExpectLost(const fs::path& where, const std::string& what) {
    const auto stores = OpenStores(where);
    ASSERT_FALSE(stores.has_value());
    EXPECT_EQ(stores.error().code, ErrorCode::kDamaged);
    EXPECT_NE(stores.error().message.find("lost acknowledged state"), std::string::npos)
        << stores.error().message;
    EXPECT_NE(stores.error().message.find(what), std::string::npos) << stores.error().message;
  }

  TempFolder folder_;
};

TEST_F(RocksDbStoresTest, TheyAreOpenOnlyOnce) {
  const Stores stores = Open();
  const auto second = OpenStores(directory());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kLocked);
  EXPECT_NE(second.error().message.find(directory().string()), std::string::npos);
}

TEST_F(RocksDbStoresTest, AFirstOpeningThatWasCutShortIsBegunAgain) {
  // The witness comes first, then RocksDB's files, CURRENT last.
  {
    Open();
  }
  const std::vector<fs::path> files = FilesBelow(directory());
  for (std::size_t kept = 0; kept < files.size(); ++kept) {
    MakeCopy();
    fs::remove(copy() / "db" / "CURRENT");
    std::size_t count = 0;
    for (const fs::path& file : files) {
      if (file != "WITNESS" && count++ >= kept) fs::remove(copy() / file);
    }
    auto stores = OpenStores(copy());
    ASSERT_TRUE(stores.has_value()) << stores.error().message;
    ASSERT_TRUE(SaveEntries(*stores->log, Replica(1, 1), MakeEntries(1, 2, 1)).has_value());
  }
}

// S-05 on the real thing: the last records, which nobody was told of, are cut at any byte.
TEST_F(RocksDbStoresTest, ATornTailIsCutOffAndLogged) {
  constexpr std::uint64_t kKept = 27;
  ASSERT_TRUE(SaveEntries(*Open().log, Replica(1, 1), MakeEntries(1, kKept + 1, 1)).has_value());
  const std::string witness = ReadFile(directory() / "WITNESS");
  std::vector<std::uintmax_t> sizes = {0};
  {
    Stores stores = Open();
    for (std::uint64_t i = kKept + 1; i <= kKept + 3; ++i) {
      ASSERT_TRUE(SaveEntries(*stores.log, Replica(1, 1), MakeEntries(i, i + 1, 1)).has_value());
      sizes.push_back(LogEnd(directory()));
    }
  }
  int torn = 0;
  for (std::uintmax_t size = 0; size <= sizes.back(); size += 5) {
    MakeCopy();
    WriteFile(copy() / "WITNESS", witness);
    fs::resize_file(NewestLog(copy()), size);
    const auto sink = std::make_shared<TestSink>();
    auto stores =
        OpenRocksDbStores({.directory = copy(), .memory_bytes = 4u << 20}, TestLogger(sink));
    ASSERT_TRUE(stores.has_value()) << size << ": " << stores.error().message;
    const auto whole = std::upper_bound(sizes.begin(), sizes.end(), size) - sizes.begin() - 1;
    EXPECT_EQ(stores->log->Load(Replica(1, 1))->last.value(),
              kKept + static_cast<std::uint64_t>(whole));
    const bool is_torn = sizes[static_cast<std::size_t>(whole)] != size;
    EXPECT_EQ(sink->text().find("never acknowledged") != std::string::npos, is_torn)
        << sink->text();
    torn += is_torn ? 1 : 0;
  }
  EXPECT_GT(torn, 50);
}

TEST_F(RocksDbStoresTest, ALogThatEndsBeforeWhatWasAcknowledgedIsNoticed) {
  std::vector<std::uintmax_t> sizes;
  {
    Stores stores = Open();
    for (std::uint64_t i = 1; i <= 20; ++i) {
      ASSERT_TRUE(SaveEntries(*stores.log, Replica(1, 1), MakeEntries(i, i + 1, 1)).has_value());
      sizes.push_back(LogEnd(directory()));
    }
  }
  for (const std::uintmax_t size : {sizes[18], sizes[18] + 10, sizes[0], std::uintmax_t{0}}) {
    MakeCopy();
    fs::resize_file(NewestLog(copy()), size);
    ExpectLost(copy(), "to 20");
  }
  MakeCopy();
  fs::remove(NewestLog(copy()));
  ExpectLost(copy(), "entries 1 to 20 of [00001:00001]");
}

// What refuses a start deletes nothing that may tell what happened.
TEST_F(RocksDbStoresTest, ALogThatReadsAsZerosIsLeftAsItIs) {
  {
    Stores stores = Open();
    ASSERT_TRUE(SaveEntries(*stores.log, Replica(1, 1), MakeEntries(1, 20, 1)).has_value());
  }
  const fs::path log = NewestLog(directory());
  const std::string zeros(fs::file_size(log), '\0');
  WriteFile(log, zeros);
  for (int i = 0; i < 2; ++i) {
    ExpectLost(directory(), "entries 1 to 19 of [00001:00001]");
    EXPECT_TRUE(ReadFile(log) == zeros);
  }
}

TEST_F(RocksDbStoresTest, AVoteThatWasLostIsNoticed) {
  std::uintmax_t before_vote = 0;
  std::uintmax_t before_term = 0;
  {
    Stores stores = Open();
    ASSERT_TRUE(SaveHardState(*stores.log, Replica(1, 1), MakeHardState(4, 0, 0)).has_value());
    before_vote = LogEnd(directory());
    ASSERT_TRUE(SaveHardState(*stores.log, Replica(1, 1), MakeHardState(4, 2, 0)).has_value());
    before_term = LogEnd(directory());
    // As after a crash: nothing is written at an orderly end that was not before.
    MakeCopy();
  }
  fs::resize_file(NewestLog(copy()), before_vote);
  ExpectLost(copy(), "its vote in term 4");
  {
    ASSERT_TRUE(SaveHardState(*Open().log, Replica(1, 1), MakeHardState(5, 0, 0)).has_value());
  }
  MakeCopy();
  fs::resize_file(NewestLog(copy()), 0);
  ExpectLost(copy(), "its term 5");
  EXPECT_GT(before_term, before_vote);
}

TEST_F(RocksDbStoresTest, ABootstrapRecordThatWasLostIsNoticed) {
  {
    ASSERT_TRUE(Open().log->SaveBootstrap(Replica(1, 1), {.addresses = {}}).has_value());
  }
  fs::resize_file(NewestLog(directory()), 0);
  ExpectLost(directory(), "how it was started");
}

TEST_F(RocksDbStoresTest, ARemovalThatWasLostIsNoticed) {
  {
    ASSERT_TRUE(Open().log->Remove(Replica(1, 1)).has_value());
  }
  fs::resize_file(NewestLog(directory()), 0);
  ExpectLost(directory(), "its removal");
}

// Each manifest's end is where the last image entered.
TEST_F(RocksDbStoresTest, AnImageThatWasLostWithTheManifestsEndIsNoticed) {
  {
    Stores stores = Open();
    for (const std::uint64_t index : {10u, 20u}) {
      auto sink = stores.snapshots->Create(Replica(1, 1)).value();
      ASSERT_TRUE(sink->Append("image").has_value());
      ASSERT_TRUE(sink->Commit(MakeRecord(index, 1)).has_value());
    }
  }
  fs::path manifest;
  for (const fs::path& file : FilesBelow(directory())) {
    if (file.filename().string().starts_with("MANIFEST")) manifest = file;
  }
  // Every end of a record in it.
  const std::string bytes = ReadFile(directory() / manifest);
  int refused = 0;
  for (std::size_t at = 0; at + kLogHeaderBytes < bytes.size();) {
    const auto length = static_cast<std::size_t>(static_cast<unsigned char>(bytes[at + 4])) |
                        static_cast<std::size_t>(static_cast<unsigned char>(bytes[at + 5])) << 8;
    at += kLogHeaderBytes + length;
    MakeCopy();
    fs::resize_file(copy() / manifest, at);
    auto stores = OpenStores(copy());
    if (!stores) {
      EXPECT_EQ(stores.error().code, ErrorCode::kDamaged) << stores.error().message;
      ++refused;
      continue;
    }
    EXPECT_EQ(stores->snapshots->Newest(Replica(1, 1)).value()->index, Index(20)) << at;
    const auto reader = stores->snapshots->Open(Replica(1, 1), Index(20));
    ASSERT_TRUE(reader.has_value());
    EXPECT_EQ(ReadWhole(**reader), "image");
  }
  EXPECT_GT(refused, 3);
}

TEST_F(RocksDbStoresTest, ManyRestartsDoNotPileUpFiles) {
  {
    ASSERT_TRUE(SaveEntries(*Open().log, Replica(1, 1), MakeEntries(1, 4, 1)).has_value());
  }
  for (std::uint64_t i = 4; i < 64; ++i) {
    Stores stores = Open();
    ASSERT_TRUE(SaveEntries(*stores.log, Replica(1, 1), MakeEntries(i, i + 1, 1)).has_value());
  }
  EXPECT_LT(FilesBelow(directory()).size(), 50u);
  EXPECT_EQ(Open().log->Load(Replica(1, 1))->last, Index(63));
}

TEST_F(RocksDbStoresTest, RestartsThatWriteNothingPileUpNoFiles) {
  {
    ASSERT_TRUE(SaveEntries(*Open().log, Replica(1, 1), MakeEntries(1, 4, 1)).has_value());
  }
  for (int i = 0; i < 5; ++i) Open();
  const std::size_t files = FilesBelow(directory()).size();
  for (int i = 0; i < 5; ++i) Open();
  EXPECT_EQ(FilesBelow(directory()).size(), files);
  EXPECT_EQ(Open().log->Load(Replica(1, 1))->last, Index(3));
}

TEST_F(RocksDbStoresTest, OldImagesGiveTheirRoomBack) {
  Stores stores = Open();
  for (std::uint64_t index = 1; index <= 10; ++index) {
    auto sink = stores.snapshots->Create(Replica(1, 1)).value();
    ASSERT_TRUE(sink->Append(std::string(2u << 20, static_cast<char>('a' + index))).has_value());
    ASSERT_TRUE(sink->Commit(MakeRecord(index, 1)).has_value());
  }
  stores = {};
  stores = Open();
  std::uintmax_t bytes = 0;
  for (const fs::path& file : FilesBelow(directory())) bytes += fs::file_size(directory() / file);
  EXPECT_LT(bytes, std::uintmax_t{4} << 20);
  EXPECT_TRUE(fs::is_empty(directory() / "staging"));
}

TEST_F(RocksDbStoresTest, WhatACrashLeftInStagingGoes) {
  {
    Open();
  }
  WriteFile(directory() / "staging" / "7.sst", "half an image");
  const Stores stores = Open();
  EXPECT_TRUE(fs::is_empty(directory() / "staging"));
}

// S-21.
TEST_F(RocksDbStoresTest, AFileSystemInMemoryIsWarnedOf) {
  struct statfs status{};
  ASSERT_EQ(::statfs(folder_.path().c_str(), &status), 0);
  const bool in_memory = status.f_type == 0x01021994;
  // A folder in this one's file system, and one in that of the program.
  const fs::path on_disk = fs::temp_directory_path() / folder_.path().filename();
  for (const fs::path& where : {directory(), on_disk}) {
    const auto sink = std::make_shared<TestSink>();
    ASSERT_TRUE(OpenRocksDbStores({.directory = where, .memory_bytes = 4u << 20}, TestLogger(sink))
                    .has_value());
    ASSERT_EQ(::statfs(where.c_str(), &status), 0);
    const bool warned =
        sink->text().find(where.string() + " lies on a file system in memory") != std::string::npos;
    EXPECT_EQ(warned, status.f_type == 0x01021994) << sink->text();
  }
  fs::remove_all(on_disk);
  if (!in_memory) GTEST_SKIP() << "there is no file system in memory here";
}

TEST_F(RocksDbStoresTest, ALargeImageNeedsLittleMemory) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers keep freed memory";
#endif
  constexpr std::size_t kPieces = 160;
  const std::string piece(1u << 20, 'p');
  Stores stores = Open();
  const std::uint64_t before = base::ResidentBytes();
  auto sink = stores.snapshots->Create(Replica(1, 1)).value();
  for (std::size_t i = 0; i < kPieces; ++i) ASSERT_TRUE(sink->Append(piece).has_value());
  ASSERT_TRUE(sink->Commit(MakeRecord(1, 1)).has_value());
  sink.reset();
  auto reader = stores.snapshots->Open(Replica(1, 1), Index(1)).value();
  std::vector<char> buffer(1u << 20);
  std::uint64_t total = 0;
  for (std::size_t got = 1; got > 0; total += got) got = reader->Read(buffer).value();
  EXPECT_EQ(total, kPieces << 20);
  EXPECT_LT(base::ResidentBytes(), before + (24u << 20));
}

}  // namespace
}  // namespace drumbeat::storage
