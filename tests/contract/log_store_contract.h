// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "contract/store_harness.h"
#include "contract/store_samples.h"

// What every LogStore must do. Instantiate with StoreKinds.
namespace drumbeat::storage {

class LogStoreContract : public testing::TestWithParam<StoreKind> {
 protected:
  void SetUp() override {
    harness_ = GetParam().make();
    Reopen();
  }
  void Reopen() {
    stores_ = {};
    Result<Stores> opened = harness_->Open();
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    stores_ = std::move(*opened);
  }
  void CrashAndReopen() {
    harness_->Crash();
    Reopen();
  }
  LogStore& log() { return *stores_.log; }

  std::vector<raft::Entry> ReadAll(const ReplicaRef& replica) {
    const Result<StoredLog> stored = log().Load(replica);
    EXPECT_TRUE(stored.has_value()) << stored.error().message;
    if (!stored || stored->first > stored->last) return {};
    auto entries = log().Read(replica, stored->first, stored->last + 1, kNoLimit);
    EXPECT_TRUE(entries.has_value()) << entries.error().message;
    return entries ? *entries : std::vector<raft::Entry>();
  }

  std::unique_ptr<StoreHarness> harness_;
  Stores stores_;
};

TEST_P(LogStoreContract, AnUnknownReplicaHasAnEmptyLog) {
  const Result<StoredLog> stored = log().Load(Replica(1, 1));
  ASSERT_TRUE(stored.has_value());
  EXPECT_EQ(stored->first, Index(1));
  EXPECT_EQ(stored->last, Index(0));
  EXPECT_EQ(stored->hard_state, raft::HardState());
  EXPECT_EQ(stored->term_before_first, Term(0));
}

TEST_P(LogStoreContract, WhatWasSavedIsReadBackAlsoAfterReopening) {
  const auto entries = MakeEntries(1, 20, 3);
  const ReplicaUpdate update{
      .replica = Replica(5, 2), .hard_state = MakeHardState(3, 2, 17), .entries = entries};
  ASSERT_TRUE(log().Save({&update, 1}).has_value());
  for (int round = 0; round < 2; ++round) {
    const Result<StoredLog> stored = log().Load(Replica(5, 2));
    ASSERT_TRUE(stored.has_value()) << stored.error().message;
    EXPECT_EQ(stored->hard_state, MakeHardState(3, 2, 17));
    EXPECT_EQ(stored->first, Index(1));
    EXPECT_EQ(stored->last, Index(19));
    EXPECT_EQ(ReadAll(Replica(5, 2)), entries);
    CrashAndReopen();
  }
}

TEST_P(LogStoreContract, AReadStopsBeforeItExceedsItsLimitButReturnsAtLeastOneEntry) {
  const auto entries = MakeEntries(1, 11, 1, 100);
  ASSERT_TRUE(SaveEntries(log(), Replica(1, 1), entries).has_value());
  const auto one = log().Read(Replica(1, 1), Index(3), Index(11), 1);
  ASSERT_TRUE(one.has_value());
  EXPECT_EQ(*one, std::vector<raft::Entry>({entries[2]}));
  const std::uint64_t two = raft::EntrySize(entries[2]) + raft::EntrySize(entries[3]);
  const auto exact = log().Read(Replica(1, 1), Index(3), Index(11), two);
  ASSERT_TRUE(exact.has_value());
  EXPECT_EQ(exact->size(), 2u);
  const auto below = log().Read(Replica(1, 1), Index(3), Index(11), two - 1);
  ASSERT_TRUE(below.has_value());
  EXPECT_EQ(below->size(), 1u);
}

TEST_P(LogStoreContract, AskingForWhatIsNotThereIsDamage) {
  ASSERT_TRUE(SaveEntries(log(), Replica(1, 1), MakeEntries(1, 5, 1)).has_value());
  for (const auto& [first, end] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {0, 2}, {1, 6}, {5, 6}, {7, 9}, {3, 3}, {4, 2}}) {
    const auto read = log().Read(Replica(1, 1), Index(first), Index(end), kNoLimit);
    ASSERT_FALSE(read.has_value()) << first << " to " << end;
    EXPECT_EQ(read.error().code, ErrorCode::kDamaged);
    EXPECT_NE(read.error().message.find("[00001:00001]"), std::string::npos);
  }
}

