// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/random.h"
#include "contract/store_samples.h"
#include "storage/child_process.h"
#include "storage/store_fixture.h"
#include "storage/stores.h"
#include "storage/temp_folder.h"

// Crashes at any moment: what was acknowledged is there, and the stores open.
namespace drumbeat::storage {
namespace {

/// One replica as it was acknowledged, and as it may be instead since a later save failed.
struct Expectation {
  raft::HardState hard_state;
  std::vector<raft::Entry> entries;
  std::uint64_t image = 0;
};

// The witness must never cry wolf, whatever is lost of what was not synced; and synced saves stay.
TEST(CrashTest, SimulatedCrashesLoseNothingAcknowledgedAndRaiseNoFalseAlarm) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    base::Random random(seed);
    std::chrono::steady_clock::time_point now{};
    const auto clock = [&] { return now; };
    bool cut_power = false;
    const auto disk =
        std::make_shared<MemoryDisk>(MemoryDisk::Crashes::kSimulated, [&](MemoryDisk::Operation) {
          // At some operation everything stops, after it or before.
          if (!cut_power) cut_power = random.OneIn(40);
          if (!cut_power) return MemoryDisk::Fault::kNone;
          return random.OneIn(2) ? MemoryDisk::Fault::kLost : MemoryDisk::Fault::kApplied;
        });
    // States that a crash may leave: the last saved one, and the one whose save failed.
    std::vector<Expectation> possible(1);
    for (int run = 0; run < 12; ++run) {
      auto opened = OpenMemoryStores(disk, clock);
      ASSERT_TRUE(opened.has_value()) << opened.error().message;
      Stores stores = std::move(*opened);
      const ReplicaRef replica = Replica(1, 1);
      const auto stored = stores.log->Load(replica);
      ASSERT_TRUE(stored.has_value()) << stored.error().message;
      std::vector<raft::Entry> entries;
      if (stored->last)
        entries = stores.log->Read(replica, Index(1), stored->last + 1, kNoLimit).value();
      const auto found = std::find_if(possible.begin(), possible.end(), [&](const auto& state) {
        return state.hard_state == stored->hard_state && state.entries == entries;
      });
      ASSERT_NE(found, possible.end()) << "log to " << stored->last.value();
      possible = {*found};
      cut_power = false;
      for (int step = 0; step < 60 && !cut_power; ++step) {
        now += std::chrono::milliseconds(random.Below(400));
        Expectation next = possible.back();
        ReplicaUpdate update{.replica = replica};
        if (random.OneIn(4)) {
          next.hard_state.term = next.hard_state.term + 1;
          next.hard_state.vote = ReplicaId(random.Below(3));
          update.hard_state = next.hard_state;
        }
        std::uint64_t first = next.entries.size() + 1;
        if (random.OneIn(3)) first -= random.Below(std::min<std::uint64_t>(first, 20));
        const auto added =
            MakeEntries(first, first + 1 + random.Below(8), next.hard_state.term.value());
        next.entries.resize(first - 1);
        next.entries.insert(next.entries.end(), added.begin(), added.end());
        update.entries = added;
        const Result<void> saved = stores.log->Save({&update, 1});
        possible.push_back(next);
        if (saved) possible = {next};
        if (!saved) break;
      }
      stores = {};
      disk->Crash(random.Below(disk->unsynced_batches() + 1));
    }
  }
}

std::string PaddedNumber(std::uint64_t number) {
  std::string text = std::to_string(number);
  return std::string(12 - text.size(), '0') + text + "\n";
}

/// Saves on and on, telling each acknowledgement through `out`.
int SaveUntilKilled(const std::filesystem::path& directory, int out) {
  auto stores = OpenStores(directory);
  if (!stores) return 3;
  const auto stored = stores->log->Load(Replica(1, 1));
  if (!stored) return 4;
  for (std::uint64_t i = stored->last.value() + 1;; ++i) {
    const auto entries = MakeEntries(i, i + 1, 1, i % 97 * 30);
    const ReplicaUpdate update{
        .replica = Replica(1, 1), .hard_state = MakeHardState(i, 1, i), .entries = entries};
    if (!stores->log->Save({&update, 1})) return 5;
    if (i % 10 == 0) {
      auto sink = stores->snapshots->Create(Replica(1, 1)).value();
      if (!sink->Append(std::string(i * 100, 's')) || !sink->Commit(MakeRecord(i, 1))) return 6;
    }
    const std::string line = PaddedNumber(i);
    if (::write(out, line.data(), line.size()) != static_cast<ssize_t>(line.size())) return 7;
  }
}

// P-01.
TEST(CrashTest, AKilledProcessLosesNothingThatItAcknowledged) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the thread sanitizer ends a child of a process with threads, which RocksDB has";
#endif
  const TempFolder folder;
  base::Random random(static_cast<std::uint64_t>(::getpid()));
  std::uint64_t acknowledged = 0;
  std::uint64_t acknowledged_image = 0;
  for (int round = 0; round < 12; ++round) {
    ChildProcess child([&](int out) { return SaveUntilKilled(folder.path() / "stores", out); });
    std::string told;
    for (std::uint64_t reads = 1 + random.Below(40); reads > 0; --reads) told += child.Read();
    ASSERT_FALSE(told.empty()) << "child ended with " << child.Wait();
    child.Kill();
    told += child.ReadAll();
    ASSERT_GE(told.size(), 13u);
    for (std::size_t at = 0; at + 13 <= told.size(); at += 13) {
      acknowledged = std::stoull(told.substr(at, 12));
      if (acknowledged % 10 == 0) acknowledged_image = acknowledged;
    }

    auto stores = OpenStores(folder.path() / "stores");
    ASSERT_TRUE(stores.has_value()) << stores.error().message;
    const auto stored = stores->log->Load(Replica(1, 1));
    ASSERT_TRUE(stored.has_value()) << stored.error().message;
    ASSERT_GE(stored->last.value(), acknowledged);
    ASSERT_GE(stored->hard_state.term.value(), acknowledged);
    const auto entries = stores->log->Read(Replica(1, 1), Index(1), stored->last + 1, kNoLimit);
    ASSERT_TRUE(entries.has_value()) << entries.error().message;
    for (const raft::Entry& entry : *entries) {
      const std::uint64_t i = entry.index.value();
      ASSERT_EQ(entry, MakeEntries(i, i + 1, 1, i % 97 * 30).front());
    }
    const auto newest = stores->snapshots->Newest(Replica(1, 1)).value();
    const std::uint64_t image = newest ? newest->index.value() : 0;
    ASSERT_GE(image, acknowledged_image);
    if (image > 0) {
      auto reader = stores->snapshots->Open(Replica(1, 1), Index(image)).value();
      ASSERT_EQ(ReadWhole(*reader, 50'000), std::string(image * 100, 's'));
    }
  }
}

}  // namespace
}  // namespace drumbeat::storage
