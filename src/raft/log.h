// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <tuple>
#include <vector>

#include "drumbeat/types.h"

#include "raft/entry.h"
#include "raft/entry_window.h"
#include "raft/log_reader.h"

namespace drumbeat::raft {

/// One replica's log: the newest entries in memory, older ones through the LogReader, and how far
/// each of saving, committing, handing out and applying has come.
///
/// Invariants: applied <= handed <= committed <= last; entries above min(applied, saved) are in
/// memory, except that a restart leaves those up to the stored commit index on the disk.
/// Failure: an error of the LogReader throws base::InvariantBroken.
class Log {
 public:
  /// `committed` and `applied`: as stored; the greater one counts as committed.
  Log(const LogReader& reader, Index committed, Index applied);

  // -- Positions ---------------------------------------------------------------------------------

  /// The oldest entry that can still be read.
  Index first() const { return reader_.first(); }
  Index last() const { return base_.index + window_.size(); }
  Term last_term() const { return window_.empty() ? base_.term : window_.back().term; }
  Index committed() const { return committed_; }
  /// Durable up to here.
  Index saved() const { return saved_; }
  Index applied() const { return applied_; }
  /// EntrySize of all entries in memory, and of those among them that are not committed.
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t uncommitted_bytes() const;

  // -- Questions ---------------------------------------------------------------------------------

  /// Nothing for entries that were cut off or do not exist yet; 0 for index 0.
  std::optional<Term> TermAt(Index index) const;
  bool Matches(Index index, Term term) const { return TermAt(index) == term; }
  /// Raft section 5.4.1: whether a log ending in (term, index) is at least as good as this one.
  bool IsUpToDate(Index index, Term term) const;
  /// Where a leader whose log has `term` at `refused` should try next: below `refused`, not below
  /// the commit index, and past entries whose term says that they cannot be in its log.
  Index ConflictHint(Index refused, Term term) const;
  /// A membership change at or below `limit` that has not been applied.
  bool HasUnappliedChange(Index limit) const { return HasUnappliedChange(Index{0}, limit); }
  /// A membership change in (after, limit] that has not been applied.
  bool HasUnappliedChange(Index after, Index limit) const {
    return std::ranges::any_of(changes_, [&](Index at) { return at > after && at <= limit; });
  }
  /// The one that is held back is the only one that is not applied.
  bool LacksHeldChangeOnly() const {
    return held_ && changes_.size() == 1 && changes_.front() == held_;
  }
  /// The last one of all that have not been applied; 0: none.
  Index last_unapplied_change() const { return changes_.empty() ? Index{0} : changes_.back(); }
  /// Entries from `first` on, at least one, then as many as fit into `max_bytes`. Nothing when
  /// `first` was cut off. `first` is at most last().
  std::optional<std::vector<Entry>> Read(Index first, std::uint64_t max_bytes) const;
  const SnapshotRecord& newest_snapshot() const { return reader_.snapshot(); }

  // -- Changes -----------------------------------------------------------------------------------

  /// A leader's own entries: gets them their term and index.
  void Append(Term term, Entry entry);
  /// Where `entries` begin to replace what is here; behind last() when they replace nothing.
  Index FirstConflict(const std::vector<Entry>& entries) const;
  /// A follower's: `entries` follow `previous`, which matches. Entries that are here already stay;
  /// from the first conflict on, they are replaced. Returns the last index that now matches.
  Index Merge(Index previous, std::vector<Entry>&& entries);
  /// Returns whether the commit index rose. `index` is at most last().
  bool CommitTo(Index index);
  /// The log starts anew behind a received snapshot, which is ahead of the commit index.
  void Restore(const SnapshotRecord& snapshot);
  /// What was handed out for saving is durable up to (term, index). An answer for entries that
  /// have been replaced since is ignored.
  void Saved(Term term, Index index);
  void Applied(Index index);
  /// The membership change at `index` has been applied or refused.
  void ChangeApplied(Index index);

  /// What is committed is handed out only up to right before `index`, which was not yet.
  void HoldBack(Index index);
  void HoldNothingBack() { held_ = Index{0}; }

  // -- Output ------------------------------------------------------------------------------------

  bool HasUnsaved() const { return to_save_ <= last(); }
  std::vector<Entry> TakeUnsaved();
  /// Whether committed entries wait to be handed out, and not too much was handed out but has not
  /// been applied: less than `max_bytes`.
  bool HasCommitted(std::uint64_t max_bytes) const {
    return handed_ < due() && outstanding_bytes_ < max_bytes;
  }
  /// The next ones, at least one, then as many as fit into `max_bytes`.
  std::vector<Entry> TakeCommitted(std::uint64_t max_bytes);

  /// All that it holds besides what is stored, to tell states apart.
  auto fields() const {
    return std::tie(base_, window_, bytes_, saved_, to_save_, committed_, held_, handed_, applied_,
                    changes_, pages_, outstanding_bytes_);
  }

 private:
  struct Position {
    Index index;
    Term term;

    auto fields() const { return std::tie(index, term); }
  };
  /// What was handed out at once and is not applied yet.
  struct Page {
    Index last;
    std::uint64_t bytes = 0;

    auto fields() const { return std::tie(last, bytes); }
  };

  Index due() const { return held_ ? held_ - 1 : committed_; }
  const Entry& InMemory(Index index) const { return window_[index - base_.index - 1]; }
  void CopyFromMemory(Index first, Index end, std::uint64_t max_bytes,
                      std::vector<Entry>& out) const;
  std::vector<Entry> ReadStored(Index first, Index end, std::uint64_t max_bytes) const;
  void LoadTail();
  void Push(Entry entry);
  void TruncateFrom(Index index);
  void Trim();

  const LogReader& reader_;
  Position base_;  // right before the window; its term is always known
  EntryWindow window_;
  std::uint64_t bytes_ = 0;
  Index saved_;
  Index to_save_;  // first that was not handed out for saving
  Index committed_;
  Index held_;  // committed, but not to be handed out; 0: nothing is
  Index handed_;
  Index applied_;
  std::deque<Index> changes_;  // membership changes in the log that are not applied
  std::deque<Page> pages_;
  std::uint64_t outstanding_bytes_ = 0;  // sum over pages_
};

}  // namespace drumbeat::raft
