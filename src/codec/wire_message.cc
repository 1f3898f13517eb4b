// SPDX-License-Identifier: Apache-2.0
#include "codec/wire_message.h"

#include <utility>

#include "base/check.h"
#include "codec/message_batch.h"

namespace drumbeat::codec {
namespace {

using Type = WireMessageType;

std::uint64_t Number(Type type) { return static_cast<std::uint64_t>(type); }

void Fill(WireMessage& wire, const raft::AppendEntries& m, ReplicaId) {
  wire.type = Number(Type::kReplicate);
  wire.log_index = m.previous.value();
  wire.log_term = m.previous_term.value();
  wire.commit = m.commit.value();
}
void Fill(WireMessage& wire, const raft::AppendReply& m, ReplicaId) {
  wire.type = Number(Type::kReplicateResp);
  wire.log_index = m.index.value();
  wire.reject = m.rejected;
  wire.hint = m.rejected ? m.hint.value() : 0;
}
void Fill(WireMessage& wire, const raft::RequestVote& m, ReplicaId from) {
  wire.type = Number(Type::kRequestVote);
  wire.log_index = m.last_index.value();
  wire.log_term = m.last_term.value();
  wire.hint = m.transfer ? from.value() : 0;
}
void Fill(WireMessage& wire, const raft::RequestPreVote& m, ReplicaId from) {
  wire.type = Number(Type::kRequestPreVote);
  wire.log_index = m.last_index.value();
  wire.log_term = m.last_term.value();
  wire.hint = m.transfer ? from.value() : 0;
}
void Fill(WireMessage& wire, const raft::VoteReply& m, ReplicaId) {
  wire.type = Number(Type::kRequestVoteResp);
  wire.reject = m.rejected;
}
void Fill(WireMessage& wire, const raft::PreVoteReply& m, ReplicaId) {
  wire.type = Number(Type::kRequestPreVoteResp);
  wire.reject = m.rejected;
}
void FillContext(WireMessage& wire, Type type, const raft::ReadContext& context) {
  wire.type = Number(type);
  wire.hint = context.low;
  wire.hint_high = context.high;
}
void Fill(WireMessage& wire, const raft::Heartbeat& m, ReplicaId) {
  FillContext(wire, Type::kHeartbeat, m.context);
  wire.commit = m.commit.value();
}
void Fill(WireMessage& wire, const raft::HeartbeatReply& m, ReplicaId) {
  FillContext(wire, Type::kHeartbeatResp, m.context);
}
void Fill(WireMessage& wire, const raft::ReadIndexRequest& m, ReplicaId) {
  FillContext(wire, Type::kReadIndex, m.context);
  wire.term = 0;
}
void Fill(WireMessage& wire, const raft::ReadIndexReply& m, ReplicaId) {
  FillContext(wire, Type::kReadIndexResp, m.context);
  wire.log_index = m.index.value();
}
// A forwarded request with a term ends the Dragonboat follower that would pass it on.
void Fill(WireMessage& wire, const raft::ForwardedProposal&, ReplicaId) {
  wire.type = Number(Type::kPropose);
  wire.term = 0;
}
void Fill(WireMessage& wire, const raft::LeaderTransferRequest& m, ReplicaId) {
  wire.type = Number(Type::kLeaderTransfer);
  wire.hint = m.target.value();
  wire.term = 0;
}
void Fill(WireMessage& wire, const raft::TimeoutNow&, ReplicaId) {
  wire.type = Number(Type::kTimeoutNow);
}
void Fill(WireMessage& wire, const raft::NoOp&, ReplicaId) { wire.type = Number(Type::kNoOp); }
void Fill(WireMessage& wire, const raft::QuiesceNotice&, ReplicaId) {
  wire.type = Number(Type::kQuiesce);
  wire.term = 0;
}
void Fill(WireMessage& wire, const raft::RateLimitReport& m, ReplicaId) {
  wire.type = Number(Type::kRateLimit);
  wire.hint = m.bytes;
}
void Fill(WireMessage& wire, const raft::SnapshotReceived&, ReplicaId) {
  wire.type = Number(Type::kSnapshotReceived);
  wire.term = 0;
}
void Fill(WireMessage&, const raft::InstallSnapshot&, ReplicaId) {
  DRUMBEAT_CHECK(false, "a snapshot travels as chunks, never as a message");
}

/// Kinds that carry term 0; every other one must carry its sender's term.
bool CarriesNoTerm(std::uint64_t type) {
  return type == Number(Type::kPropose) || type == Number(Type::kReadIndex) ||
         type == Number(Type::kLeaderTransfer) || type == Number(Type::kQuiesce) ||
         type == Number(Type::kSnapshotReceived);
}

bool InBounds(std::uint64_t value) { return value <= kMaxTermOrIndex; }

bool InBounds(const WireMessage& wire) {
  return InBounds(wire.term) && InBounds(wire.log_term) && InBounds(wire.log_index) &&
         InBounds(wire.commit);
}

/// Whether entries follow `previous` without a gap. A gap ends a Dragonboat replica, at each of its
/// starts; so does a previous entry without a term.
bool Adjoin(const WireMessage& wire, const std::vector<raft::Entry>& entries) {
  if (wire.log_term == 0 && wire.log_index != 0) return false;
  std::uint64_t index = wire.log_index;
  for (const raft::Entry& entry : entries) {
    if (entry.index.value() != ++index) return false;
  }
  return true;
}

/// Whether the terms neither fall from entry to entry nor exceed the sender's.
bool TermsAscend(const WireMessage& wire, const std::vector<raft::Entry>& entries) {
  std::uint64_t term = wire.log_term;
  for (const raft::Entry& entry : entries) {
    if (entry.term.value() < term || entry.term.value() == 0) return false;
    term = entry.term.value();
  }
  return term <= wire.term;
}

std::optional<raft::Message> AppendEntriesOf(const WireMessage& wire,
                                             std::vector<raft::Entry> entries) {
  if (!InBounds(wire.log_index + entries.size())) return std::nullopt;
  if (!Adjoin(wire, entries) || !TermsAscend(wire, entries)) return std::nullopt;
  return raft::AppendEntries{Index(wire.log_index), Term(wire.log_term), Index(wire.commit),
                             std::move(entries)};
}

/// A leader gives them indexes and terms; whatever stands there is not to be believed.
std::optional<raft::Message> ForwardedProposalOf(std::vector<raft::Entry> entries) {
  if (entries.empty()) return std::nullopt;
  for (raft::Entry& entry : entries) {
    entry.index = Index();
    entry.term = Term();
  }
  return raft::ForwardedProposal{std::move(entries)};
}

/// Dragonboat reports 2^64 minus a little when its subtraction wraps.
constexpr std::uint64_t kMaxReportedBytes = std::uint64_t{1} << 63;

std::optional<raft::Message> MessageOf(const WireMessage& wire, std::vector<raft::Entry> entries) {
  const raft::ReadContext context{wire.hint, wire.hint_high};
  const Index log_index(wire.log_index);
  const bool transfer = wire.hint != 0 && wire.hint == wire.from;
  if (wire.type > Number(Type::kRequestPreVoteResp)) return std::nullopt;
  switch (static_cast<Type>(wire.type)) {
    case Type::kNoOp: return raft::NoOp{};
    case Type::kPropose: return ForwardedProposalOf(std::move(entries));
    case Type::kReplicate: return AppendEntriesOf(wire, std::move(entries));
    case Type::kReplicateResp:
      if (wire.reject && !InBounds(wire.hint)) return std::nullopt;
      return raft::AppendReply{log_index, wire.reject, Index(wire.reject ? wire.hint : 0)};
    case Type::kRequestVote:
      if (wire.log_term > wire.term) return std::nullopt;
      return raft::RequestVote{log_index, Term(wire.log_term), transfer};
    case Type::kRequestVoteResp: return raft::VoteReply{wire.reject};
    case Type::kHeartbeat: return raft::Heartbeat{Index(wire.commit), context};
    case Type::kHeartbeatResp: return raft::HeartbeatReply{context};
    case Type::kReadIndex:
      if (!context) return std::nullopt;
      return raft::ReadIndexRequest{context};
    case Type::kReadIndexResp:
      if (!context) return std::nullopt;
      return raft::ReadIndexReply{log_index, context};
    case Type::kQuiesce: return raft::QuiesceNotice{};
    case Type::kSnapshotReceived: return raft::SnapshotReceived{};
    case Type::kLeaderTransfer:
      if (wire.hint == 0) return std::nullopt;
      return raft::LeaderTransferRequest{ReplicaId(wire.hint)};
    case Type::kTimeoutNow: return raft::TimeoutNow{};
    case Type::kRateLimit:
      if (wire.hint > kMaxReportedBytes) return std::nullopt;
      return raft::RateLimitReport{wire.hint};
    case Type::kRequestPreVote:
      if (wire.log_term > wire.term) return std::nullopt;
      return raft::RequestPreVote{log_index, Term(wire.log_term), transfer};
    case Type::kRequestPreVoteResp: return raft::PreVoteReply{wire.reject};
  }
  return std::nullopt;
}

}  // namespace

const std::vector<raft::Entry>* EntriesOf(const raft::Message& message) {
  if (const auto* append = std::get_if<raft::AppendEntries>(&message)) return &append->entries;
  if (const auto* forwarded = std::get_if<raft::ForwardedProposal>(&message)) {
    return &forwarded->entries;
  }
  return nullptr;
}

WireMessage ToWire(const raft::Envelope& envelope) {
  WireMessage wire;
  wire.to = envelope.to.value();
  wire.from = envelope.from.value();
  wire.shard = envelope.shard.value();
  wire.term = envelope.term.value();
  std::visit([&](const auto& message) { Fill(wire, message, envelope.from); }, envelope.message);
  DRUMBEAT_CHECK(wire.to != 0, "a message to replica 0 ends the Dragonboat process that gets it");
  if (const auto* append = std::get_if<raft::AppendEntries>(&envelope.message)) {
    DRUMBEAT_CHECK(Adjoin(wire, append->entries),
                   "entries with a gap end the Dragonboat replica that gets them");
  }
  return wire;
}

std::optional<raft::Envelope> FromWire(const WireMessage& wire, std::vector<raft::Entry> entries) {
  if (wire.to == 0 || wire.from == 0 || wire.from == wire.to) return std::nullopt;
  if (!InBounds(wire) || CarriesNoTerm(wire.type) != (wire.term == 0)) return std::nullopt;
  std::optional<raft::Message> message = MessageOf(wire, std::move(entries));
  if (!message) return std::nullopt;
  return raft::Envelope{.shard = ShardId(wire.shard),
                        .from = ReplicaId(wire.from),
                        .to = ReplicaId(wire.to),
                        .term = Term(wire.term),
                        .message = std::move(*message)};
}

}  // namespace drumbeat::codec
