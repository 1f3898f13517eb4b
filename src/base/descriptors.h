// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace drumbeat::base {

/// Parts of the process's descriptors, so that no layer takes those of another: whoever runs out of
/// them at a write or sync takes the host down. What none of these names, an eighth at least, is
/// for snapshots on their way out, the write-ahead log and the rest of the program.
struct DescriptorBudget {
  /// For files that a store keeps open to read them: a quarter.
  std::size_t store_files = 0;
  /// For accepted connections: three eighths.
  std::size_t incoming_connections = 0;
  /// For connections to other hosts: a quarter.
  std::size_t outgoing_connections = 0;
};

/// The parts of `descriptors`; each is at least 1.
DescriptorBudget ShareOut(std::size_t descriptors);
/// The parts of the soft RLIMIT_NOFILE as it is now.
DescriptorBudget ShareOutDescriptors();

}  // namespace drumbeat::base
