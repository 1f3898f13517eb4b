// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <string>
#include <sys/mount.h>
#include <sys/resource.h>

#include <gtest/gtest.h>
#include <unistd.h>

#include "storage/child_process.h"
#include "storage/faulty_env.h"
#include "storage/store_fixture.h"
#include "storage/stores.h"
#include "storage/system_calls.h"
#include "storage/temp_folder.h"
#include "storage/test_log.h"

// What a disk that fails does to the stores on RocksDB.
namespace drumbeat::storage {
namespace {

namespace fs = std::filesystem;
using Fault = FaultyFileSystem::Fault;

class RocksDbFailureTest : public testing::Test {
 protected:
  fs::path directory() const { return folder_.path() / "stores"; }

  Result<Stores> TryOpenFaulty() {
    return OpenRocksDbStoresOn({.directory = directory(), .memory_bytes = 4u << 20}, NoLogger(),
                               env_.get());
  }
  Stores OpenFaulty() {
    auto stores = TryOpenFaulty();
    EXPECT_TRUE(stores.has_value()) << stores.error().message;
    return std::move(*stores);
  }
  static void Populate(Stores& stores, const ReplicaRef& replica) {
    ASSERT_TRUE(stores.log->SaveBootstrap(replica, {.addresses = {}, .join = true}).has_value());
    ASSERT_TRUE(SaveEntries(*stores.log, replica, MakeEntries(1, 31, 1)).has_value());
    const auto sink = stores.snapshots->Create(replica).value();
    ASSERT_TRUE(sink->Append("image").has_value());
    ASSERT_TRUE(sink->Commit(MakeRecord(20, 1)).has_value());
  }
  static void ExpectWriteFailed(const Result<void>& result) {
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, ErrorCode::kWriteFailed) << result.error().message;
  }

