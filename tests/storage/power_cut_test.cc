// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <sys/stat.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "storage/faulty_env.h"
#include "storage/store_fixture.h"
#include "storage/stores.h"
#include "storage/system_calls.h"
#include "storage/temp_folder.h"
#include "storage/test_log.h"

// S-03, S-04, S-18: the power fails behind any write or sync of a scripted run.
namespace drumbeat::storage {
namespace {

namespace fs = std::filesystem;
using Content = std::shared_ptr<const std::string>;
/// What a file system holds: content by path; null for a folder.
using Image = std::map<fs::path, Content>;

/// Keeps, for every moment behind a write or a sync below a folder, what a power cut may leave.
class PowerCuts : public FileWatcher {
 public:
  explicit PowerCuts(fs::path folder) : folder_(std::move(folder)) {}

  /// What is left at one moment.
  struct Cut {
    /// Nothing but what was synced, under the names of the moment.
    Image synced;
    /// The same, under the names that were synced.
    Image older_names;
    /// All that was written.
    Image written;
    /// Which step of the script was under way.
    std::size_t step = 0;
  };

  void Wrote(const std::string& path) override {
    Note(path, [](const fs::path&) {});
  }
  void Synced(const std::string& path) override {
    Note(path, [this](const fs::path& where) {
      if (!fs::is_directory(where)) {
        synced_[InodeOf(where)] = std::make_shared<const std::string>(ReadFile(where));
        // As ext4 does it: the name of a new file goes with it.
        names_[where.parent_path()][where] = InodeOf(where);
        return;
      }
      std::map<fs::path, ino_t>& names = names_[where];
      names.clear();
      for (const auto& entry : fs::directory_iterator(where)) {
        names[entry.path()] = InodeOf(entry.path());
      }
    });
  }

  void Begin(std::size_t step) {
    const std::lock_guard lock(mutex_);
    step_ = step;
  }
  std::vector<Cut> TakeCuts() {
    const std::lock_guard lock(mutex_);
    return std::move(cuts_);
  }

 private:
  static ino_t InodeOf(const fs::path& path) {
    struct stat status{};
    return ::lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
  }

  void Note(const fs::path& path, const std::function<void(const fs::path&)>& change) {
    if (!path.string().starts_with(folder_.string())) return;
    const std::lock_guard lock(mutex_);
    if (fs::exists(path)) change(path);
    Cut cut{.synced = {}, .older_names = {}, .written = {}, .step = step_};
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
      const fs::path name = entry.path().lexically_relative(folder_);
      if (entry.is_directory()) {
        cut.synced[name] = cut.written[name] = nullptr;
        if (IsNamed(entry.path())) cut.older_names[name] = nullptr;
        continue;
      }
      cut.written[name] = Shared(entry.path());
      cut.synced[name] = SyncedOf(InodeOf(entry.path()));
    }
    for (const auto& [directory, names] : names_) {
      if (!IsNamed(directory)) continue;
      for (const auto& [name, inode] : names) {
        if (fs::is_directory(name)) continue;
        cut.older_names[name.lexically_relative(folder_)] = SyncedOf(inode);
      }
    }
    cuts_.push_back(std::move(cut));
  }
  /// Whether the names of a folder and of those around it were synced. Not every file system
  /// carries them with the sync of a file in it.
  bool IsNamed(const fs::path& directory) const {
    if (directory == folder_) return true;
    const auto around = names_.find(directory.parent_path());
    if (around == names_.end() || !IsNamed(around->first)) return false;
    const auto named = around->second.find(directory);
    return named != around->second.end() && named->second == InodeOf(directory);
  }
  Content SyncedOf(ino_t inode) {
    Content& content = synced_[inode];
    if (content == nullptr) content = std::make_shared<const std::string>();
    return content;
  }
  /// Copies that are equal are one.
  Content Shared(const fs::path& path) {
    std::string now = ReadFile(path);
    Content& last = written_[path];
    if (last == nullptr || *last != now) last = std::make_shared<const std::string>(std::move(now));
    return last;
  }

