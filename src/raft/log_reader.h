// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "drumbeat/error.h"
#include "drumbeat/types.h"

#include "raft/entry.h"

namespace drumbeat::raft {

/// The durable part of one replica's log, as the core reads it: entries first() to last(), which
/// end where Output::entries begins. Implemented over the log store; in memory in tests.
///
/// An error stops the replica: the core throws base::InvariantBroken with its text.
class LogReader {
 public:
  virtual ~LogReader() = default;

  /// Index of the first entry still there; last() + 1 when there is none. Everything before it is
  /// in snapshot().
  virtual Index first() const = 0;
  virtual Index last() const = 0;
  /// The newest snapshot; its index is at least first() - 1 or, with no log at all, 0.
  virtual const SnapshotRecord& snapshot() const = 0;
  /// Term of an entry in [first() - 1, last()]; first() - 1 is answered where it is known.
  virtual Result<std::optional<Term>> TermAt(Index index) const = 0;
  /// Entries in [first, end), at least one, then as many as fit into `max_bytes` (EntrySize).
  virtual Result<std::vector<Entry>> Read(Index first, Index end,
                                          std::uint64_t max_bytes) const = 0;
};

}  // namespace drumbeat::raft
