// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "drumbeat/types.h"

#include "base/bytes.h"

namespace drumbeat::raft {

enum class EntryType : std::uint8_t {
  kApplication = 0,   ///< a raw command; empty: a leader's first entry, or a session operation
  kConfigChange = 1,  ///< a membership change
  kEncoded = 2,       ///< a command with a header byte (codec/command.h)
  kMetadata = 3,      ///< what a witness gets instead of anything but a membership change
};

/// One entry of a shard's log.
struct Entry {
  Term term;
  Index index;
  EntryType type = EntryType::kApplication;
  /// Chosen by the proposer to know its proposal again; 0 for entries that no client made.
  std::uint64_t key = 0;
  std::uint64_t client_id = 0;
  std::uint64_t series_id = 0;
  std::uint64_t responded_to = 0;
  base::Bytes command;

  friend bool operator==(const Entry&, const Entry&) = default;
};

/// What an entry counts in every limit on sizes: its command and a fixed overhead (Dragonboat's).
constexpr std::uint64_t kEntryOverheadBytes = 128;
inline std::uint64_t EntrySize(const Entry& entry) {
  return entry.command.size() + kEntryOverheadBytes;
}

/// Dragonboat's numbers with a meaning in Entry::series_id.
constexpr std::uint64_t kNoOpSeries = 0;
constexpr std::uint64_t kFirstSeries = 1;
constexpr std::uint64_t kRegisterSeries = ~std::uint64_t{0} - 1;
constexpr std::uint64_t kUnregisterSeries = ~std::uint64_t{0};

/// What a replica must find again after a crash. Term and vote are promises to others; a stored
/// commit index may lag behind.
struct HardState {
  Term term;
  ReplicaId vote;
  Index commit;

  friend bool operator==(const HardState&, const HardState&) = default;
};

/// A snapshot: which point of the log it stands for and who the members were there. The image
/// itself lies in the snapshot store under the replica and this index.
struct SnapshotRecord {
  Index index;
  Term term;
  Membership membership;
  std::uint64_t image_bytes = 0;
  /// Made for a witness: holds no state.
  bool witness = false;
  /// Index of the on-disk state machine's last entry; 0 for machines in memory.
  Index on_disk_index;

  friend bool operator==(const SnapshotRecord&, const SnapshotRecord&) = default;
};

}  // namespace drumbeat::raft
