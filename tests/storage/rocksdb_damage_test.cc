// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "storage/store_fixture.h"
#include "storage/system_calls.h"
#include "storage/temp_folder.h"
#include "storage/test_log.h"

// What damaged files do: the stores refuse, with an error that names a file or a replica, or they
// hold exactly what they held. Nothing third.
namespace drumbeat::storage {
namespace {

namespace fs = std::filesystem;

std::string Noise(std::uint64_t seed, std::size_t length) {
  base::Random random(seed);
  std::string bytes(length, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.Next());
  return bytes;
}

void StoreImage(Stores& stores, const ReplicaRef& replica, std::uint64_t index,
                const std::string& image) {
  auto sink = stores.snapshots->Create(replica).value();
  ASSERT_TRUE(sink->Append(image).has_value());
  ASSERT_TRUE(sink->Commit(MakeRecord(index, 1)).has_value());
}

/// Tables, images, several logs, marks and stale records; the last log is synced.
void Populate(const fs::path& directory) {
  for (int run = 0; run < 2; ++run) {
    auto opened = OpenStores(directory);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    Stores stores = std::move(*opened);
    for (std::uint64_t replica = 1; replica <= 3; ++replica) {
      const ReplicaRef ref = Replica(1, replica);
      ASSERT_TRUE(stores.log->SaveBootstrap(ref, {.addresses = {}, .join = true}).has_value());
      // Enough to fill a write buffer, so that tables are written.
      std::uint64_t first = stores.log->Load(ref)->last.value() + 1;
      for (int save = 0; save < 12; ++save, first += 10) {
        std::vector<raft::Entry> entries;
        for (std::uint64_t i = first; i < first + 10; ++i) {
          entries.push_back(MakeEntry(i, 2, Noise(i, 2000)));
        }
        ASSERT_TRUE(SaveEntries(*stores.log, ref, entries).has_value());
      }
      const auto replaced = MakeEntries(first - 5, first + 3, 3, 40);
      ASSERT_TRUE(SaveEntries(*stores.log, ref, replaced).has_value());
      ASSERT_TRUE(SaveHardState(*stores.log, ref, MakeHardState(3, replica, first)).has_value());
      StoreImage(stores, ref, first, Noise(replica, 300'000));
    }
    ASSERT_TRUE(stores.log->Remove(Replica(99, 1)).has_value());
  }
}

class RocksDbDamageTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TempFolder;
    Populate(original());
    ReopenOnce();
    const auto described = DescribeFolder(original());
    ASSERT_TRUE(described.has_value()) << described.error().message;
    expected_ = *described;
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }
  /// Lets background work of the first run settle into files.
  static void ReopenOnce() { ASSERT_TRUE(OpenStores(original()).has_value()); }

  static fs::path original() { return folder_->path() / "original"; }
  static fs::path copy() { return folder_->path() / "copy"; }
  static void MakeCopy() {
    fs::remove_all(copy());
    fs::copy(original(), copy(), fs::copy_options::recursive);
  }

  /// Judges what opening and reading the copy gives.
  static void ExpectRefusedOrIdentical(const std::string& what) {
    const Result<std::string> described = DescribeFolder(copy());
    if (described) {
      ++identical_;
      EXPECT_EQ(*described, expected_) << what << " went unnoticed";
      return;
    }
    ++refused_;
    const Error& error = described.error();
    EXPECT_TRUE(error.code == ErrorCode::kDamaged || error.code == ErrorCode::kNewerFormat ||
                error.code == ErrorCode::kStorage)
        << what << ": " << error.message;
    EXPECT_EQ(error.message.find('\n'), std::string::npos) << error.message;
    EXPECT_TRUE(error.message.find(copy().string()) != std::string::npos) << error.message;
    EXPECT_EQ(std::count(error.message.begin(), error.message.end(), ';'), 1)
        << "says once what to do: " << error.message;
  }

  inline static TempFolder* folder_ = nullptr;
  inline static std::string expected_;
  inline static int refused_ = 0;
  inline static int identical_ = 0;
};

TEST_F(RocksDbDamageTest, TheFixtureHasEveryKindOfFile) {
  std::map<std::string, int> kinds;
  for (const fs::path& file : FilesBelow(original())) {
    const std::string name = file.filename().string();
    ++kinds[name.starts_with("MANIFEST") ? "MANIFEST"
            : file.has_extension()       ? file.extension().string()
                                         : name];
  }
  for (const char* kind : {"WITNESS", "CURRENT", "MANIFEST", ".sst", ".log"}) {
    EXPECT_GE(kinds[kind], 1) << kind;
  }
  EXPECT_EQ(kinds["LOG"], 0) << "RocksDB's own log would grow without being read";
}

TEST_F(RocksDbDamageTest, AFlippedBitIsNoticedOrHarmless) {
  base::Random random(7);
  refused_ = identical_ = 0;
  for (const fs::path& file : FilesBelow(original())) {
    const auto size = fs::file_size(original() / file);
    if (size == 0) continue;
    const int samples =
        file.extension() == ".log" || file.string().find("MANIFEST") != std::string::npos ? 12 : 6;
    for (int sample = 0; sample < samples; ++sample) {
      const std::size_t at = sample == 0 ? size - 1 : sample == 1 ? 0 : random.Below(size);
      const auto bit = static_cast<unsigned>(random.Below(8));
      MakeCopy();
      std::string bytes = ReadFile(copy() / file);
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      WriteFile(copy() / file, bytes);
      ExpectRefusedOrIdentical("bit " + std::to_string(bit) + " of byte " + std::to_string(at) +
                               " of " + std::to_string(size) + " in " + file.string());
    }
  }
  EXPECT_GT(refused_, 20);
}

// RocksDB's iterators hide damage where they move on into a table that begins with it: none of ours
// may take that for the end. What is bad of a record that was replaced is never read.
TEST_F(RocksDbDamageTest, ABadFirstBlockIsCalledByItsName) {
  int called = 0;
  for (const fs::path& file : FilesBelow(original())) {
    if (!IsTable(file)) continue;
    MakeCopy();
    SpoilFirstBlock(copy() / file);
    const Result<std::string> described = DescribeFolder(copy());
    if (described) {
      EXPECT_EQ(*described, expected_) << file;
      continue;
    }
    ++called;
    EXPECT_NE(described.error().message.find("checksum"), std::string::npos)
        << file << ": " << described.error().message;
  }
  EXPECT_GT(called, 8) << "a table of state, one of entries, and two of each image at least";
}

// P4: what one replica cannot read is no business of the others, not even when they tidy up beside
// it.
TEST_F(RocksDbDamageTest, ABadFirstBlockStopsNobodyElse) {
  std::map<std::uint64_t, std::string> whole;
  MakeCopy();
  {
    Stores stores = OpenStores(copy()).value();
    for (std::uint64_t id = 1; id <= 3; ++id) whole[id] = Describe(stores, Replica(1, id)).value();
  }
  int alone = 0;
  for (const fs::path& file : FilesBelow(original())) {
    if (!IsTable(file)) continue;
    MakeCopy();
    SpoilFirstBlock(copy() / file);
    auto opened = OpenStores(copy());
    ASSERT_TRUE(opened.has_value()) << file << ": " << opened.error().message;
    Stores stores = std::move(*opened);
    std::vector<std::uint64_t> well;
    for (std::uint64_t id = 1; id <= 3; ++id) {
      const auto described = Describe(stores, Replica(1, id));
      if (!described) {
        EXPECT_EQ(described.error().code, ErrorCode::kDamaged) << described.error().message;
        continue;
      }
      EXPECT_EQ(*described, whole[id]) << file;
      well.push_back(id);
    }
    ASSERT_GE(well.size(), 2u) << file;
    alone += well.size() == 2 ? 1 : 0;
    const auto goes_on = [&](std::uint64_t id, std::uint64_t index) {
      const auto more = MakeEntries(stores.log->Load(Replica(1, id))->last.value() + 1, index, 3);
      EXPECT_TRUE(SaveEntries(*stores.log, Replica(1, id), more).has_value()) << file;
    };
    for (const std::uint64_t id : well) {
      const auto sink = stores.snapshots->Create(Replica(1, id)).value();
      ASSERT_TRUE(sink->Append("newer").has_value());
      const Result<void> stored = sink->Commit(MakeRecord(1000, 1));
      EXPECT_TRUE(stored.has_value()) << file << ": " << stored.error().message;
      goes_on(id, 2000);
    }
    EXPECT_TRUE(stores.log->Remove(Replica(1, well.front())).has_value()) << file;
    EXPECT_TRUE(stores.snapshots->Remove(Replica(1, well.front())).has_value()) << file;
    goes_on(well.back(), 3000);
  }
  EXPECT_GE(alone, 8) << "those of state, of entries, and of three images";
}

// Nor is a sector that cannot be read, to those whose entries lie before it in the same table.
TEST_F(RocksDbDamageTest, ABadSectorIsOfTheReplicaThatItIsIn) {
  fs::remove_all(copy());
  {
    Stores stores = OpenStores(copy()).value();
    for (std::uint64_t id = 1; id <= 3; ++id) {
      ASSERT_TRUE(SaveEntries(*stores.log, Replica(1, id), MakeEntries(1, 40, 1, 1000)));
    }
  }
  (void)OpenStores(copy());
  fs::path table;
  std::size_t last_entry = 0;
  for (const fs::path& file : FilesBelow(copy())) {
    const auto at = ReadFile(copy() / file).rfind("39/1pppp");
    if (at == std::string::npos) continue;
    table = file;
    last_entry = at;
  }
  ASSERT_TRUE(IsTable(table)) << table;
  const BadSector sector(table.filename().string(), static_cast<long>(last_entry));
  Stores stores = OpenStores(copy()).value();
  for (std::uint64_t id = 1; id <= 2; ++id) {
    const auto described = Describe(stores, Replica(1, id));
    EXPECT_TRUE(described.has_value()) << described.error().message;
  }
  EXPECT_EQ(sector.refused(), 0);
  const auto refused = Describe(stores, Replica(1, 3));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kDamaged) << refused.error().message;
}

// Images are never merged: a mark of what was dropped would stay for good.
TEST_F(RocksDbDamageTest, WhatIsDroppedBesideABadImageLeavesNothingBehind) {
  const auto tables_after_images = [&](std::uint64_t index) {
    {
      Stores stores = OpenStores(copy()).value();
      for (std::uint64_t id = 1; id <= 3; ++id) {
        if (!stores.snapshots->Newest(Replica(1, id))) continue;
        const auto sink = stores.snapshots->Create(Replica(1, id)).value();
        (void)sink->Commit(MakeRecord(index, 1));
      }
    }
    (void)OpenStores(copy());
    return std::ranges::count_if(FilesBelow(copy()), IsTable);
  };
  for (const fs::path& file : FilesBelow(original())) {
    if (!IsTable(file)) continue;
    MakeCopy();
    SpoilFirstBlock(copy() / file);
    const auto tables = tables_after_images(1000);
    EXPECT_EQ(tables_after_images(1001), tables) << file;
    EXPECT_EQ(tables_after_images(1002), tables) << file;
  }
}

TEST_F(RocksDbDamageTest, ATruncatedFileIsNoticedOrHarmless) {
  base::Random random(8);
  for (const fs::path& file : FilesBelow(original())) {
    const auto size = fs::file_size(original() / file);
    for (const auto length : {std::uintmax_t{0}, size / 2, size - std::min<std::uintmax_t>(size, 1),
                              random.Below(size + 1)}) {
      MakeCopy();
      fs::resize_file(copy() / file, length);
      ExpectRefusedOrIdentical(file.string() + " cut to " + std::to_string(length) + " of " +
                               std::to_string(size));
    }
  }
}

TEST_F(RocksDbDamageTest, AMissingFileIsNoticedOrHarmless) {
  for (const fs::path& file : FilesBelow(original())) {
    MakeCopy();
    fs::remove(copy() / file);
    ExpectRefusedOrIdentical(file.string() + " deleted");
  }
  for (const char* folder : {"db", "staging"}) {
    MakeCopy();
    fs::remove_all(copy() / folder);
    ExpectRefusedOrIdentical(std::string(folder) + " deleted");
  }
}

}  // namespace
}  // namespace drumbeat::storage
