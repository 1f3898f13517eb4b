// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "node_host/applier.h"
#include "node_host/replica_raft.h"
#include "node_host/replica_state.h"

namespace drumbeat::node_host {

/// One replica: what its two sides and its clients share, its state machine's side and its Raft's.
///
/// Lifetime: shared by the host's table, the engine's queue and the pools' queues; it dies with the
/// last of them, after Close() has run to its end.
class Replica : public std::enable_shared_from_this<Replica> {
 public:
  Replica(const Services& services, const ReplicaConfig& config, const ReplicaStart& start,
          std::unique_ptr<state_machine::Runtime> runtime, std::size_t max_receive_bytes,
          std::function<void(const std::shared_ptr<Replica>&)> notify);

  ReplicaState& state() { return *state_; }
  const ReplicaState& state() const { return *state_; }
  const Applier& applier() const { return *applier_; }
  Applier& applier() { return *applier_; }
  ReplicaRaft& raft() { return raft_; }

  /// Begins to load the state machine.
  void Load(std::optional<raft::SnapshotRecord> snapshot) { applier_->Load(std::move(snapshot)); }
  /// There is something in the inbox.
  void Notify() { notify_(shared_from_this()); }

  /// For the engine: in its ready list or being stepped.
  std::atomic<bool> queued{false};
  /// Set by its engine worker: this side's life is over.
  std::atomic<bool> raft_over{false};

 private:
  const std::shared_ptr<ReplicaState> state_;
  const std::function<void(const std::shared_ptr<Replica>&)> notify_;
  const std::shared_ptr<Applier> applier_;
  ReplicaRaft raft_;
};

}  // namespace drumbeat::node_host
