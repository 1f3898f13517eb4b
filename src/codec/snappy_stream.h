// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "drumbeat/error.h"
#include "drumbeat/snapshot.h"

// Snappy's framing format (wire.md 5.2): an identifier, then chunks of at most 64 KiB of data.
namespace drumbeat::codec {

/// Compresses a stream. Keeps at most one chunk of data.
class SnappyStreamWriter {
 public:
  /// Appends what is complete to `out`.
  void Write(std::string_view bytes, std::string& out);
  /// Appends the rest.
  void Finish(std::string& out);

 private:
  void WriteChunk(std::string_view data, std::string& out);

  bool started_ = false;
  std::string pending_;
  std::string compressed_;
};

/// Decompresses a stream; damage gives kDamaged. Keeps at most one chunk.
std::unique_ptr<SnapshotReader> MakeSnappyStreamReader(std::unique_ptr<SnapshotReader> source);

}  // namespace drumbeat::codec
