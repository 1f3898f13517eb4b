// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <tuple>
#include <vector>

#include "drumbeat/types.h"

#include "raft/message.h"

namespace drumbeat::raft {

/// A read that a leader has been asked to confirm. `from`: the replica that asked, 0 for this one.
struct PendingRead {
  ReadContext context;
  ReplicaId from;
  /// The commit index when it was asked; 0 while the leader has not committed in its term.
  Index index;
  /// Rounds are counted along; a quorum at this round or a later one confirms it.
  std::uint64_t sequence = 0;

  auto fields() const { return std::tie(context, from, index, sequence); }
};

/// The reads that wait for a leader: first for its first commit in its term (before it does not
/// know the commit index), then for a quorum to confirm that it still leads.
///
/// Source: Ongaro 2014, section 6.4.
class ReadQueue {
 public:
  /// Beyond it reads are refused.
  static constexpr std::size_t kLimit = 4096;

  enum class Added : std::uint8_t { kYes, kDuplicate, kFull };

  bool empty() const { return reads_.empty(); }
  std::size_t size() const { return reads_.size(); }

  /// `index`: the commit index if it is known to be this term's, else 0.
  Added Add(ReadContext context, ReplicaId from, Index index);
  /// The first commit of the term came: it is the index of every read so far.
  void SetIndex(Index index);
  /// The context of the newest read, which confirms all before it.
  std::optional<ReadContext> newest() const;
  /// The round that `context` stands for, if it is still waiting.
  std::optional<std::uint64_t> SequenceOf(ReadContext context) const;
  /// Takes out what a quorum at round `sequence` confirms. Reads without an index stay.
  std::vector<PendingRead> TakeConfirmed(std::uint64_t sequence);
  /// Leadership is lost: takes out everything.
  std::deque<PendingRead> TakeAll();

  /// All that it holds, to tell states apart.
  auto fields() const { return std::tie(reads_, last_sequence_); }

 private:
  std::deque<PendingRead> reads_;
  std::uint64_t last_sequence_ = 0;
};

/// The reads that a follower passed on to its leader.
class ForwardedReads {
 public:
  static constexpr std::size_t kLimit = 4096;

  bool empty() const { return contexts_.empty(); }
  /// Forgets the oldest beyond the limit: its answer was lost long ago.
  void Add(ReadContext context);
  /// If `context` was waiting: itself and all that were passed on before it, which wait no longer.
  std::vector<ReadContext> TakeThrough(ReadContext context);
  std::deque<ReadContext> TakeAll();

  /// All that it holds, to tell states apart.
  const auto& fields() const { return contexts_; }

 private:
  std::deque<ReadContext> contexts_;
};

}  // namespace drumbeat::raft
