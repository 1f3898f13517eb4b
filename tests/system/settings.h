// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>

namespace drumbeat::system {

using Clock = std::chrono::steady_clock;

/// The executable under test: the one of this build, or what DRUMBEAT_EXAMPLE names.
std::filesystem::path ExampleProgram();

/// A number from the environment, such as DRUMBEAT_KILLS=100; `otherwise` when it is not set.
std::uint64_t Setting(const char* name, std::uint64_t otherwise);

/// A promised time as it is on this machine: DRUMBEAT_TIME_FACTOR (a whole number, 1 on an idle
/// machine) times `promised`.
std::chrono::milliseconds Scaled(std::chrono::milliseconds promised);

inline double Seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

/// How long to wait for what must happen but is not under a promise of its own.
inline constexpr std::chrono::milliseconds kLongWait{20'000};

}  // namespace drumbeat::system
