// SPDX-License-Identifier: Apache-2.0
#include "raft/read_index.h"

#include <algorithm>
#include <utility>

namespace drumbeat::raft {

ReadQueue::Added ReadQueue::Add(ReadContext context, ReplicaId from, Index index) {
  if (SequenceOf(context)) return Added::kDuplicate;
  if (reads_.size() >= kLimit) return Added::kFull;
  reads_.push_back(
      {.context = context, .from = from, .index = index, .sequence = ++last_sequence_});
  return Added::kYes;
}

void ReadQueue::SetIndex(Index index) {
  for (PendingRead& read : reads_) {
    if (!read.index) read.index = index;
  }
}

std::optional<ReadContext> ReadQueue::newest() const {
  if (reads_.empty()) return std::nullopt;
  return reads_.back().context;
}

std::optional<std::uint64_t> ReadQueue::SequenceOf(ReadContext context) const {
  // Answers mostly name the newest.
  for (auto read = reads_.rbegin(); read != reads_.rend(); ++read) {
    if (read->context == context) return read->sequence;
  }
  return std::nullopt;
}

std::vector<PendingRead> ReadQueue::TakeConfirmed(std::uint64_t sequence) {
  std::vector<PendingRead> confirmed;
  while (!reads_.empty() && reads_.front().sequence <= sequence && reads_.front().index) {
    confirmed.push_back(reads_.front());
    reads_.pop_front();
  }
  return confirmed;
}

std::deque<PendingRead> ReadQueue::TakeAll() { return std::exchange(reads_, {}); }

void ForwardedReads::Add(ReadContext context) {
  if (contexts_.size() >= kLimit) contexts_.pop_front();
  contexts_.push_back(context);
}

std::vector<ReadContext> ForwardedReads::TakeThrough(ReadContext context) {
  const auto found = std::ranges::find(contexts_, context);
  if (found == contexts_.end()) return {};
  std::vector<ReadContext> taken(contexts_.begin(), found + 1);
  contexts_.erase(contexts_.begin(), found + 1);
  return taken;
}

std::deque<ReadContext> ForwardedReads::TakeAll() { return std::exchange(contexts_, {}); }

}  // namespace drumbeat::raft
