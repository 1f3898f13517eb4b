// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "fuzz/input.h"
#include "fuzz/replica_host.h"

namespace drumbeat::fuzz {

/// Says what peers of a replica might say: anything that can be put into the form of a message,
/// near to what means something to the replica as it is now.
class HostileMessages {
 public:
  HostileMessages(Input& input, const ReplicaHost& host) : input_(input), host_(host) {}

  /// One to four messages, as a batch on the wire.
  std::string Batch();
  /// A client's proposal, a session's beginning or end, or a change of the members.
  raft::Entry Proposal();
  raft::Entry Change();
  /// The chunk of a whole snapshot, ahead of the replica or not.
  codec::Chunk Snapshot();
  ReplicaId Peer() { return ReplicaId(2 + input_.Below(4)); }

 private:
  std::string Message();
  /// A number near one of the replica's own, or an extreme one.
  std::uint64_t Near();
  std::string Entries(std::uint64_t previous, std::uint64_t term);
  void Fill(raft::Entry& entry);

  Input& input_;
  const ReplicaHost& host_;
};

}  // namespace drumbeat::fuzz
