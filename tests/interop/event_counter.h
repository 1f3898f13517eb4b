// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "drumbeat/event_listener.h"

namespace drumbeat::interop {

/// Counts what a node host tells.
class EventCounter : public EventListener {
 public:
  void LeaderChanged(const ReplicaRef& /*replica*/, const LeaderInfo& leader) override {
    if (leader.leader) ++leader_changes;
  }
  void SnapshotTaken(const SnapshotEvent& /*event*/) override { ++snapshots_taken; }
  void SnapshotSent(const SnapshotEvent& /*event*/) override { ++snapshots_sent; }
  void SnapshotSendFailed(const SnapshotEvent& /*event*/, const Error& /*error*/) override {
    ++snapshots_failed;
  }
  void SnapshotReceived(const SnapshotEvent& /*event*/) override { ++snapshots_received; }
  void SnapshotRecovered(const SnapshotEvent& /*event*/) override { ++snapshots_recovered; }
  void LogCompacted(const ReplicaRef& /*replica*/, Index /*through*/) override {
    ++log_compactions;
  }

  std::atomic<std::uint64_t> leader_changes{0};
  std::atomic<std::uint64_t> snapshots_taken{0};
  std::atomic<std::uint64_t> snapshots_sent{0};
  std::atomic<std::uint64_t> snapshots_failed{0};
  std::atomic<std::uint64_t> snapshots_received{0};
  std::atomic<std::uint64_t> snapshots_recovered{0};
  std::atomic<std::uint64_t> log_compactions{0};
};

}  // namespace drumbeat::interop
