// SPDX-License-Identifier: Apache-2.0
#include "system/settings.h"

#include <cstdlib>
#include <string>

namespace drumbeat::system {

std::filesystem::path ExampleProgram() {
  const char* named = std::getenv("DRUMBEAT_EXAMPLE");
  return std::filesystem::absolute(named != nullptr ? named : DRUMBEAT_EXAMPLE_PROGRAM);
}

std::uint64_t Setting(const char* name, std::uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? std::strtoull(value, nullptr, 10) : otherwise;
}

std::chrono::milliseconds Scaled(std::chrono::milliseconds promised) {
  return promised * static_cast<std::int64_t>(Setting("DRUMBEAT_TIME_FACTOR", 1));
}

}  // namespace drumbeat::system
