// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "raft/message.h"

namespace drumbeat::codec {

/// A message of shard 128 from replica 1 to 2 in term 5.
inline raft::Envelope EnvelopeOf(raft::Message message, Term term = Term(5)) {
  return {.shard = ShardId(128),
          .from = ReplicaId(1),
          .to = ReplicaId(2),
          .term = term,
          .message = std::move(message)};
}

inline raft::Entry EntryAt(std::uint64_t index, Term term = Term(5)) {
  raft::Entry entry;
  entry.term = term;
  entry.index = Index(index);
  return entry;
}

inline raft::Entry ProposalOf(std::string_view command) {
  raft::Entry entry;
  entry.type = raft::EntryType::kEncoded;
  entry.key = 1;
  entry.client_id = 2;
  entry.command = base::Bytes::Copy(command);
  return entry;
}

/// One message of each kind that may travel, with every field set, in the variant's order. Those
/// that carry no term have none.
inline std::vector<raft::Envelope> OneOfEachKind() {
  raft::Entry second = ProposalOf({"\0hello", 6});
  second.index = Index(21);
  second.term = Term(5);
  const raft::ReadContext context{.low = 8, .high = 9};
  return {
      EnvelopeOf(raft::AppendEntries{Index(19), Term(4), Index(18), {EntryAt(20), second}}),
      EnvelopeOf(raft::AppendReply{Index(19), true, Index(3)}),
      EnvelopeOf(raft::RequestVote{Index(21), Term(5), true}),
      EnvelopeOf(raft::VoteReply{true}),
      EnvelopeOf(raft::RequestPreVote{Index(21), Term(5), true}),
      EnvelopeOf(raft::PreVoteReply{true}),
      EnvelopeOf(raft::Heartbeat{Index(10), context}),
      EnvelopeOf(raft::HeartbeatReply{context}),
      EnvelopeOf(raft::ForwardedProposal{{ProposalOf({"\0hello", 6})}}, Term(0)),
      EnvelopeOf(raft::ReadIndexRequest{context}, Term(0)),
      EnvelopeOf(raft::ReadIndexReply{Index(21), context}),
      EnvelopeOf(raft::LeaderTransferRequest{ReplicaId(3)}, Term(0)),
      EnvelopeOf(raft::TimeoutNow{}),
      EnvelopeOf(raft::NoOp{}),
      EnvelopeOf(raft::QuiesceNotice{}, Term(0)),
      EnvelopeOf(raft::RateLimitReport{4096}),
      EnvelopeOf(raft::SnapshotReceived{}, Term(0)),
  };
}

}  // namespace drumbeat::codec
