// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace drumbeat::bench {

/// How the three node hosts are set up.
struct NodeSettings {
  std::size_t tick_ms = 100;
  std::size_t engine_workers = 0;
  std::size_t apply_workers = 0;
  std::size_t log_store_mib = 64;
  std::uint64_t snapshot_entries = 0;
};

/// One of the three processes of a cluster.
struct NodeOptions {
  NodeSettings settings;
  /// 1 to 3.
  std::uint64_t replica = 0;
  std::filesystem::path folder;
  int listen_fd = -1;
  /// Ports of replicas 1 to 3 on 127.0.0.1.
  std::vector<std::uint16_t> ports;
};

/// Runs one node host with one replica, and does what its parent asks for on stdin, one line each,
/// answering on stdout; until stdin ends. Returns the exit status.
///
/// `leader`: replica id, or 0. `state`: count and hash of its state machine. `load OPERATION
/// IN_FLIGHT PAYLOAD START FROM TO`: a closed loop; acknowledged, busy, errors, operations in the
/// window, p50, p99, p99.9 and maximum in ns, the first error. An answer may be `error TEXT`.
int RunNode(const NodeOptions& options);

}  // namespace drumbeat::bench
