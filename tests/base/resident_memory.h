// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <fstream>

#include <unistd.h>

namespace drumbeat::base {

/// Memory that this process really uses.
inline std::size_t ResidentBytes() {
  std::ifstream status("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  status >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace drumbeat::base