TEST_P(LogStoreContract, LaterEntriesReplaceEverythingFromTheFirstOneOn) {
  const ReplicaRef replica = Replica(1, 1);
  ASSERT_TRUE(SaveEntries(log(), replica, MakeEntries(1, 11, 1)).has_value());
  ASSERT_TRUE(SaveEntries(log(), replica, MakeEntries(11, 21, 1)).has_value());
  ASSERT_TRUE(SaveEntries(log(), replica, MakeEntries(21, 31, 1)).has_value());
  ASSERT_TRUE(SaveEntries(log(), replica, MakeEntries(15, 18, 2)).has_value());
  // Covers the stale record that began at 21.
  ASSERT_TRUE(SaveEntries(log(), replica, MakeEntries(18, 41, 2)).has_value());
  auto expected = MakeEntries(1, 15, 1);
  const auto tail = MakeEntries(15, 41, 2);
  expected.insert(expected.end(), tail.begin(), tail.end());
  EXPECT_EQ(ReadAll(replica), expected);
  Reopen();
  EXPECT_EQ(ReadAll(replica), expected);
}

TEST_P(LogStoreContract, AShorterLogStaysShorter) {
  const ReplicaRef replica = Replica(1, 1);
  ASSERT_TRUE(SaveEntries(log(), replica, MakeEntries(1, 101, 1)).has_value());
  ASSERT_TRUE(SaveEntries(log(), replica, MakeEntries(50, 51, 2)).has_value());
  CrashAndReopen();
  const Result<StoredLog> stored = log().Load(replica);
  ASSERT_TRUE(stored.has_value()) << stored.error().message;
  EXPECT_EQ(stored->last, Index(50));
}

TEST_P(LogStoreContract, EntriesThatLeaveAGapAreRefusedAndHarmNothing) {
  const ReplicaRef replica = Replica(1, 1);
  ASSERT_TRUE(SaveEntries(log(), replica, MakeEntries(1, 5, 1)).has_value());
  EXPECT_FALSE(SaveEntries(log(), replica, MakeEntries(6, 8, 1)).has_value());
  EXPECT_TRUE(SaveEntries(log(), replica, MakeEntries(5, 8, 1)).has_value());
  EXPECT_EQ(ReadAll(replica), MakeEntries(1, 8, 1));
}

TEST_P(LogStoreContract, ManyReplicasAreSavedInOneStep) {
  std::vector<std::vector<raft::Entry>> entries;
  std::vector<ReplicaUpdate> updates;
  for (std::uint64_t i = 1; i <= 200; ++i) entries.push_back(MakeEntries(1, 1 + i % 7, i));
  for (std::uint64_t i = 1; i <= 200; ++i) {
    updates.push_back({.replica = Replica(i, i % 3 + 1),
                       .hard_state = MakeHardState(i, 1, 0),
                       .entries = entries[i - 1]});
  }
  ASSERT_TRUE(log().Save(updates).has_value());
  CrashAndReopen();
  for (std::uint64_t i = 1; i <= 200; ++i) {
    EXPECT_EQ(ReadAll(Replica(i, i % 3 + 1)), entries[i - 1]);
    EXPECT_EQ(log().Load(Replica(i, i % 3 + 1))->hard_state, MakeHardState(i, 1, 0));
  }
}

TEST_P(LogStoreContract, EntriesLargerThanARecordAndManyRecordsInOneSaveComeBack) {
  std::vector<raft::Entry> entries = MakeEntries(1, 301, 1, 1000);
  entries.push_back(MakeEntry(301, 1, std::string(3u << 20, 'x')));
  entries.push_back(MakeEntry(302, 1, ""));
  ASSERT_TRUE(SaveEntries(log(), Replica(9, 9), entries).has_value());
  Reopen();
  EXPECT_EQ(ReadAll(Replica(9, 9)), entries);
}

