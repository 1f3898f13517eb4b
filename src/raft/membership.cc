// SPDX-License-Identifier: Apache-2.0
#include "raft/membership.h"

#include <algorithm>
#include <string_view>

namespace drumbeat::raft {
namespace {

constexpr std::string_view kSpace = " \t\n\v\f\r";

std::string_view Trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool SameAddress(std::string_view a, std::string_view b) {
  return std::ranges::equal(Trimmed(a), Trimmed(b), {}, Lower, Lower);
}

bool IsAdd(ConfigChangeType type) { return type != ConfigChangeType::kRemove; }

std::string Name(ReplicaId replica) { return "replica " + std::to_string(replica.value()); }

/// The member of that address, of whatever class; 0 when there is none.
ReplicaId UserOf(std::string_view address, const Membership& members) {
  for (const MemberMap* of_class : {&members.voters, &members.non_votings, &members.witnesses}) {
    for (const auto& [replica, used] : *of_class) {
      if (SameAddress(used, address)) return replica;
    }
  }
  return {};
}

/// AddVoter for a non-voting member.
bool IsPromotion(const Membership& members, const ConfigChange& change) {
  return change.type == ConfigChangeType::kAddVoter && members.non_votings.contains(change.replica);
}

/// The class of an existing member does not change, but by promotion.
std::optional<std::string> WhyClassRefused(const Membership& members, const ConfigChange& change) {
  if (members.voters.contains(change.replica)) return Name(change.replica) + " is already a member";
  if (members.witnesses.contains(change.replica)) {
    return Name(change.replica) + " is a witness and stays one";
  }
  if (members.non_votings.contains(change.replica) && !IsPromotion(members, change)) {
    return Name(change.replica) + " is a non-voting member already";
  }
  return std::nullopt;
}

std::optional<std::string> WhyAddRefused(const Membership& members, const ConfigChange& change) {
  if (members.removed.contains(change.replica)) {
    return Name(change.replica) + " was removed before and can't be added again";
  }
  if (auto why = WhyClassRefused(members, change)) return why;
  if (IsPromotion(members, change)) {
    const std::string& address = members.non_votings.at(change.replica);
    if (SameAddress(address, change.address)) return std::nullopt;
    return Name(change.replica) + " is promoted at its own address " + address + ", not at " +
           change.address;
  }
  if (const ReplicaId user = UserOf(change.address, members)) {
    return change.address + " is the address of " + Name(user);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> WhyRefused(const Membership& members, const ConfigChange& change,
                                      ChangeOrder order) {
  if (order == ChangeOrder::kOrdered && !change.initialize &&
      change.config_change_id != members.config_change_id) {
    return "the membership is at version " + std::to_string(members.config_change_id) +
           ", the change expects version " + std::to_string(change.config_change_id);
  }
  if (IsAdd(change.type)) return WhyAddRefused(members, change);
  if (members.voters.size() == 1 && members.voters.contains(change.replica)) {
    return "the last voter can't be removed";
  }
  return std::nullopt;
}

void Apply(Membership& members, const ConfigChange& change, Index index) {
  members.config_change_id = index.value();
  switch (change.type) {
    case ConfigChangeType::kAddVoter:
      members.non_votings.erase(change.replica);
      members.voters[change.replica] = change.address;
      break;
    case ConfigChangeType::kAddNonVoting:
      members.non_votings[change.replica] = change.address;
      break;
    case ConfigChangeType::kAddWitness: members.witnesses[change.replica] = change.address; break;
    case ConfigChangeType::kRemove:
      members.voters.erase(change.replica);
      members.non_votings.erase(change.replica);
      members.witnesses.erase(change.replica);
      members.removed.insert(change.replica);
      break;
  }
}

bool IsMember(const Membership& members, ReplicaId replica) {
  return members.voters.contains(replica) || members.non_votings.contains(replica) ||
         members.witnesses.contains(replica);
}

}  // namespace drumbeat::raft