  TempFolder folder_;
  std::shared_ptr<FaultyFileSystem::Plan> plan_ = std::make_shared<FaultyFileSystem::Plan>();
  std::unique_ptr<rocksdb::Env> env_ =
      rocksdb::NewCompositeEnv(std::make_shared<FaultyFileSystem>(plan_));
};

TEST_F(RocksDbFailureTest, EverySaveReachesTheDisk) {
  Stores stores = OpenFaulty();
  for (std::uint64_t i = 1; i <= 20; ++i) {
    const int before = plan_->syncs;
    ASSERT_TRUE(SaveEntries(*stores.log, Replica(1, 1), MakeEntries(i, i + 1, 1)).has_value());
    EXPECT_GT(plan_->syncs, before);
  }
}

// S-01: after a sync that failed nothing is written any more, and what was acknowledged is there.
TEST_F(RocksDbFailureTest, AFailedSyncIsFinal) {
  for (int skip = 0; skip < 12; ++skip) {
    SCOPED_TRACE(skip);
    fs::remove_all(directory());
    std::uint64_t acknowledged = 0;
    {
      Stores stores = OpenFaulty();
      plan_->skip = skip;
      plan_->fault = Fault::kSync;
      for (std::uint64_t i = 1; i <= 15; ++i) {
        const Result<void> saved =
            SaveEntries(*stores.log, Replica(1, 1), MakeEntries(i, i + 1, 1));
        if (acknowledged + 1 == i && saved) {
          acknowledged = i;
        } else {
          ExpectWriteFailed(saved);
        }
      }
      EXPECT_EQ(acknowledged, static_cast<std::uint64_t>(skip));
      EXPECT_EQ(plan_->fault, Fault::kNone) << "the disk has been fine again since";
      ExpectWriteFailed(SaveEntries(*stores.log, Replica(9, 9), MakeEntries(1, 2, 1)));
      ExpectWriteFailed(stores.log->SaveBootstrap(Replica(9, 9), {.addresses = {}}));
      ExpectWriteFailed(stores.log->CutThrough(Replica(1, 1), Index(1)));
      ExpectWriteFailed(stores.log->Remove(Replica(1, 1)));
      EXPECT_FALSE(stores.snapshots->Create(Replica(1, 1)).has_value());
      // Reading goes on.
      EXPECT_EQ(stores.log->Load(Replica(1, 1))->last, Index(acknowledged));
    }
    Stores stores = OpenFaulty();
    const Index last = stores.log->Load(Replica(1, 1))->last;
    EXPECT_GE(last, Index(acknowledged));
    EXPECT_LE(last, Index(acknowledged + 1)) << "the one whose sync failed, at most";
  }
}

TEST_F(RocksDbFailureTest, AFailedAppendIsFinal) {
  for (const Fault fault : {Fault::kAppend, Fault::kAppendNoSpace}) {
    fs::remove_all(directory());
    {
      Stores stores = OpenFaulty();
      ASSERT_TRUE(SaveEntries(*stores.log, Replica(1, 1), MakeEntries(1, 5, 1)).has_value());
      plan_->fault = fault;
      const auto failed = SaveEntries(*stores.log, Replica(1, 1), MakeEntries(5, 6, 1));
      ExpectWriteFailed(failed);
      const bool full = fault == Fault::kAppendNoSpace;
      EXPECT_EQ(failed.error().message.contains("; free some space and start again"), full);
      ExpectWriteFailed(SaveEntries(*stores.log, Replica(1, 1), MakeEntries(5, 6, 1)));
    }
    Stores stores = OpenFaulty();
    EXPECT_EQ(stores.log->Load(Replica(1, 1))->last, Index(4));
    EXPECT_TRUE(SaveEntries(*stores.log, Replica(1, 1), MakeEntries(5, 6, 1)).has_value());
  }
}

// What RocksDB finds to be bad while it writes is damage of what all share, and is called so.
TEST_F(RocksDbFailureTest, DamageThatStopsWritesIsCalledByItsName) {
  plan_->named = ".sst";
  plan_->fault = Fault::kAppendDamage;
  Stores stores = OpenFaulty();
  Result<void> saved;
  for (std::uint64_t i = 1; i <= 100 && saved; ++i) {
    saved = SaveEntries(*stores.log, Replica(1, 1), MakeEntries(i, i + 1, 1, 200'000));
  }
  ExpectWriteFailed(saved);
  const std::string text = saved.error().message;
  EXPECT_EQ(text.find("cannot write"), std::string::npos) << text;
  EXPECT_NE(text.find("the database in " + directory().string()), std::string::npos) << text;
  EXPECT_NE(text.find(" is damaged: "), std::string::npos) << text;
  EXPECT_NE(text.find("; restore the data folder"), std::string::npos) << text;
}

// What the system lacks for a read, such as descriptors, says nothing of what is stored: only what
// is known to be bad is left as it is for good.
TEST_F(RocksDbFailureTest, AReadThatTheSystemRefusedIsTriedAgain) {
  const auto is_lack = [](const Error& error) {
    EXPECT_EQ(error.code, ErrorCode::kStorage) << error.message;
    EXPECT_TRUE(error.message.contains("Too many open files")) << error.message;
    EXPECT_FALSE(error.message.contains("remove this")) << error.message;
  };
  {
    Stores stores = OpenFaulty();
    for (std::uint64_t shard = 1; shard <= 2; ++shard) Populate(stores, Replica(shard, 1));
    ASSERT_TRUE(stores.log->Remove(Replica(99, 1)).has_value());
  }
  Stores stores = OpenFaulty();
  const std::string whole = Describe(stores).value();
  stores = {};
  plan_->named = ".sst";
  int refused = 0;
  for (int skip = 0;; ++skip) {
    SCOPED_TRACE(skip);
    plan_->skip = skip;
    plan_->fault = Fault::kRead;
    auto opened = TryOpenFaulty();
    if (!opened) {
      ++refused;
      is_lack(opened.error());
      plan_->fault = Fault::kNone;
      opened = TryOpenFaulty();
      ASSERT_TRUE(opened.has_value()) << opened.error().message;
    }
    // If it has not struck the opening, it strikes whoever reads first.
    const auto described = Describe(*opened);
    if (!described) is_lack(described.error());
    const bool struck = plan_->fault.exchange(Fault::kNone) == Fault::kNone;
    const auto again = Describe(*opened);
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_EQ(*again, whole);
    if (!struck) break;
  }
  EXPECT_GT(refused, 5);
}

// With the record of its first start unreadable, only the witness tells that it is there.
TEST_F(RocksDbFailureTest, ARemovalThatFailedCanBeRepeated) {
  const ReplicaRef replica = Replica(1, 1);
  const std::string address = "somewhere:63001";
  {
    Stores stores = OpenFaulty();
    ASSERT_TRUE(stores.log->SaveBootstrap(replica, {.addresses = {{ReplicaId(1), address}}}));
    ASSERT_TRUE(SaveEntries(*stores.log, replica, MakeEntries(1, 5, 1)).has_value());
  }
  (void)OpenFaulty();
  int spoiled = 0;
  for (const fs::path& file : FilesBelow(directory())) {
    std::string bytes = ReadFile(directory() / file);
    const auto at = bytes.find(address);
    if (!IsTable(file) || at == std::string::npos) continue;
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    WriteFile(directory() / file, bytes);
    ++spoiled;
  }
  ASSERT_EQ(spoiled, 1);
  {
    Stores stores = OpenFaulty();
    EXPECT_EQ(stores.log->LoadBootstrap(replica).error().code, ErrorCode::kDamaged);
    plan_->fault = Fault::kAppendNoSpace;
    ExpectWriteFailed(stores.log->Remove(replica));
  }
  Stores stores = OpenFaulty();
  EXPECT_EQ(stores.log->List().value(), std::vector<ReplicaRef>({replica}));
  EXPECT_TRUE(stores.log->Remove(replica).has_value());
  EXPECT_TRUE(stores.log->WasRemoved(replica).value());
  EXPECT_TRUE(stores.log->List().value().empty());
}

TEST_F(RocksDbFailureTest, AnImageThatCannotBeWrittenHarmsNothingElse) {
  plan_->named = ".sst";
  Stores stores = OpenFaulty();
  for (const Fault fault : {Fault::kAppendNoSpace, Fault::kSync}) {
    auto sink = stores.snapshots->Create(Replica(1, 1)).value();
    plan_->fault = fault;
    Result<void> failed = sink->Append(std::string(3u << 20, 'x'));
    if (failed) failed = sink->Commit(MakeRecord(10, 1));
    ASSERT_FALSE(failed.has_value());
    EXPECT_EQ(failed.error().code, ErrorCode::kStorage) << failed.error().message;
    EXPECT_FALSE(sink->Commit(MakeRecord(10, 1)).has_value()) << "an error is final";
    sink.reset();
    EXPECT_EQ(stores.snapshots->Newest(Replica(1, 1)).value(), std::nullopt);
    EXPECT_TRUE(fs::is_empty(directory() / "staging"));
  }
  ASSERT_TRUE(SaveEntries(*stores.log, Replica(1, 1), MakeEntries(1, 5, 1)).has_value());
  auto sink = stores.snapshots->Create(Replica(1, 1)).value();
  ASSERT_TRUE(sink->Append("now it works").has_value());
  EXPECT_TRUE(sink->Commit(MakeRecord(11, 1)).has_value());
}

// Else one replica's image ends the host, and again after each start.
TEST_F(RocksDbFailureTest, AnImageLeavesTheLogItsRoom) {
  Stores stores = OpenFaulty();  // with 4 MiB of buffers
  const std::string piece(1u << 20, 'x');
  const auto write = [&](std::uint64_t index, int pieces) -> Result<void> {
    const auto sink = stores.snapshots->Create(Replica(1, 1)).value();
    for (int i = 0; i < pieces; ++i) {
      if (Result<void> kept = sink->Append(piece); !kept) return kept;
    }
    return sink->Commit(MakeRecord(index, 1));
  };
  {
    const LittleSpace space(3u << 20);
    const Result<void> refused = write(10, 20);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kStorage);
    EXPECT_NE(refused.error().message.find("only 3 MiB of the disk are free"), std::string::npos)
        << refused.error().message;
    EXPECT_TRUE(fs::is_empty(directory() / "staging"));
    EXPECT_TRUE(write(10, 2).has_value()) << "a small one cuts the log";
    ASSERT_TRUE(SaveEntries(*stores.log, Replica(1, 1), MakeEntries(1, 5, 1)).has_value());
  }
  const LittleSpace space(8u << 20);
  EXPECT_TRUE(write(11, 20).has_value());
}

// What the system lacks for a moment is no hole in the log.
TEST_F(RocksDbFailureTest, ATableThatCannotBeOpenedIsNoHole) {
  constexpr std::uint64_t kEntries = 60;
  {
    Stores stores = OpenFaulty();
    for (std::uint64_t i = 1; i <= kEntries; ++i) {
      ASSERT_TRUE(SaveEntries(*stores.log, Replica(1, 1), MakeEntries(i, i + 1, 1, 500'000)));
    }
  }
  (void)OpenFaulty();
  plan_->named = ".sst";
  int skip = 0;
  for (;; ++skip) {
    SCOPED_TRACE(skip);
    plan_->skip = skip;
    plan_->fault = Fault::kOpen;
    const auto opened = TryOpenFaulty();
    const auto log = opened ? opened->log->Load(Replica(1, 1)) : std::unexpected(opened.error());
    const bool struck = plan_->fault.exchange(Fault::kNone) == Fault::kNone;
    if (log) {
      EXPECT_EQ(log->last, Index(kEntries));
    } else {
      EXPECT_EQ(log.error().code, ErrorCode::kStorage) << log.error().message;
      EXPECT_TRUE(log.error().message.contains("Too many open files")) << log.error().message;
    }
    if (!struck) break;
  }
  EXPECT_GT(skip, 3) << "there are several tables";
}

// S-16: RocksDB's part of it, too.
TEST_F(RocksDbFailureTest, InterruptedAndShortReadsAndWritesAreGoneOnWith) {
  std::string image;
  for (int i = 0; i < 60'000; ++i) image += std::to_string(i);
  const auto entries = MakeEntries(1, 100, 1, 3000);
  std::string before;
  const SlowFiles slow(999);
  for (int run = 0; run < 2; ++run) {
    auto stores = OpenStores(directory());
    ASSERT_TRUE(stores.has_value()) << stores.error().message;
    if (run == 0) {
      ASSERT_TRUE(stores->log->SaveBootstrap(Replica(1, 1), {.addresses = {}}).has_value());
      ASSERT_TRUE(SaveEntries(*stores->log, Replica(1, 1), entries).has_value());
      ASSERT_TRUE(SaveHardState(*stores->log, Replica(1, 1), MakeHardState(3, 2, 50)).has_value());
      auto sink = stores->snapshots->Create(Replica(1, 1)).value();
      ASSERT_TRUE(sink->Append(image).has_value());
      ASSERT_TRUE(sink->Commit(MakeRecord(40, 1)).has_value());
    }
    const auto described = Describe(*stores, Replica(1, 1));
    ASSERT_TRUE(described.has_value()) << described.error().message;
    EXPECT_EQ(*described, run == 0 ? *described : before);
    before = *described;
    EXPECT_EQ(stores->log->Read(Replica(1, 1), Index(1), Index(100), kNoLimit).value(), entries);
    EXPECT_EQ(ReadWhole(**stores->snapshots->Open(Replica(1, 1), Index(40))), image);
  }
  EXPECT_GT(slow.writes(), 1000);
  EXPECT_GT(slow.reads(), 500);
}

// S-14: a quota, a file system that became read-only, rights that were taken away.
TEST_F(RocksDbFailureTest, WhateverForbidsWritingIsFinalAndCostsNothing) {
  for (const int error : {EDQUOT, EROFS, EACCES, EPERM, EIO}) {
    SCOPED_TRACE(std::strerror(error));
    fs::remove_all(directory());
    {
      auto stores = OpenStores(directory());
      ASSERT_TRUE(stores.has_value()) << stores.error().message;
      ASSERT_TRUE(SaveEntries(*stores->log, Replica(1, 1), MakeEntries(1, 5, 1)).has_value());
      {
        const RefusedWrites forbidden(".sst", error);
        auto sink = stores->snapshots->Create(Replica(1, 1)).value();
        Result<void> failed = sink->Append(std::string(3u << 20, 'x'));
        if (failed) failed = sink->Commit(MakeRecord(4, 1));
        ASSERT_FALSE(failed.has_value());
        EXPECT_EQ(failed.error().code, ErrorCode::kStorage) << "it harms nothing else";
        EXPECT_GT(forbidden.refused(), 0);
      }
      ASSERT_TRUE(SaveEntries(*stores->log, Replica(1, 1), MakeEntries(5, 6, 1)).has_value());
      {
        const RefusedWrites forbidden(".log", error);
        ExpectWriteFailed(SaveEntries(*stores->log, Replica(1, 1), MakeEntries(6, 7, 1)));
        EXPECT_GT(forbidden.refused(), 0);
      }
      ExpectWriteFailed(SaveEntries(*stores->log, Replica(1, 1), MakeEntries(6, 7, 1)));
      EXPECT_EQ(stores->log->Load(Replica(1, 1))->last, Index(5)) << "reading goes on";
    }
    auto stores = OpenStores(directory());
    ASSERT_TRUE(stores.has_value()) << stores.error().message;
    EXPECT_EQ(stores->log->Load(Replica(1, 1))->last, Index(5));
    EXPECT_TRUE(SaveEntries(*stores->log, Replica(1, 1), MakeEntries(6, 7, 1)).has_value());
  }
}

// The disk reads the first block of a folder and not the next one.
TEST_F(RocksDbFailureTest, AFolderThatCannotBeReadToItsEndIsNamed) {
  const auto open = [&] { return OpenStores(directory()); };
  {
    auto stores = open();
    ASSERT_TRUE(stores.has_value()) << stores.error().message;
    ASSERT_TRUE(SaveEntries(*stores->log, Replica(1, 1), MakeEntries(1, 5, 1)).has_value());
  }
  for (const char* left : {"1.sst", "2.sst"}) WriteFile(directory() / "staging" / left, "x");
  for (const std::string folder : {"db", "staging"}) {
    for (const int names : {0, 3}) {
      SCOPED_TRACE(folder + " " + std::to_string(names));
      const UnreadableFolder unreadable("/stores/" + folder, names);
      const auto refused = open();
      ASSERT_FALSE(refused.has_value());
      EXPECT_EQ(refused.error().code, ErrorCode::kStorage);
      EXPECT_NE(refused.error().message.find("cannot list " + (directory() / folder).string()),
                std::string::npos)
          << refused.error().message;
    }
  }
  auto stores = open();
  ASSERT_TRUE(stores.has_value()) << stores.error().message;
  EXPECT_EQ(stores->log->Load(Replica(1, 1))->last, Index(4));
  EXPECT_TRUE(fs::is_empty(directory() / "staging"));
}

/// Fills a small file system until a save fails; then frees it and starts again.
void FillDisk(const fs::path& directory) {
  std::uint64_t acknowledged = 0;
  {
    auto stores = OpenStores(directory);
    ASSERT_TRUE(stores.has_value()) << stores.error().message;
    // An image that does not fit.
    auto sink = stores->snapshots->Create(Replica(1, 1)).value();
    Result<void> appended;
    for (int i = 0; i < 80 && appended; ++i) appended = sink->Append(std::string(1u << 20, 'i'));
    ASSERT_FALSE(appended.has_value());
    EXPECT_EQ(appended.error().code, ErrorCode::kStorage) << appended.error().message;
    sink.reset();
    // The log goes on, until it fills the disk itself.
    Result<void> saved;
    for (std::uint64_t i = 1; i <= 4000 && saved; ++i) {
      saved = SaveEntries(*stores->log, Replica(1, 1), MakeEntries(i, i + 1, 1, 20'000));
      if (saved) acknowledged = i;
    }
    ASSERT_FALSE(saved.has_value());
    EXPECT_EQ(saved.error().code, ErrorCode::kWriteFailed) << saved.error().message;
    EXPECT_GT(acknowledged, 20u);
  }
  fs::remove(directory.parent_path() / "ballast");
  auto stores = OpenStores(directory);
  ASSERT_TRUE(stores.has_value()) << stores.error().message;
  const auto stored = stores->log->Load(Replica(1, 1));
  ASSERT_TRUE(stored.has_value()) << stored.error().message;
  EXPECT_GE(stored->last, Index(acknowledged));
  const std::uint64_t next = stored->last.value() + 1;
  EXPECT_TRUE(SaveEntries(*stores->log, Replica(1, 1), MakeEntries(next, next + 1, 1)).has_value());
}

// S-13.
TEST_F(RocksDbFailureTest, AFullDiskCostsNothingThatWasAcknowledged) {
  const fs::path disk = folder_.path() / "disk";
  fs::create_directories(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=24m") != 0) {
    std::cerr << "SKIPPED: no permission to mount a small file system\n";
    GTEST_SKIP() << "no permission to mount a small file system";
  }
  WriteFile(disk / "ballast", std::string(10u << 20, 'b'));
  FillDisk(disk / "stores");
  EXPECT_EQ(::umount(disk.c_str()), 0);
}

}  // namespace
}  // namespace drumbeat::storage
