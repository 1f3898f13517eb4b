// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "drumbeat/snapshot.h"

namespace drumbeat::codec {

/// All of `reader`, in small steps.
inline Result<std::string> ReadAll(SnapshotReader& reader) {
  std::string all;
  char buffer[5000];
  while (true) {
    const Result<std::size_t> got = reader.Read(buffer);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return all;
    all.append(buffer, *got);
  }
}

}  // namespace drumbeat::codec
