// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "drumbeat/error.h"
#include "drumbeat/types.h"

namespace drumbeat {

/// Names a replica: its shard and its id.
struct ReplicaRef {
  ShardId shard;
  ReplicaId replica;

  friend auto operator<=>(const ReplicaRef&, const ReplicaRef&) = default;
};

/// What this replica believes about its shard's leadership. leader 0: none is known.
struct LeaderInfo {
  ReplicaId leader;
  Term term;

  friend bool operator==(const LeaderInfo&, const LeaderInfo&) = default;
};

/// What a snapshot event is about. `index`: the last entry that the snapshot holds.
struct SnapshotEvent {
  ReplicaRef replica;
  /// The other side of a transfer; 0 for a snapshot taken or restored here.
  ReplicaId peer;
  Index index;
  std::uint64_t bytes = 0;
};

/// Told of what happens on a node host. Override what you care for.
///
/// Threads: called by one thread of the node host that does nothing else, one event after the
/// other, events of one shard in their order. A slow listener delays later events only; beyond
/// 10,000 waiting events new ones are dropped and counted in the log. May call the NodeHost.
/// Must not throw (what it throws is logged and dropped).
class EventListener {
 public:
  virtual ~EventListener() = default;

  virtual void LeaderChanged(const ReplicaRef& /*replica*/, const LeaderInfo& /*leader*/) {}
  /// The replica has loaded its state and takes part.
  virtual void ReplicaReady(const ReplicaRef& /*replica*/) {}
  /// The replica has stopped and everything of it was released. After StopShard it may be started
  /// again; one that failed or was removed stays until StopShard, for its calls to say why.
  virtual void ReplicaStopped(const ReplicaRef& /*replica*/) {}
  /// The replica applied its own removal and stops.
  virtual void ReplicaRemoved(const ReplicaRef& /*replica*/) {}
  /// The replica stops for good because of `error`; other replicas go on.
  virtual void ReplicaFailed(const ReplicaRef& /*replica*/, const Error& /*error*/) {}
  /// Something that all replicas share failed; all have stopped. Close the host.
  virtual void HostFailed(const Error& /*error*/) {}
  virtual void MembershipChanged(const ReplicaRef& /*replica*/, const Membership& /*members*/) {}
  virtual void SnapshotTaken(const SnapshotEvent& /*event*/) {}
  virtual void SnapshotSent(const SnapshotEvent& /*event*/) {}
  virtual void SnapshotSendFailed(const SnapshotEvent& /*event*/, const Error& /*error*/) {}
  virtual void SnapshotReceived(const SnapshotEvent& /*event*/) {}
  virtual void SnapshotRecovered(const SnapshotEvent& /*event*/) {}
  /// Entries up to `through` are given up for a snapshot; a replica that lags gets that instead.
  virtual void LogCompacted(const ReplicaRef& /*replica*/, Index /*through*/) {}
  virtual void ConnectionEstablished(const std::string& /*address*/) {}
  virtual void ConnectionFailed(const std::string& /*address*/, const std::string& /*reason*/) {}
};

}  // namespace drumbeat
