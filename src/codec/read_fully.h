// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "drumbeat/error.h"
#include "drumbeat/snapshot.h"

namespace drumbeat::codec {

/// Fills all of `buffer`; returns how much that was, less only at the end of `source`.
inline Result<std::size_t> ReadFully(SnapshotReader& source, std::span<char> buffer) {
  std::size_t have = 0;
  while (have < buffer.size()) {
    const Result<std::size_t> got = source.Read(buffer.subspan(have));
    if (!got) return got;
    if (*got == 0) break;
    have += *got;
  }
  return have;
}

}  // namespace drumbeat::codec
