// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "drumbeat/config.h"
#include "drumbeat/error.h"
#include "drumbeat/node_host.h"

#include "codec/records.h"
#include "node_host/replica_raft.h"
#include "storage/log_store.h"
#include "storage/snapshot_store.h"

namespace drumbeat::node_host {

/// How the Raft of a replica with this configuration behaves.
raft::Options RaftOptions(const ReplicaConfig& config, std::uint64_t seed);

/// Checks how a replica is to be started against how it was first started, records a first start
/// durably, and reads what is stored of it. Blocks on the disk.
/// Errors: see NodeHost::StartReplica.
class ReplicaStarter {
 public:
  /// A start that may go on.
  struct Checked {
    ReplicaRef replica;
    /// The founding members, none for a joining replica.
    MemberMap founders;
    /// To be recorded: it never started here.
    std::optional<codec::Bootstrap> first;
  };

  ReplicaStarter(storage::LogStore& log_store, storage::SnapshotStore& snapshot_store,
                 std::string raft_address);

  /// Writes nothing.
  Result<Checked> Check(const StartOptions& options, const ReplicaConfig& config);
  /// From here on the folder is bound to it.
  Result<ReplicaStart> Prepare(const Checked& checked);

 private:
  Result<MemberMap> CheckMembers(const StartOptions& options, const ReplicaConfig& config) const;
  Result<void> CheckFolder(const ReplicaRef& replica);
  Result<Checked> CheckBootstrap(const ReplicaRef& replica, const MemberMap& members, bool join);
  Result<void> WriteFoundingEntries(const ReplicaRef& replica, const MemberMap& members);
  /// Makes log and snapshot fit together: a snapshot that the log knows nothing of, because the
  /// process ended between the two writes, starts the log anew.
  Result<ReplicaStart> Reconcile(const ReplicaRef& replica);
  Result<bool> SnapshotIsAhead(const ReplicaRef& replica, const ReplicaStart& start);
  Result<void> RestartBehindSnapshot(const ReplicaRef& replica, ReplicaStart& start);

  storage::LogStore& log_store_;
  storage::SnapshotStore& snapshot_store_;
  const std::string raft_address_;
};

}  // namespace drumbeat::node_host
