// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "drumbeat/types.h"

#include "raft/entry.h"

namespace drumbeat::raft {

/// Names one round of confirmations for linearizable reads. `low` is random and not 0; both words
/// are opaque to everyone but the replica that made them.
struct ReadContext {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  explicit operator bool() const { return low != 0; }
  friend auto operator<=>(const ReadContext&, const ReadContext&) = default;
};

// What replicas say to each other. Dragonboat's name and number in brackets.

/// [Replicate 12] Append `entries` behind (previous, previous_term); commit up to `commit`.
struct AppendEntries {
  Index previous;
  Term previous_term;
  Index commit;
  std::vector<Entry> entries;
};
/// [ReplicateResp 13] Accepted: `index` is the last index that is now known to match.
/// Rejected: `index` repeats the request's `previous`, `hint` is where to try next (the own last
/// index, or less to skip a conflicting term).
struct AppendReply {
  Index index;
  bool rejected = false;
  Index hint;
};
/// [RequestVote 14] `transfer`: told to campaign by its leader; overrides leases.
struct RequestVote {
  Index last_index;
  Term last_term;
  bool transfer = false;
};
/// [RequestVoteResp 15]
struct VoteReply {
  bool rejected = false;
};
/// [RequestPreVote 26] Envelope::term is the term that the sender would campaign in.
struct RequestPreVote {
  Index last_index;
  Term last_term;
  bool transfer = false;
};
/// [RequestPreVoteResp 27]
struct PreVoteReply {
  bool rejected = false;
};
/// [Heartbeat 17] `commit` is never above what the target is known to hold.
struct Heartbeat {
  Index commit;
  ReadContext context;
};
/// [HeartbeatResp 18] echoes the context.
struct HeartbeatReply {
  ReadContext context;
};
/// [Propose 7] A follower passes proposals on; indexes and terms are not set yet.
struct ForwardedProposal {
  std::vector<Entry> entries;
};
/// [ReadIndex 19] A follower asks its leader for a read index.
struct ReadIndexRequest {
  ReadContext context;
};
/// [ReadIndexResp 20]
struct ReadIndexReply {
  Index index;
  ReadContext context;
};
/// [LeaderTransfer 23] A follower passes the request on.
struct LeaderTransferRequest {
  ReplicaId target;
};
/// [TimeoutNow 24] Campaign at once.
struct TimeoutNow {};
/// [NoOP 4] Only its term matters.
struct NoOp {};
/// [Quiesce 21] Handled around the core.
struct QuiesceNotice {};
/// [RateLimit 25] Bytes that the sender holds in memory when it is over its limit, else 0.
struct RateLimitReport {
  std::uint64_t bytes = 0;
};
/// [SnapshotReceived 22] All chunks of the snapshot arrived.
struct SnapshotReceived {};
/// [InstallSnapshot 16] Never on the wire: made here from a complete chunk stream.
struct InstallSnapshot {
  SnapshotRecord snapshot;
};

using Message =
    std::variant<AppendEntries, AppendReply, RequestVote, VoteReply, RequestPreVote, PreVoteReply,
                 Heartbeat, HeartbeatReply, ForwardedProposal, ReadIndexRequest, ReadIndexReply,
                 LeaderTransferRequest, TimeoutNow, NoOp, QuiesceNotice, RateLimitReport,
                 SnapshotReceived, InstallSnapshot>;

/// A message with its address. `term` is the sender's term; 0 on messages that carry none.
struct Envelope {
  ShardId shard;
  ReplicaId from;
  ReplicaId to;
  Term term;
  Message message;
};

}  // namespace drumbeat::raft
