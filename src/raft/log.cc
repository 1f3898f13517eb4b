// SPDX-License-Identifier: Apache-2.0
#include "raft/log.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"

namespace drumbeat::raft {
namespace {

/// How much of a stored tail is read at once when a replica starts.
constexpr std::uint64_t kLoadBytes = 16u << 20;

template <class T>
T OrStop(Result<T> result) {
  if (!result) throw base::InvariantBroken("log: " + std::string(result.error().text()));
  return *std::move(result);
}

}  // namespace

Log::Log(const LogReader& reader, Index committed, Index applied)
    : reader_(reader),
      committed_(std::max(committed, applied)),
      handed_(applied),
      applied_(applied) {
  const Index last = reader.last();
  DRUMBEAT_CHECK(committed_ <= last, "the stored log ends before its own commit index");
  DRUMBEAT_CHECK(applied_ + 1 >= reader.first(), "the stored log begins after what was applied");
  saved_ = last;
  to_save_ = last + 1;
  const std::optional<Term> term =
      committed_ ? OrStop(reader.TermAt(committed_)) : std::optional<Term>(Term{0});
  DRUMBEAT_CHECK(term.has_value(), "the term of the stored commit index must be known");
  base_ = {.index = committed_, .term = *term};
  LoadTail();
}

// Uncommitted entries are about to be sent, committed or replaced, and may hold a membership
// change that a leader has to know of.
void Log::LoadTail() {
  while (last() < reader_.last()) {
    const Index next = last() + 1;
    for (Entry& entry : ReadStored(next, reader_.last() + 1, kLoadBytes)) Push(std::move(entry));
  }
}

std::uint64_t Log::uncommitted_bytes() const {
  std::uint64_t bytes = 0;
  for (Index i = std::max(committed_, base_.index) + 1; i <= last(); ++i) {
    bytes += EntrySize(InMemory(i));
  }
  return bytes;
}

std::optional<Term> Log::TermAt(Index index) const {
  if (index == Index{0}) return Term{0};
  if (index > last()) return std::nullopt;
  if (index > base_.index) return InMemory(index).term;
  if (index == base_.index) return base_.term;
  if (index + 1 < reader_.first()) return std::nullopt;
  return OrStop(reader_.TermAt(index));
}

bool Log::IsUpToDate(Index index, Term term) const {
  return term > last_term() || (term == last_term() && index >= last());
}

Index Log::ConflictHint(Index refused, Term term) const {
  // Terms never fall along a log, so the leader's terms below `refused` are at most `term`.
  Index hint = std::min(refused - 1, last());
  while (hint > committed_ && InMemory(hint).term > term) hint = hint - 1;
  return hint;
}

std::optional<std::vector<Entry>> Log::Read(Index first, std::uint64_t max_bytes) const {
  if (first > base_.index) {
    std::vector<Entry> entries;
    CopyFromMemory(first, last() + 1, max_bytes, entries);
    return entries;
  }
  if (first < reader_.first()) return std::nullopt;
  return ReadStored(first, base_.index + 1, max_bytes);
}

void Log::CopyFromMemory(Index first, Index end, std::uint64_t max_bytes,
                         std::vector<Entry>& out) const {
  std::uint64_t bytes = 0;
  Index stop = first;
  for (; stop < end; ++stop) {
    bytes += EntrySize(InMemory(stop));
    if (bytes > max_bytes && stop > first) break;
  }
  out.reserve(out.size() + (stop - first));
  for (Index i = first; i < stop; ++i) out.push_back(InMemory(i));
}

std::vector<Entry> Log::ReadStored(Index first, Index end, std::uint64_t max_bytes) const {
  std::vector<Entry> entries = OrStop(reader_.Read(first, end, max_bytes));
  DRUMBEAT_CHECK(!entries.empty(), "a read of stored entries gives at least one");
  DRUMBEAT_CHECK(entries.front().index == first, "a read starts where it was asked to");
  DRUMBEAT_CHECK(entries.back().index < end, "a read ends where it was asked to");
  return entries;
}

void Log::Append(Term term, Entry entry) {
  entry.term = term;
  entry.index = last() + 1;
  Push(std::move(entry));
}

Index Log::FirstConflict(const std::vector<Entry>& entries) const {
  for (const Entry& entry : entries) {
    if (entry.index > last()) break;
    if (!Matches(entry.index, entry.term)) return entry.index;
  }
  return last() + 1;
}

Index Log::Merge(Index previous, std::vector<Entry>&& entries) {
  const Index last_new = previous + entries.size();
  if (const Index conflict = FirstConflict(entries); conflict <= last()) TruncateFrom(conflict);
  for (Entry& entry : entries) {
    if (entry.index > last()) Push(std::move(entry));
  }
  DRUMBEAT_CHECK(last() >= last_new, "a merge keeps the verified prefix");
  return last_new;
}

void Log::Push(Entry entry) {
  DRUMBEAT_CHECK(entry.index == last() + 1, "the log has no gaps");
  DRUMBEAT_CHECK(entry.term >= last_term(), "terms never fall along a log");
  if (entry.type == EntryType::kConfigChange) changes_.push_back(entry.index);
  bytes_ += EntrySize(entry);
  window_.PushBack(std::move(entry));
}

void Log::TruncateFrom(Index index) {
  DRUMBEAT_CHECK(index > committed_, "committed entries are never replaced");
  while (last() >= index) {
    bytes_ -= EntrySize(window_.back());
    window_.PopBack();
  }
  while (!changes_.empty() && changes_.back() >= index) changes_.pop_back();
  saved_ = std::min(saved_, index - 1);
  to_save_ = std::min(to_save_, index);
}

bool Log::CommitTo(Index index) {
  DRUMBEAT_CHECK(index <= last(), "only what is in the log can be committed");
  if (index <= committed_) return false;
  committed_ = index;
  return true;
}

void Log::HoldBack(Index index) {
  DRUMBEAT_CHECK(index > handed_, "what was handed out cannot be held back");
  held_ = index;
}

void Log::Restore(const SnapshotRecord& snapshot) {
  DRUMBEAT_CHECK(snapshot.index > committed_, "a restored snapshot is ahead of the log");
  window_.Clear();
  bytes_ = 0;
  changes_.clear();
  base_ = {.index = snapshot.index, .term = snapshot.term};
  committed_ = handed_ = saved_ = snapshot.index;
  held_ = Index{0};
  to_save_ = snapshot.index + 1;
}

void Log::Saved(Term term, Index index) {
  if (index <= saved_ || index >= to_save_ || !Matches(index, term)) return;
  saved_ = index;
  Trim();
}

void Log::Applied(Index index) {
  DRUMBEAT_CHECK(index <= handed_, "only what was handed out can be applied");
  if (index <= applied_) return;
  applied_ = index;
  while (!pages_.empty() && pages_.front().last <= index) {
    outstanding_bytes_ -= pages_.front().bytes;
    pages_.pop_front();
  }
  ChangeApplied(index);
  Trim();
}

void Log::ChangeApplied(Index index) {
  while (!changes_.empty() && changes_.front() <= index) changes_.pop_front();
}

void Log::Trim() {
  const Index free_to = std::min(applied_, saved_);
  while (base_.index < free_to && !window_.empty()) {
    const Entry& entry = window_[0];
    base_ = {.index = entry.index, .term = entry.term};
    bytes_ -= EntrySize(entry);
    window_.PopFront();
  }
}

std::vector<Entry> Log::TakeUnsaved() {
  std::vector<Entry> entries;
  CopyFromMemory(to_save_, last() + 1, ~std::uint64_t{0}, entries);
  to_save_ = last() + 1;
  return entries;
}

std::vector<Entry> Log::TakeCommitted(std::uint64_t max_bytes) {
  const Index first = handed_ + 1;
  std::vector<Entry> entries;
  if (first > base_.index) {
    CopyFromMemory(first, due() + 1, max_bytes, entries);
  } else {
    entries = ReadStored(first, std::min(base_.index, due()) + 1, max_bytes);
  }
  Page page{.last = entries.back().index};
  for (const Entry& entry : entries) page.bytes += EntrySize(entry);
  handed_ = page.last;
  outstanding_bytes_ += page.bytes;
  pages_.push_back(page);
  return entries;
}

}  // namespace drumbeat::raft
