// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "drumbeat/error.h"
#include "drumbeat/types.h"

namespace drumbeat {

/// Receives the bytes of a snapshot, in order.
/// Thread-safety: one thread, within the call that it was handed to.
class SnapshotWriter {
 public:
  virtual ~SnapshotWriter() = default;
  /// Appends `bytes`; any length. An error is final: return it from SaveSnapshot.
  virtual Result<void> Write(std::string_view bytes) = 0;
};

/// Hands out the bytes of a snapshot, in order.
/// Thread-safety: one thread, within the call that it was handed to.
class SnapshotReader {
 public:
  virtual ~SnapshotReader() = default;
  /// Fills at most `buffer.size()` bytes, often fewer, and returns how many; 0 only at the end.
  virtual Result<std::size_t> Read(std::span<char> buffer) = 0;
  /// The same, but less than the whole buffer only at the end.
  Result<std::size_t> ReadFully(std::span<char> buffer) {
    std::size_t filled = 0;
    while (filled < buffer.size()) {
      const Result<std::size_t> read = Read(buffer.subspan(filled));
      if (!read) return read;
      if (*read == 0) break;
      filled += *read;
    }
    return filled;
  }
};

/// What a snapshot request may ask for.
struct SnapshotOptions {
  /// Entries to keep in the log behind the snapshot, for slow followers. Unset: as configured.
  std::optional<std::uint64_t> compaction_overhead;
};

}  // namespace drumbeat
