// SPDX-License-Identifier: Apache-2.0
#include "raft/log.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "base/check.h"
#include "base/random.h"
#include "raft/fake_disk.h"
#include "raft/test_replica.h"

namespace drumbeat::raft {
namespace {

using testing::Command;
using testing::FakeDisk;

Entry At(std::uint64_t term, std::uint64_t index) {
  Entry entry = Command(std::to_string(term) + "/" + std::to_string(index));
  entry.term = Term{term};
  entry.index = Index{index};
  return entry;
}

/// Entries from `first` on with these terms.
std::vector<Entry> Series(std::uint64_t first, const std::vector<std::uint64_t>& terms) {
  std::vector<Entry> entries;
  for (std::uint64_t term : terms) entries.push_back(At(term, first++));
  return entries;
}

/// What a host does with what is unsaved.
void Save(Log& log, FakeDisk& disk) {
  Output output;
  output.entries = log.TakeUnsaved();
  output.must_sync = true;
  disk.Write(output);
  if (output.entries.empty()) return;
  log.Saved(output.entries.back().term, output.entries.back().index);
}

FakeDisk DiskWith(const std::vector<std::uint64_t>& terms) {
  FakeDisk disk;
  for (Entry& entry : Series(1, terms)) disk.Append(std::move(entry));
  return disk;
}

std::vector<std::uint64_t> Terms(const Log& log) {
  std::vector<std::uint64_t> terms;
  for (Index i{1}; i <= log.last(); ++i) terms.push_back(log.TermAt(i)->value());
  return terms;
}

constexpr std::uint64_t kAll = ~std::uint64_t{0};

TEST(LogTest, AnEmptyLogEndsAtZero) {
  const FakeDisk disk;
  const Log log(disk, Index{0}, Index{0});
  EXPECT_EQ(log.last(), Index{0});
  EXPECT_EQ(log.last_term(), Term{0});
  EXPECT_EQ(log.TermAt(Index{0}), Term{0});
  EXPECT_EQ(log.TermAt(Index{1}), std::nullopt);
  EXPECT_FALSE(log.HasUnsaved());
}

TEST(LogTest, ARestartFindsEveryEntryAgain) {
  const FakeDisk disk = DiskWith({1, 1, 2, 2, 3});
  const Log log(disk, Index{3}, Index{1});
  EXPECT_EQ(Terms(log), (std::vector<std::uint64_t>{1, 1, 2, 2, 3}));
  EXPECT_EQ(log.saved(), Index{5});
  EXPECT_EQ(log.committed(), Index{3});
  EXPECT_FALSE(log.HasUnsaved());
}

TEST(LogTest, WhatWasAppliedCountsAsCommitted) {
  FakeDisk disk = DiskWith({1, 1, 2});
  const Log log(disk, Index{1}, Index{3});
  EXPECT_EQ(log.committed(), Index{3});
}

// B-24: a term of 0 for what is not there would match a term of 0 that a peer sent.
TEST(LogTest, TermsOfWhatIsNotThereMatchNothing) {
  FakeDisk disk = DiskWith({1, 1, 2, 2, 3});
  SnapshotRecord snapshot;
  snapshot.index = Index{4};
  disk.SetSnapshot(snapshot);
  disk.Cut(Index{3});
  const Log log(disk, Index{5}, Index{4});
  EXPECT_EQ(log.TermAt(Index{2}), std::nullopt);
  EXPECT_EQ(log.TermAt(Index{3}), Term{2});
  EXPECT_EQ(log.TermAt(Index{6}), std::nullopt);
  EXPECT_FALSE(log.Matches(Index{2}, Term{0}));
  EXPECT_FALSE(log.Matches(Index{6}, Term{0}));
  EXPECT_FALSE(log.Matches(Index{kAll >> 2}, Term{0}));
  EXPECT_EQ(log.Read(Index{3}, kAll), std::nullopt);
  EXPECT_EQ(log.Read(Index{4}, kAll)->size(), 2u);
}

// B-20.
TEST(LogTest, ADelayedMessageDoesNotShortenALongerMatchingLog) {
  const FakeDisk disk = DiskWith({1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  Log log(disk, Index{0}, Index{0});
  EXPECT_EQ(log.Merge(Index{3}, Series(4, {1, 1})), Index{5});
  EXPECT_EQ(log.last(), Index{10});
  EXPECT_FALSE(log.HasUnsaved());
}

TEST(LogTest, AConflictReplacesTheTail) {
  FakeDisk disk = DiskWith({1, 1, 1, 2, 2});
  Log log(disk, Index{2}, Index{0});
  EXPECT_EQ(log.Merge(Index{2}, Series(3, {1, 3, 3, 3})), Index{6});
  EXPECT_EQ(Terms(log), (std::vector<std::uint64_t>{1, 1, 1, 3, 3, 3}));
  EXPECT_EQ(log.saved(), Index{3});
  const std::vector<Entry> unsaved = log.TakeUnsaved();
  ASSERT_EQ(unsaved.size(), 3u);
  EXPECT_EQ(unsaved.front().index, Index{4});
}

TEST(LogTest, CommittedEntriesAreNeverReplaced) {
  const base::ReplicaScope scope(ShardId{1}, ReplicaId{1});
  FakeDisk disk = DiskWith({1, 1, 1});
  Log log(disk, Index{3}, Index{0});
  EXPECT_THROW(log.Merge(Index{2}, Series(3, {2})), base::InvariantBroken);
  EXPECT_THROW(log.CommitTo(Index{4}), base::InvariantBroken);
}

// B-28: the answer must not be taken for newer entries at the same index.
TEST(LogTest, ALateAnswerOfTheDiskIsNotTakenForNewerEntries) {
  FakeDisk disk;
  Log log(disk, Index{0}, Index{0});
  log.Merge(Index{0}, Series(1, {1, 1, 1}));
  EXPECT_EQ(log.TakeUnsaved().size(), 3u);
  log.Merge(Index{1}, Series(2, {2, 2}));
  log.Saved(Term{1}, Index{3});
  EXPECT_EQ(log.saved(), Index{0});
  EXPECT_EQ(log.TakeUnsaved().size(), 2u);
  log.Saved(Term{2}, Index{3});
  EXPECT_EQ(log.saved(), Index{3});
}

TEST(LogTest, AnAnswerForWhatWasNotHandedOutIsIgnored) {
  FakeDisk disk;
  Log log(disk, Index{0}, Index{0});
  log.Append(Term{1}, Command("a"));
  log.Saved(Term{1}, Index{1});
  EXPECT_EQ(log.saved(), Index{0});
  log.TakeUnsaved();
  log.Append(Term{1}, Command("b"));
  log.Saved(Term{1}, Index{2});
  EXPECT_EQ(log.saved(), Index{0});
  log.Saved(Term{1}, Index{1});
  EXPECT_EQ(log.saved(), Index{1});
}

TEST(LogTest, MemoryHoldsWhatIsNotAppliedOrNotSaved) {
  FakeDisk disk;
  Log log(disk, Index{0}, Index{0});
  for (int i = 0; i < 5; ++i) log.Append(Term{1}, Command("abcd"));
  const std::uint64_t each = 4 + kEntryOverheadBytes;
  EXPECT_EQ(log.bytes(), 5 * each);
  log.CommitTo(Index{3});
  EXPECT_EQ(log.uncommitted_bytes(), 2 * each);
  log.TakeCommitted(kAll);
  log.Applied(Index{2});
  EXPECT_EQ(log.bytes(), 5 * each) << "not saved yet";
  Save(log, disk);
  EXPECT_EQ(log.bytes(), 3 * each);
  log.Applied(Index{3});
  EXPECT_EQ(log.bytes(), 2 * each);
  EXPECT_EQ(log.Read(Index{1}, kAll)->size(), 3u) << "from the disk";
  EXPECT_EQ(log.Read(Index{4}, kAll)->size(), 2u) << "from memory";
  EXPECT_EQ(Terms(log).size(), 5u);
}

TEST(LogTest, ReadsStopAtTheLimitButGiveAtLeastOne) {
  FakeDisk disk = DiskWith({1, 1, 1, 1});
  Log log(disk, Index{0}, Index{0});
  const std::uint64_t each = EntrySize(At(1, 1));
  EXPECT_EQ(log.Read(Index{1}, 1)->size(), 1u);
  EXPECT_EQ(log.Read(Index{1}, 2 * each)->size(), 2u);
  EXPECT_EQ(log.Read(Index{1}, 3 * each - 1)->size(), 2u);
  EXPECT_EQ(log.Read(Index{2}, kAll)->size(), 3u);
}

TEST(LogTest, CommittedEntriesComeInPagesAndOnce) {
  FakeDisk disk = DiskWith({1, 1, 1, 1, 1});
  Log log(disk, Index{3}, Index{0});
  const std::uint64_t two = 2 * EntrySize(At(1, 1));
  ASSERT_TRUE(log.HasCommitted(two));
  EXPECT_EQ(log.TakeCommitted(two).back().index, Index{2});
  EXPECT_FALSE(log.HasCommitted(two)) << "a page is out and not applied";
  log.Applied(Index{1});
  EXPECT_FALSE(log.HasCommitted(two));
  log.Applied(Index{2});
  ASSERT_TRUE(log.HasCommitted(two));
  EXPECT_EQ(log.TakeCommitted(two).front().index, Index{3});
  log.Applied(Index{3});
  EXPECT_FALSE(log.HasCommitted(two));
  log.CommitTo(Index{5});
  EXPECT_EQ(log.TakeCommitted(kAll).size(), 2u) << "from memory";
}

TEST(LogTest, WhatIsHeldBackIsNotHandedOut) {
  const FakeDisk disk = DiskWith({1, 1, 1, 1});
  Log log(disk, Index{0}, Index{0});
  log.CommitTo(Index{4});
  log.HoldBack(Index{3});
  EXPECT_EQ(log.committed(), Index{4});
  EXPECT_EQ(log.TakeCommitted(kAll).back().index, Index{2});
  EXPECT_FALSE(log.HasCommitted(kAll));
  log.HoldNothingBack();
  EXPECT_EQ(log.TakeCommitted(kAll).back().index, Index{4});
}

TEST(LogTest, OnlyWhatWasHandedOutCanBeApplied) {
  const base::ReplicaScope scope(ShardId{1}, ReplicaId{1});
  FakeDisk disk = DiskWith({1, 1});
  Log log(disk, Index{2}, Index{0});
  EXPECT_THROW(log.Applied(Index{1}), base::InvariantBroken);
}

TEST(LogTest, ASnapshotReplacesEverything) {
  FakeDisk disk = DiskWith({1, 1, 1});
  Log log(disk, Index{1}, Index{0});
  log.Append(Term{2}, testing::Change("voter 4"));
  SnapshotRecord snapshot;
  snapshot.index = Index{10};
  snapshot.term = Term{4};
  log.Restore(snapshot);
  EXPECT_EQ(log.last(), Index{10});
  EXPECT_EQ(log.last_term(), Term{4});
  EXPECT_EQ(log.committed(), Index{10});
  EXPECT_EQ(log.bytes(), 0u);
  EXPECT_FALSE(log.HasUnsaved());
  EXPECT_FALSE(log.HasCommitted(kAll));
  EXPECT_FALSE(log.HasUnappliedChange(Index{100}));
  log.Saved(Term{2}, Index{4});  // late
  log.Merge(Index{10}, Series(11, {4}));
  EXPECT_EQ(log.TakeUnsaved().front().index, Index{11});
  log.Applied(Index{10});
  EXPECT_EQ(log.last(), Index{11});
}

TEST(LogTest, KnowsTheChangesThatAreNotApplied) {
  FakeDisk disk;
  Log log(disk, Index{0}, Index{0});
  log.Append(Term{1}, Command("a"));
  log.Append(Term{1}, testing::Change("voter 4"));
  log.Append(Term{1}, Command("b"));
  EXPECT_FALSE(log.HasUnappliedChange(Index{1}));
  EXPECT_TRUE(log.HasUnappliedChange(Index{2}));
  log.ChangeApplied(Index{2});
  EXPECT_FALSE(log.HasUnappliedChange(Index{3}));
}

// B-31.
TEST(LogTest, AChangeThatIsReplacedIsForgotten) {
  FakeDisk disk;
  Log log(disk, Index{0}, Index{0});
  log.Append(Term{1}, Command("a"));
  log.Append(Term{1}, testing::Change("voter 4"));
  log.Merge(Index{1}, Series(2, {2}));
  EXPECT_FALSE(log.HasUnappliedChange(Index{100}));
}

TEST(LogTest, AChangeInTheStoredTailIsFoundAgain) {
  FakeDisk disk = DiskWith({1, 1});
  Entry change = testing::Change("voter 4");
  change.term = Term{1};
  disk.Append(change);
  const Log log(disk, Index{2}, Index{0});
  EXPECT_TRUE(log.HasUnappliedChange(Index{3}));
}

TEST(LogTest, UpToDateMeansALaterTermOrAsLong) {
  const FakeDisk disk = DiskWith({1, 2, 2});
  const Log log(disk, Index{0}, Index{0});
  EXPECT_TRUE(log.IsUpToDate(Index{3}, Term{2}));
  EXPECT_TRUE(log.IsUpToDate(Index{4}, Term{2}));
  EXPECT_TRUE(log.IsUpToDate(Index{1}, Term{3}));
  EXPECT_FALSE(log.IsUpToDate(Index{2}, Term{2}));
  EXPECT_FALSE(log.IsUpToDate(Index{9}, Term{1}));
  EXPECT_FALSE(log.IsUpToDate(Index{0}, Term{0}));
}

TEST(LogTest, AHintSkipsWhatTheLeaderCannotHave) {
  const FakeDisk disk = DiskWith({1, 1, 2, 4, 4, 4});
  const Log log(disk, Index{1}, Index{0});
  EXPECT_EQ(log.ConflictHint(Index{9}, Term{5}), Index{6}) << "the end of a short log";
  EXPECT_EQ(log.ConflictHint(Index{6}, Term{3}), Index{3}) << "past the entries of term 4";
  EXPECT_EQ(log.ConflictHint(Index{6}, Term{5}), Index{5});
  EXPECT_EQ(log.ConflictHint(Index{9}, Term{1}), Index{2});
  FakeDisk other = DiskWith({3, 3, 3});
  const Log committed(other, Index{2}, Index{0});
  EXPECT_EQ(committed.ConflictHint(Index{3}, Term{1}), Index{2}) << "never below the commit";
}

TEST(LogTest, AnErrorOfTheDiskStopsTheReplica) {
  FakeDisk disk = DiskWith({1, 1, 1});
  Log log(disk, Index{3}, Index{0});
  disk.Break();
  EXPECT_THROW(log.TakeCommitted(kAll), base::InvariantBroken);
  EXPECT_THROW(log.TermAt(Index{1}), base::InvariantBroken);
}

TEST(LogTest, ALogThatLostCommittedEntriesIsRefused) {
  const base::ReplicaScope scope(ShardId{1}, ReplicaId{1});
  const FakeDisk disk = DiskWith({1, 1});
  EXPECT_THROW(Log(disk, Index{3}, Index{0}), base::InvariantBroken);
}

// B-26, B-30: the log against a plain list of terms, with a disk that answers late.
TEST(LogTest, BehavesAsAListOfTerms) {
  base::Random random(3);
  FakeDisk disk;
  Log log(disk, Index{0}, Index{0});
  std::vector<std::uint64_t> model;
  std::uint64_t term = 1;
  std::uint64_t handed = 0;
  for (int step = 0; step < 30000; ++step) {
    const std::uint64_t committed = log.committed().value();
    switch (random.Below(7)) {
      case 0:
        log.Append(Term{term}, Command("x"));
        model.push_back(term);
        break;
      case 1: {  // a leader of a newer term writes over what is not committed
        const std::uint64_t from = committed + random.Below(model.size() - committed + 1);
        term += random.Below(2);
        if (from < model.size() && model[from] == term) break;
        model.resize(from);
        const std::vector<std::uint64_t> terms(1 + random.Below(3), term);
        model.insert(model.end(), terms.begin(), terms.end());
        log.Merge(Index{from}, Series(from + 1, terms));
        break;
      }
      case 2: Save(log, disk); break;
      case 3: {
        const std::uint64_t saved = std::max(log.saved().value(), committed);
        log.CommitTo(Index{committed + random.Below(saved - committed + 1)});
        break;
      }
      case 4:
        if (!log.HasCommitted(1000)) break;
        for (const Entry& entry : log.TakeCommitted(1 + random.Below(1000))) {
          ASSERT_EQ(entry.index.value(), ++handed);
          ASSERT_EQ(entry.term.value(), model[handed - 1]);
        }
        break;
      case 5: {
        const std::uint64_t applied = log.applied().value();
        log.Applied(Index{applied + random.Below(handed - applied + 1)});
        break;
      }
      default: {
        if (model.empty()) break;
        const std::uint64_t at = random.Below(model.size());
        const auto read = log.Read(Index{at + 1}, 1 + random.Below(2000));
        for (std::size_t i = 0; i < read->size(); ++i) {
          ASSERT_EQ((*read)[i].term.value(), model[at + i]);
        }
      }
    }
    ASSERT_EQ(log.last().value(), model.size());
    ASSERT_LE(log.applied(), log.committed());
    if (step % 100 != 0) continue;
    ASSERT_EQ(Terms(log), model);
  }
  EXPECT_GT(handed, 1000u);
}

}  // namespace
}  // namespace drumbeat::raft
