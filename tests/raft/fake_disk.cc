// SPDX-License-Identifier: Apache-2.0
#include "raft/fake_disk.h"

#include <algorithm>

#include "base/check.h"

namespace drumbeat::raft::testing {

Result<std::optional<Term>> FakeDisk::TermAt(Index index) const {
  if (broken_) return Fail(ErrorCode::kDamaged, "the disk is broken");
  if (index == cut_) return cut_term_;
  DRUMBEAT_CHECK(index > cut_ && index <= last(), "terms are asked for what is there");
  return entries_[index - cut_ - 1].term;
}

Result<std::vector<Entry>> FakeDisk::Read(Index first, Index end, std::uint64_t max_bytes) const {
  if (broken_) return Fail(ErrorCode::kDamaged, "the disk is broken");
  DRUMBEAT_CHECK(first > cut_ && first < end && end <= last() + 1, "reads stay within the log");
  std::vector<Entry> read;
  std::uint64_t bytes = 0;
  for (Index i = first; i < end; ++i) {
    const Entry& entry = entries_[i - cut_ - 1];
    bytes += EntrySize(entry);
    if (!read.empty() && bytes > max_bytes) break;
    read.push_back(entry);
  }
  return read;
}

void FakeDisk::Write(const Output& output) {
  if (output.received_snapshot) {
    snapshot_ = *output.received_snapshot;
    cut_ = snapshot_.index;
    cut_term_ = snapshot_.term;
    entries_.clear();
  }
  if (!output.entries.empty()) {
    const Index begin = output.entries.front().index;
    DRUMBEAT_CHECK(begin > cut_ && begin <= last() + 1, "saved entries leave no gap");
    entries_.resize(begin - cut_ - 1);
    entries_.insert(entries_.end(), output.entries.begin(), output.entries.end());
  }
  if (output.hard_state) hard_state_ = *output.hard_state;
  if (output.must_sync) synced_ = hard_state_;
}

void FakeDisk::Cut(Index index) {
  DRUMBEAT_CHECK(index <= snapshot_.index, "only what a snapshot covers is cut off");
  if (index <= cut_) return;
  cut_term_ = entries_[index - cut_ - 1].term;
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(index - cut_));
  cut_ = index;
}

void FakeDisk::Append(Entry entry) {
  entry.index = last() + 1;
  entries_.push_back(std::move(entry));
}

}  // namespace drumbeat::raft::testing
