// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace drumbeat::transport {

/// The state machines of this folder never read a clock: they are told the time. The wall clock
/// plays no part in any of it.
using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Duration = Clock::duration;

}  // namespace drumbeat::transport