TEST_P(LogStoreContract, RestartingBehindASnapshotDropsAllEntries) {
  const ReplicaRef replica = Replica(4, 4);
  ASSERT_TRUE(SaveEntries(log(), replica, MakeEntries(1, 31, 1)).has_value());
  ASSERT_TRUE(SaveEntries(log(), replica, MakeEntries(31, 61, 1)).has_value());
  const ReplicaUpdate restart{.replica = replica,
                              .hard_state = MakeHardState(6, 0, 1000),
                              .restart_behind = MakeRecord(1000, 6)};
  ASSERT_TRUE(log().Save({&restart, 1}).has_value());
  for (int round = 0; round < 2; ++round) {
    const Result<StoredLog> stored = log().Load(replica);
    ASSERT_TRUE(stored.has_value()) << stored.error().message;
    EXPECT_EQ(stored->first, Index(1001));
    EXPECT_EQ(stored->last, Index(1000));
    EXPECT_EQ(stored->term_before_first, Term(6));
    EXPECT_EQ(stored->hard_state, MakeHardState(6, 0, 1000));
    CrashAndReopen();
  }
  ASSERT_TRUE(SaveEntries(log(), replica, MakeEntries(1001, 1003, 6)).has_value());
  EXPECT_EQ(ReadAll(replica), MakeEntries(1001, 1003, 6));
}

TEST_P(LogStoreContract, ALogMayRestartBehindASnapshotThatIsOlderThanItsEnd) {
  const ReplicaRef replica = Replica(4, 4);
  for (std::uint64_t i = 1; i < 61; i += 5) {
    ASSERT_TRUE(SaveEntries(log(), replica, MakeEntries(i, i + 5, 1)).has_value());
  }
  const auto behind = MakeEntries(31, 34, 2);
  const ReplicaUpdate restart{
      .replica = replica, .entries = behind, .restart_behind = MakeRecord(30, 2)};
  ASSERT_TRUE(log().Save({&restart, 1}).has_value());
  CrashAndReopen();
  EXPECT_EQ(ReadAll(replica), behind);
  // It grows over what was there before.
  for (std::uint64_t i = 34; i < 80; i += 7) {
    ASSERT_TRUE(SaveEntries(log(), replica, MakeEntries(i, i + 7, 2)).has_value());
  }
  Reopen();
  EXPECT_EQ(ReadAll(replica), MakeEntries(31, 83, 2));
}

TEST_P(LogStoreContract, CuttingKeepsEverythingAboveAndKnowsTheTermBefore) {
  const ReplicaRef replica = Replica(2, 1);
  for (std::uint64_t i = 0; i < 100; ++i) {
    const auto entries = MakeEntries(i * 100 + 1, i * 100 + 101, i + 1);
    ASSERT_TRUE(SaveEntries(log(), replica, entries).has_value());
  }
  ASSERT_TRUE(log().CutThrough(replica, Index(9050)).has_value());
  for (int round = 0; round < 2; ++round) {
    const Result<StoredLog> stored = log().Load(replica);
    ASSERT_TRUE(stored.has_value()) << stored.error().message;
    EXPECT_LE(stored->first, Index(9051));
    EXPECT_GT(stored->first, Index(5000)) << "this much is worth cutting";
    EXPECT_EQ(stored->last, Index(10000));
    const std::uint64_t before = (stored->first - 1).value();
    EXPECT_EQ(stored->term_before_first, Term((before - 1) / 100 + 1));
    const auto kept = log().Read(replica, Index(9051), Index(10001), kNoLimit);
    ASSERT_TRUE(kept.has_value()) << kept.error().message;
    EXPECT_EQ(kept->front().index, Index(9051));
    EXPECT_EQ(kept->size(), 950u);
    Reopen();
  }
}

TEST_P(LogStoreContract, ALogThatIsCutToItsEndGoesOn) {
  const ReplicaRef replica = Replica(2, 1);
  ASSERT_TRUE(SaveEntries(log(), replica, MakeEntries(1, 6001, 1)).has_value());
  ASSERT_TRUE(log().CutThrough(replica, Index(kNoLimit)).has_value());
  ASSERT_TRUE(SaveEntries(log(), replica, MakeEntries(6001, 6003, 2)).has_value());
  Reopen();
  const auto tail = log().Read(replica, Index(6001), Index(6003), kNoLimit);
  ASSERT_TRUE(tail.has_value()) << tail.error().message;
  EXPECT_EQ(*tail, MakeEntries(6001, 6003, 2));
}

