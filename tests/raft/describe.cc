// SPDX-License-Identifier: Apache-2.0
#include "raft/describe.h"

namespace drumbeat::raft::testing {
namespace {

std::string Context(ReadContext context) {
  return context ? " read=" + std::to_string(context.low) : "";
}

/// The fields of each message, each with a space before it.
struct Fields {
  std::string operator()(const AppendEntries& m) const {
    std::string text =
        " log=" + Position(m.previous_term, m.previous) + " commit=" + Text(m.commit);
    if (!m.entries.empty()) text += " entries=" + Describe(m.entries);
    return text;
  }
  std::string operator()(const AppendReply& m) const {
    if (!m.rejected) return " index=" + Text(m.index);
    return " refuses=" + Text(m.index) + " hint=" + Text(m.hint);
  }
  std::string operator()(const RequestVote& m) const {
    return " log=" + Position(m.last_term, m.last_index) + (m.transfer ? " transfer" : "");
  }
  std::string operator()(const VoteReply& m) const { return m.rejected ? " no" : " yes"; }
  std::string operator()(const RequestPreVote& m) const {
    return " log=" + Position(m.last_term, m.last_index);
  }
  std::string operator()(const PreVoteReply& m) const { return m.rejected ? " no" : " yes"; }
  std::string operator()(const Heartbeat& m) const {
    return " commit=" + Text(m.commit) + Context(m.context);
  }
  std::string operator()(const HeartbeatReply& m) const { return Context(m.context); }
  std::string operator()(const ForwardedProposal& m) const {
    std::string text;
    for (const Entry& entry : m.entries) text += " \"" + std::string(entry.command.view()) + "\"";
    return text;
  }
  std::string operator()(const ReadIndexRequest& m) const { return Context(m.context); }
  std::string operator()(const ReadIndexReply& m) const {
    return " index=" + Text(m.index) + Context(m.context);
  }
  std::string operator()(const LeaderTransferRequest& m) const { return " to=" + Text(m.target); }
  std::string operator()(const TimeoutNow&) const { return ""; }
  std::string operator()(const NoOp&) const { return ""; }
  std::string operator()(const QuiesceNotice&) const { return ""; }
  std::string operator()(const RateLimitReport& m) const {
    return " bytes=" + std::to_string(m.bytes);
  }
  std::string operator()(const SnapshotReceived&) const { return ""; }
  std::string operator()(const InstallSnapshot& m) const {
    return " " + Position(m.snapshot.term, m.snapshot.index) + " " +
           Describe(m.snapshot.membership) + (m.snapshot.witness ? " witness" : "");
  }
};

struct Kind {
  std::string_view operator()(const AppendEntries&) const { return "AppendEntries"; }
  std::string_view operator()(const AppendReply&) const { return "AppendReply"; }
  std::string_view operator()(const RequestVote&) const { return "RequestVote"; }
  std::string_view operator()(const VoteReply&) const { return "VoteReply"; }
  std::string_view operator()(const RequestPreVote&) const { return "RequestPreVote"; }
  std::string_view operator()(const PreVoteReply&) const { return "PreVoteReply"; }
  std::string_view operator()(const Heartbeat&) const { return "Heartbeat"; }
  std::string_view operator()(const HeartbeatReply&) const { return "HeartbeatReply"; }
  std::string_view operator()(const ForwardedProposal&) const { return "ForwardedProposal"; }
  std::string_view operator()(const ReadIndexRequest&) const { return "ReadIndexRequest"; }
  std::string_view operator()(const ReadIndexReply&) const { return "ReadIndexReply"; }
  std::string_view operator()(const LeaderTransferRequest&) const {
    return "LeaderTransferRequest";
  }
  std::string_view operator()(const TimeoutNow&) const { return "TimeoutNow"; }
  std::string_view operator()(const NoOp&) const { return "NoOp"; }
  std::string_view operator()(const QuiesceNotice&) const { return "QuiesceNotice"; }
  std::string_view operator()(const RateLimitReport&) const { return "RateLimitReport"; }
  std::string_view operator()(const SnapshotReceived&) const { return "SnapshotReceived"; }
  std::string_view operator()(const InstallSnapshot&) const { return "InstallSnapshot"; }
};

std::string Ids(std::string_view name, const MemberMap& members) {
  std::string ids;
  for (const auto& [id, address] : members) ids += (ids.empty() ? "" : ",") + Text(id);
  return ids.empty() ? "" : " " + std::string(name) + "=" + ids;
}

}  // namespace

std::string_view NameOf(Role role) {
  switch (role) {
    case Role::kFollower: return "follower";
    case Role::kPreCandidate: return "pre-candidate";
    case Role::kCandidate: return "candidate";
    case Role::kLeader: return "leader";
    case Role::kNonVoting: return "non-voting";
    case Role::kWitness: return "witness";
  }
  return "?";
}

std::string_view NameOf(Progress progress) {
  switch (progress) {
    case Progress::kProbe: return "probe";
    case Progress::kReplicate: return "replicate";
    case Progress::kSnapshot: return "snapshot";
  }
  return "?";
}

std::string_view NameOf(DropReason reason) {
  switch (reason) {
    case DropReason::kNoLeader: return "no leader";
    case DropReason::kChangeInProgress: return "change in progress";
    case DropReason::kWouldEndQuorum: return "would end the quorum";
    case DropReason::kBusy: return "busy";
  }
  return "?";
}

std::string_view KindOf(const Message& message) { return std::visit(Kind{}, message); }

std::string Position(Term term, Index index) { return Text(term) + "/" + Text(index); }

std::string Describe(const Entry& entry) {
  const std::string at = Position(entry.term, entry.index);
  if (entry.type == EntryType::kMetadata) return at + " metadata";
  const std::string text = "\"" + std::string(entry.command.view()) + "\"";
  if (entry.type == EntryType::kConfigChange) return at + " change " + text;
  return at + " " + (entry.command.view().empty() ? "empty" : text);
}

std::string Describe(const std::vector<Entry>& entries) {
  std::string text;
  for (const Entry& entry : entries) text += (text.empty() ? "" : ", ") + Describe(entry);
  return "[" + text + "]";
}

std::string Describe(const Envelope& envelope) {
  std::string text = Text(envelope.from) + "->" + Text(envelope.to) + " ";
  text += KindOf(envelope.message);
  if (envelope.term) text += " term=" + Text(envelope.term);
  return text + std::visit(Fields{}, envelope.message);
}

std::string Describe(const Membership& members) {
  std::string text = Ids("voters", members.voters) + Ids("non_votings", members.non_votings) +
                     Ids("witnesses", members.witnesses);
  std::string removed;
  for (const ReplicaId id : members.removed) removed += (removed.empty() ? "" : ",") + Text(id);
  if (!removed.empty()) text += " removed=" + removed;
  return text.empty() ? "no members" : text.substr(1);
}

}  // namespace drumbeat::raft::testing
