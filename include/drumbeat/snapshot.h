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
  /// Fills at most `buffer.size()` bytes and returns how many; 0 only at the end.
  virtual Result<std::size_t> Read(std::span<char> buffer) = 0;
};

/// What a snapshot request may ask for.
struct SnapshotOptions {
  /// Entries to keep in the log behind the snapshot, for slow followers. Unset: as configured.
  std::optional<std::uint64_t> compaction_overhead;
};

}  // namespace drumbeat
