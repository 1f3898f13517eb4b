// SPDX-License-Identifier: Apache-2.0
#include "simulation/oracle.h"

#include <algorithm>
#include <functional>
#include <variant>

namespace drumbeat::simulation {

ListState Oracle::Append(const ListState& state, std::string_view command) {
  const std::uint64_t mixed =
      (state.chain ^ std::hash<std::string_view>()(command)) * 0x9e3779b97f4a7c15u;
  return {.count = state.count + 1, .chain = mixed ^ (mixed >> 29)};
}

void Oracle::CheckPrefix(const ListState& state, const char* whose) const {
  if (state.count > list_.size())
    return world_.Broken(std::string(whose) + " holds more than was applied");
  const std::uint64_t chain = state.count == 0 ? 0 : list_[state.count - 1].chain;
  if (chain != state.chain) {
    return world_.Broken(std::string(whose) + " with " + std::to_string(state.count) +
                         " commands is not a prefix of the shard's history");
  }
}

bool Oracle::IsWhole(const ListState& state) const {
  return state.count == list_.size() && (list_.empty() || state.chain == list_.back().chain);
}

void Oracle::Applied(Index index, std::string_view command, const ListState& before,
                     const ListState& after) {
  CheckPrefix(before, "a replica");
  world_.Trace(index.value() ^ after.chain);
  if (after.count <= list_.size()) {
    const Place& place = list_[after.count - 1];
    if (place.index != index || place.command != command) {
      return world_.Broken("two replicas applied different commands in place " +
                           std::to_string(after.count));
    }
    return;
  }
  if (!list_.empty() && list_.back().index >= index) {
    return world_.Broken("a replica applied indexes out of order");
  }
  const std::string text(command);
  if (!place_of_.emplace(text, after.count).second) return world_.Broken("applied twice: " + text);
  if (refused_.contains(text)) return world_.Broken("applied although refused: " + text);
  list_.push_back({index, text, after.chain});
}

void Oracle::LeaderSeen(ReplicaId replica, Term term) {
  const auto [known, fresh] = leaders_.emplace(term, replica);
  if (fresh) leader_since_ = world_.now();
  if (!fresh && known->second != replica) {
    return world_.Broken("two leaders in term " + std::to_string(term.value()));
  }
}

void Oracle::MembershipSeen(const Membership& members) {
  const auto [known, fresh] = memberships_.emplace(members.config_change_id, members);
  if (known->second != members) {
    return world_.Broken("memberships differ at change " +
                         std::to_string(members.config_change_id));
  }
}

void Oracle::ImageStored(const StoredImage& image) {
  const raft::SnapshotRecord& record = image.record;
  if (record.witness) return;  // holds nothing
  MembershipSeen(record.membership);
  const auto [known, fresh] = images_.emplace(record.index, image);
  if (fresh) return;
  ++images_compared_;
  if (known->second.record.term != record.term || known->second.content != image.content) {
    return world_.Broken("snapshots at " + std::to_string(record.index.value()) +
                         " differ: sessions or state of two replicas");
  }
}

void Oracle::Sent(const raft::Envelope& message) {
  if (const auto* reply = std::get_if<raft::VoteReply>(&message.message)) {
    if (!reply->rejected) Vote(message.from, message.term, message.to);
  } else if (std::holds_alternative<raft::RequestVote>(message.message)) {
    Vote(message.from, message.term, message.from);
  } else if (std::holds_alternative<raft::AppendEntries>(message.message) ||
             std::holds_alternative<raft::Heartbeat>(message.message)) {
    LeaderSeen(message.from, message.term);
  }
  // A pre-vote speaks of a term that may never be; entries may leave before the term's own record;
  // who comes back makes itself heard with a NoOp of the first term.
  const bool vague =
      (std::holds_alternative<raft::NoOp>(message.message) && message.term == Term{1}) ||
      std::holds_alternative<raft::RequestPreVote>(message.message) ||
      std::holds_alternative<raft::PreVoteReply>(message.message) ||
      std::holds_alternative<raft::AppendEntries>(message.message);
  if (vague || !message.term) return;
  Term& spoken = spoken_[message.from];
  if (message.term < spoken) {
    return world_.Broken("replica " + std::to_string(message.from.value()) + " speaks in term " +
                         std::to_string(message.term.value()) + " after term " +
                         std::to_string(spoken.value()));
  }
  spoken = message.term;
}

void Oracle::Vote(ReplicaId voter, Term term, ReplicaId candidate) {
  const auto [known, fresh] = votes_.emplace(std::pair(voter, term), candidate);
  if (known->second != candidate) {
    return world_.Broken("replica " + std::to_string(voter.value()) + " voted twice in term " +
                         std::to_string(term.value()));
  }
}

void Oracle::WriteDone(const std::string& command, std::uint64_t place) {
  ++writes_;
  const auto known = place_of_.find(command);
  if (known == place_of_.end() || known->second != place) {
    return world_.Broken("acknowledged but not in its place: " + command);
  }
  acknowledged_ = std::max(acknowledged_, place);
}

void Oracle::WriteRefused(const std::string& command) {
  if (place_of_.contains(command)) return world_.Broken("refused although applied: " + command);
  refused_.insert(command);
}

void Oracle::ReadDone(std::uint64_t at_least, const ListState& seen) {
  ++reads_;
  CheckPrefix(seen, "a read");
  if (seen.count < at_least) {
    return world_.Broken("a read saw " + std::to_string(seen.count) + " commands, " +
                         std::to_string(at_least) + " were acknowledged or read before it began");
  }
  acknowledged_ = std::max(acknowledged_, seen.count);
}

}  // namespace drumbeat::simulation
