// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>

namespace drumbeat::transport {

/// Memory that frames may take which are not complete yet, and pieces of snapshots that wait for
/// the disk. Neither frames that come in one read are counted nor the first 64 KiB of others
/// (IncomingConnection::kFirstBufferBytes), so that nobody can lock out small messages.
struct ReceiveBudget {
  /// In bytes. Of a part: what it may have while the whole allows it.
  std::size_t limit = 0;
  std::size_t used = 0;
  /// Set for a part, such as that of all connections from one network. Beyond its limit a part has
  /// no more than it leaves to others, so that none of them takes the whole; several that do so
  /// leave ever less (dynamic thresholds: Choudhury and Hahne, 1998).
  ReceiveBudget* whole = nullptr;

  /// False, with nothing taken, when that is not allowed.
  bool Take(std::size_t bytes);
  void Return(std::size_t bytes);
};

inline bool ReceiveBudget::Take(std::size_t bytes) {
  if (bytes == 0) return true;  // Also beyond a limit that shrank.
  if (whole != nullptr) {
    const std::size_t left = whole->limit - std::min(whole->used + bytes, whole->limit);
    if (used + bytes > std::max(limit, left) || !whole->Take(bytes)) return false;
  } else if (used + bytes > limit) {
    return false;
  }
  used += bytes;
  return true;
}

inline void ReceiveBudget::Return(std::size_t bytes) {
  used -= bytes;
  if (whole != nullptr) whole->Return(bytes);
}

}  // namespace drumbeat::transport