TEST_P(LogStoreContract, BootstrapRecordsAreKeptAndListed) {
  EXPECT_EQ(log().LoadBootstrap(Replica(1, 1)).value(), std::nullopt);
  EXPECT_TRUE(log().List().value().empty());
  const codec::Bootstrap first{.addresses = {{ReplicaId(1), "localhost:63001"}}, .join = false};
  const codec::Bootstrap second{.addresses = {}, .join = true, .state_machine_type = 3};
  ASSERT_TRUE(log().SaveBootstrap(Replica(1, 1), first).has_value());
  ASSERT_TRUE(log().SaveBootstrap(Replica(300, 7), second).has_value());
  CrashAndReopen();
  EXPECT_EQ(log().LoadBootstrap(Replica(1, 1)).value(), first);
  EXPECT_EQ(log().LoadBootstrap(Replica(300, 7)).value(), second);
  EXPECT_EQ(log().List().value(), std::vector<ReplicaRef>({Replica(1, 1), Replica(300, 7)}));
  EXPECT_EQ(log().List(ShardId(300)).value(), std::vector<ReplicaRef>({Replica(300, 7)}));
  EXPECT_TRUE(log().List(ShardId(299)).value().empty());
}

TEST_P(LogStoreContract, RemovingAReplicaLeavesAMarkAndNothingElse) {
  const ReplicaRef gone = Replica(1, 1);
  for (const ReplicaRef& replica : {gone, Replica(1, 2)}) {
    ASSERT_TRUE(log().SaveBootstrap(replica, {.addresses = {}, .join = true}).has_value());
    ASSERT_TRUE(SaveEntries(log(), replica, MakeEntries(1, 100, 1)).has_value());
    ASSERT_TRUE(SaveHardState(log(), replica, MakeHardState(4, 1, 9)).has_value());
  }
  EXPECT_FALSE(log().WasRemoved(gone).value());
  ASSERT_TRUE(log().Remove(gone).has_value());
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(log().WasRemoved(gone).value());
    EXPECT_EQ(log().LoadBootstrap(gone).value(), std::nullopt);
    EXPECT_EQ(log().List().value(), std::vector<ReplicaRef>({Replica(1, 2)}));
    EXPECT_EQ(log().List(ShardId(1)).value(), std::vector<ReplicaRef>({Replica(1, 2)}));
    const Result<StoredLog> stored = log().Load(gone);
    ASSERT_TRUE(stored.has_value());
    EXPECT_EQ(stored->last, Index(0));
    EXPECT_EQ(stored->hard_state, raft::HardState());
    EXPECT_FALSE(log().WasRemoved(Replica(1, 2)).value());
    EXPECT_EQ(ReadAll(Replica(1, 2)), MakeEntries(1, 100, 1));
    CrashAndReopen();
  }
}

