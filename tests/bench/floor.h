// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>

#include "bench/measurement.h"

namespace drumbeat::bench {

enum class Durability : std::uint8_t {
  kSynced,  ///< written and fdatasync'ed on all three before it counts
  kMemory,  ///< not written at all: what messages and wake-ups alone cost
};

/// What three processes that keep a log together cannot beat on this machine, because there is
/// nothing to them but the cost that no rules of Raft can avoid: the leader sends what is in
/// flight as one batch to two followers over loopback TCP; all three write it to a file whose
/// blocks exist already and sync it; a batch is committed once two of the three have it.
///
/// The closed-loop load is part of the leader, which is this process; the followers are forked.
/// Call it from a process that has no other threads.
Measurement MeasureFloor(const std::filesystem::path& folder, const Cell& cell,
                         Durability durability, double seconds);

}  // namespace drumbeat::bench
