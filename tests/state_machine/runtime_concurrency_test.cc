// SPDX-License-Identifier: Apache-2.0
#include <any>
#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "state_machine/runtime.h"
#include "state_machine/test_machine.h"

namespace drumbeat::state_machine {
namespace {

// Run under TSan this also shows that the state machine needs no lock of its own.
TEST(RuntimeConcurrencyTest, LookupsAndSavesSeeWholeUpdates) {
  TestReplica replica;
  std::string first;  // both always equal except inside Update
  std::string second;
  replica.state->on_update = [&](const UpdateEntry& entry) -> Result<ApplyResult> {
    first += entry.command;
    second += entry.command;
    return ApplyResult{.value = first.size(), .data = {}};
  };
  std::atomic<int> torn{0};
  replica.state->on_lookup = [&](const std::any&) -> Result<std::any> {
    if (first != second) ++torn;
    return first.size();
  };
  replica.state->on_save = [&](SnapshotWriter& writer, std::stop_token) -> Result<void> {
    if (Result<void> written = writer.Write(first); !written) return written;
    return writer.Write(second);
  };
  constexpr std::uint64_t kUpdates = 300;
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      std::size_t last = 0;
      while (!done.load()) {
        const Index applied = replica.runtime->applied();
        const Result<std::any> found = replica.runtime->Lookup(std::any());
        ASSERT_TRUE(found);
        const auto size = std::any_cast<std::size_t>(*found);
        EXPECT_GE(size, last);
        EXPECT_GE(size, applied.value()) << "applied() ran ahead of what a Lookup sees";
        last = size;
      }
    });
  }
  threads.emplace_back([&] {
    while (!done.load()) {
      const Result<Snapshot> snapshot = SaveSnapshot(*replica.runtime);
      ASSERT_TRUE(snapshot);
      // Header, empty session table, twice the text, block checksum and tail.
      EXPECT_EQ(snapshot->image.size(), 1024 + 16 + 2 * snapshot->record.index.value() + 4 + 16);
      std::ignore = replica.runtime->membership();
      std::ignore = replica.runtime->sessions();
    }
  });
  for (std::uint64_t i = 0; i < kUpdates; ++i) ASSERT_TRUE(replica.Apply(Command("x")));
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(torn.load(), 0);
  EXPECT_EQ(first.size(), kUpdates);
}

// A page of slow updates must not keep a Lookup out until its end.
TEST(RuntimeConcurrencyTest, ALookupGetsInBetweenTheUpdatesOfOneApply) {
  TestReplica replica;
  std::atomic<std::uint64_t> updates{0};
  std::atomic<bool> looked{false};
  replica.state->on_update = [&](const UpdateEntry&) -> Result<ApplyResult> {
    ++updates;
    // Slow, until the Lookup was let in.
    if (!looked.load()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return ApplyResult{};
  };
  replica.state->on_lookup = [&](const std::any&) -> Result<std::any> {
    looked = true;
    return updates.load();
  };
  std::thread reader([&] {
    while (updates.load() == 0) std::this_thread::yield();
    EXPECT_TRUE(replica.runtime->Lookup(std::any()));
  });
  std::vector<raft::Entry> entries(1500, Command("x"));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i].index = Index(i + 1);
    entries[i].term = Term(2);
  }
  std::uint64_t seen_at_end = 0;
  std::vector<AppliedEntry> out;
  ASSERT_TRUE(replica.runtime->Apply(entries, out));
  seen_at_end = looked.load() ? 1 : 0;
  reader.join();
  EXPECT_EQ(seen_at_end, 1u) << "the Lookup waited for the whole page";
}

}  // namespace
}  // namespace drumbeat::state_machine
