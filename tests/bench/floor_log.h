// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

#include "bench/system.h"

namespace drumbeat::bench {

/// A file of fixed size whose blocks were all written once, used as a ring: appends and syncs touch
/// data only, never the file's metadata.
class FloorLog {
 public:
  /// Prepares the file, or takes over one that was prepared before. With an empty path all
  /// functions do nothing.
  explicit FloorLog(const std::filesystem::path& path);

  void Append(std::string_view bytes);
  void Sync();

 private:
  Fd fd_;
  std::size_t end_ = 0;
};

}  // namespace drumbeat::bench