TEST_P(LogStoreContract, ManyThreadsMayWorkOnDifferentReplicasAtOnce) {
  constexpr std::uint64_t kThreads = 4;
  constexpr std::uint64_t kSaves = 60;
  ASSERT_TRUE(SaveEntries(log(), Replica(100, 1), MakeEntries(1, 200, 1)).has_value());
  std::vector<std::thread> threads;
  for (std::uint64_t thread = 1; thread <= kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      const ReplicaRef replica = Replica(thread, 1);
      EXPECT_TRUE(log().SaveBootstrap(replica, {.addresses = {}, .join = true}).has_value());
      for (std::uint64_t i = 0; i < kSaves; ++i) {
        const auto entries = MakeEntries(i * 100 + 1, i * 100 + 101, i + 1);
        const ReplicaUpdate update{.replica = replica,
                                   .hard_state = MakeHardState(i / 20, 1, i * 100),
                                   .entries = entries};
        EXPECT_TRUE(log().Save({&update, 1}).has_value());
        EXPECT_TRUE(log().CutThrough(replica, Index(i * 100)).has_value());
        // Reading is allowed to everybody.
        EXPECT_TRUE(log().Read(Replica(100, 1), Index(1), Index(200), kNoLimit).has_value());
        EXPECT_TRUE(log().Load(replica).has_value());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Reopen();
  EXPECT_EQ(log().List()->size(), kThreads);
  for (std::uint64_t thread = 1; thread <= kThreads; ++thread) {
    EXPECT_EQ(log().Load(Replica(thread, 1))->last, Index(kSaves * 100));
  }
}

/// The log of one replica as a plain sequence.
struct ModelLog {
  raft::HardState hard_state;
  std::uint64_t cut = 0;
  std::vector<raft::Entry> entries;  // from index 1 on

  std::uint64_t last() const { return entries.size(); }
};

// Appends, truncations, cuts, restarts and reopenings in random order must leave what the plain
// sequence holds.
TEST_P(LogStoreContract, BehavesLikeAPlainSequence) {
  constexpr std::uint64_t kReplicas = 3;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    harness_ = nullptr;
    stores_ = {};
    harness_ = GetParam().make();
    Reopen();
    base::Random random(seed);
    std::vector<ModelLog> models(kReplicas);
    std::uint64_t term = 1;
    for (int step = 0; step < 150; ++step) {
      SCOPED_TRACE("step " + std::to_string(step));
      std::vector<std::vector<raft::Entry>> saved(kReplicas);
      std::vector<ReplicaUpdate> updates;
      for (std::uint64_t i = 0; i < kReplicas; ++i) {
        ModelLog& model = models[i];
        ReplicaUpdate update{.replica = Replica(7, i + 1)};
        if (random.OneIn(3)) {
          model.hard_state = MakeHardState(++term, random.Below(3), model.last());
          update.hard_state = model.hard_state;
        }
        if (random.OneIn(40)) {
          const std::uint64_t index = model.cut + random.Below(model.last() - model.cut + 10);
          const auto filler = MakeEntries(model.last() + 1, index + 1, term);
          model.entries.insert(model.entries.end(), filler.begin(), filler.end());
          model.entries.resize(index);
          model.cut = index;
          update.restart_behind = MakeRecord(index, term);
          if (index == 0) update.restart_behind.reset();
        }
        if (!random.OneIn(4)) {
          std::uint64_t first = model.last() + 1;
          if (random.OneIn(4))
            first -= random.Below(std::min<std::uint64_t>(first - model.cut, 90));
          const std::uint64_t count = 1 + random.Below(random.OneIn(5) ? 400 : 12);
          saved[i] = MakeEntries(first, first + count, term, random.Below(2) * random.Below(700));
          model.entries.resize(first - 1);
          model.entries.insert(model.entries.end(), saved[i].begin(), saved[i].end());
          update.entries = saved[i];
        }
        updates.push_back(update);
      }
      ASSERT_TRUE(log().Save(updates).has_value());
      if (random.OneIn(10)) {
        const std::uint64_t i = random.Below(kReplicas);
        const std::uint64_t index =
            models[i].cut + random.Below(models[i].last() - models[i].cut + 1);
        ASSERT_TRUE(log().CutThrough(Replica(7, i + 1), Index(index)).has_value());
        models[i].cut = index;
      }
      if (random.OneIn(20)) CrashAndReopen();
      if (random.OneIn(20)) Reopen();
      for (std::uint64_t i = 0; i < kReplicas; ++i) {
        const ModelLog& model = models[i];
        const Result<StoredLog> stored = log().Load(Replica(7, i + 1));
        ASSERT_TRUE(stored.has_value()) << stored.error().message;
        ASSERT_EQ(stored->hard_state, model.hard_state);
        ASSERT_EQ(stored->last.value(), model.last());
        ASSERT_LE(stored->first.value(), model.cut + 1);
        if (model.cut == model.last()) continue;
        const std::uint64_t from = model.cut + 1 + random.Below(model.last() - model.cut);
        const auto read =
            log().Read(Replica(7, i + 1), Index(from), Index(model.last() + 1), kNoLimit);
        ASSERT_TRUE(read.has_value()) << read.error().message;
        ASSERT_TRUE(std::equal(read->begin(), read->end(),
                               model.entries.begin() + static_cast<std::ptrdiff_t>(from - 1),
                               model.entries.end()));
      }
    }
  }
}

}  // namespace drumbeat::storage