  const fs::path folder_;
  std::mutex mutex_;
  std::size_t step_ = 0;
  std::map<ino_t, Content> synced_;
  std::map<fs::path, std::map<fs::path, ino_t>> names_;
  std::map<fs::path, Content> written_;
  std::vector<Cut> cuts_;
};

void Restore(const Image& image, const fs::path& folder) {
  fs::remove_all(folder);
  fs::create_directories(folder);
  for (const auto& [path, content] : image) {
    if (content == nullptr) {
      fs::create_directories(folder / path);
    } else {
      fs::create_directories((folder / path).parent_path());
      WriteFile(folder / path, *content);
    }
  }
}

/// The script: each step is atomic, and durable when it succeeds.
std::vector<std::function<Result<void>(Stores&)>> Script() {
  const ReplicaRef first = Replica(1, 1);
  const ReplicaRef second = Replica(2, 1);
  const auto save = [=](const ReplicaRef& replica, std::uint64_t from, std::uint64_t end,
                        std::uint64_t term) {
    return [=](Stores& stores) {
      return SaveEntries(*stores.log, replica, MakeEntries(from, end, term, 300));
    };
  };
  const auto image = [=](std::uint64_t index, std::size_t bytes) {
    return [=](Stores& stores) -> Result<void> {
      const auto sink = stores.snapshots->Create(first);
      if (!sink) return std::unexpected(sink.error());
      if (Result<void> kept = (*sink)->Append(std::string(bytes, 'i')); !kept) return kept;
      return (*sink)->Commit(MakeRecord(index, 1));
    };
  };
  const auto cut = [=](std::uint64_t index) {
    return [=](Stores& stores) {
      const Index before = stores.log->Load(first)->first;
      Result<void> done = stores.log->CutThrough(first, Index(index));
      EXPECT_TRUE(!done || stores.log->Load(first)->first > before) << "it was not worth it";
      return done;
    };
  };
  return {
      [=](Stores& stores) { return stores.log->SaveBootstrap(first, {.addresses = {}}); },
      save(first, 1, 20, 1),
      [=](Stores& stores) { return SaveHardState(*stores.log, first, MakeHardState(2, 3, 10)); },
      [=](Stores& stores) { return stores.log->SaveBootstrap(second, {.addresses = {}}); },
      save(second, 1, 4, 1),
      save(first, 15, 18, 2),
      image(10, 1000),
      image(12, 600'000),
      image(40, 1000),
      [=](Stores& stores) {
        const ReplicaUpdate update{.replica = first,
                                   .hard_state = MakeHardState(4, 0, 40),
                                   .restart_behind = MakeRecord(40, 4)};
        return stores.log->Save({&update, 1});
      },
      save(first, 41, 90, 4),
      [=](Stores& stores) { return stores.log->Remove(second); },
      save(first, 90, 92, 4),
      save(first, 92, 4000, 4),
      image(3600, 5000),
      cut(3600),
      save(first, 3990, 3995, 5),
  };
}

/// S-18: the log begins where the snapshot ends, or before.
void ExpectNoGap(Stores& stores) {
  const auto listed = stores.log->List();
  for (const ReplicaRef& replica : listed.value()) {
    const auto snapshot = stores.snapshots->Newest(replica).value();
    EXPECT_LE(stores.log->Load(replica)->first, (snapshot ? snapshot->index : Index(0)) + 1);
  }
}

TEST(PowerCutTest, BehindAnyWriteItCostsNothingThatWasAcknowledged) {
  const TempFolder temporary;
  const fs::path root = fs::canonical(temporary.path());
  const fs::path folder = root / "stores";
  fs::create_directory(folder);
  // What the stores hold behind each step; before the first one, nothing.
  std::vector<std::string> after = {""};
  std::vector<PowerCuts::Cut> cuts;
  {
    PowerCuts power(folder);
    auto stores = std::make_unique<Stores>(OpenStores(folder).value());
    for (const auto& step : Script()) {
      power.Begin(after.size());
      const Result<void> done = step(*stores);
      ASSERT_TRUE(done.has_value()) << done.error().message;
      after.push_back(Describe(*stores).value());
      if (after.size() % 4 == 0) {
        // An orderly end and a new start change nothing.
        power.Begin(after.size());
        after.push_back(after.back());
        stores.reset();
        stores = std::make_unique<Stores>(OpenStores(folder).value());
      }
    }
    stores.reset();
    cuts = power.TakeCuts();
  }
  EXPECT_GT(cuts.size(), 60u);

  const fs::path copy = root / "copy";
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    const PowerCuts::Cut& cut = cuts[i];
    const std::pair<const char*, const Image*> kinds[] = {
        {"synced", &cut.synced}, {"older names", &cut.older_names}, {"written", &cut.written}};
    for (const auto& [kind, image] : kinds) {
      SCOPED_TRACE(std::string(kind) + ", cut " + std::to_string(i) + ", step " +
                   std::to_string(cut.step));
      Restore(*image, copy);
      Result<Stores> stores = OpenStores(copy);
      ASSERT_TRUE(stores.has_value()) << stores.error().message;
      const Result<std::string> found = Describe(*stores);
      ASSERT_TRUE(found.has_value()) << found.error().message;
      ExpectNoGap(*stores);
      const std::string& before = after[cut.step == 0 ? 0 : cut.step - 1];
      EXPECT_TRUE(*found == before || *found == after[cut.step]) << "found\n"
                                                                 << *found << "before\n"
                                                                 << before << "after\n"
                                                                 << after[cut.step];
    }
  }
}

// S-01, S-02: whichever sync it is, of whichever file or folder.
TEST(PowerCutTest, ASyncThatFailsIsReportedAndFinal) {
  const TempFolder temporary;
  const fs::path folder = fs::canonical(temporary.path()) / "stores";
  std::vector<std::string> after = {""};
  {
    Stores stores = OpenStores(folder).value();
    for (const auto& step : Script()) {
      ASSERT_TRUE(step(stores).has_value());
      after.push_back(Describe(stores).value());
    }
  }
  int sync = 0;
  for (;; ++sync) {
    SCOPED_TRACE("sync " + std::to_string(sync));
    fs::remove_all(folder);
    std::size_t done = 0;
    std::string failed;
    {
      FailingSync failing(folder.string(), sync);
      Result<Stores> stores = OpenStores(folder);
      for (const auto& step : Script()) {
        const Result<void> stepped = stores ? step(*stores) : std::unexpected(stores.error());
        failed = failing.failed();
        done += stepped ? 1 : 0;
        // An image that could not be written ends nothing but itself.
        if (!stepped && (!stores || stepped.error().code == ErrorCode::kStorage)) break;
        // Nothing depends on its options.
        const bool options = failed.contains("/OPTIONS-");
        if (stepped && (failed.empty() || options)) continue;
        // What fails while an older image is dropped is told by whatever comes next.
        EXPECT_TRUE(stepped || stepped.error().code == ErrorCode::kWriteFailed)
            << stepped.error().message;
        // RocksDB takes a moment to notice what a flush of its own has met.
        Result<void> later;
        const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (later && std::chrono::steady_clock::now() < limit) {
          later = SaveEntries(*stores->log, Replica(7, 1), MakeEntries(1, 2, 1));
        }
        ASSERT_FALSE(later.has_value()) << "in spite of " << failed;
        EXPECT_EQ(later.error().code, ErrorCode::kWriteFailed);
        break;
      }
      failed = failing.failed();
    }
    if (failed.empty()) break;
    const Result<std::string> found = DescribeFolder(folder);
    EXPECT_TRUE(found.has_value()) << found.error().message;
    if (!found) continue;
    EXPECT_TRUE(*found == after[done] || *found == after[std::min(done + 1, after.size() - 1)])
        << done << " steps were done, found\n"
        << *found;
  }
  EXPECT_GT(sync, 20);
}

// S-01: Linux reads back what it failed to sync, until the power fails.
TEST(PowerCutTest, WhatANewStartReadsBackIsDurable) {
  const TempFolder temporary;
  const fs::path root = fs::canonical(temporary.path());
  const fs::path folder = root / "stores";
  fs::create_directory(folder);
  PowerCuts power(folder);
  {
    const auto plan = std::make_shared<FaultyFileSystem::Plan>();
    const auto env = rocksdb::NewCompositeEnv(std::make_shared<FaultyFileSystem>(plan));
    const Stores stores =
        OpenRocksDbStoresOn({.directory = folder, .memory_bytes = 4u << 20}, NoLogger(), env.get())
            .value();
    ASSERT_TRUE(SaveEntries(*stores.log, Replica(1, 1), MakeEntries(1, 5, 1)).has_value());
    plan->fault = FaultyFileSystem::Fault::kSync;
    ASSERT_FALSE(SaveEntries(*stores.log, Replica(1, 1), MakeEntries(5, 9, 1)).has_value());
  }
  Stores stores = OpenStores(folder).value();
  ASSERT_EQ(stores.log->Load(Replica(1, 1))->last, Index(8));
  const std::string found = Describe(stores).value();
  const PowerCuts::Cut now = power.TakeCuts().back();
  for (const Image* image : {&now.synced, &now.older_names}) {
    Restore(*image, root / "copy");
    EXPECT_EQ(DescribeFolder(root / "copy").value(), found);
  }
}

}  // namespace
}  // namespace drumbeat::storage
