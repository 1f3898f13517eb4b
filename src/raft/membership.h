// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "drumbeat/types.h"

namespace drumbeat::raft {

enum class ConfigChangeType : std::uint8_t {
  kAddVoter = 0,
  kRemove = 1,
  kAddNonVoting = 2,
  kAddWitness = 3,
};

/// One membership change as it stands in an entry.
struct ConfigChange {
  /// With ordered changes, the Membership::config_change_id that the proposer saw.
  std::uint64_t config_change_id = 0;
  ConfigChangeType type = ConfigChangeType::kAddVoter;
  ReplicaId replica;
  std::string address;
  /// Only in the entries that founding members write for themselves.
  bool initialize = false;

  friend bool operator==(const ConfigChange&, const ConfigChange&) = default;
};

enum class ChangeOrder : std::uint8_t { kAny, kOrdered };

/// Why the rules refuse `change` on `members`, in words for people, or nothing if they accept it.
///
/// Replicated state: every member, Dragonboat's too, must come to the same answer from the same
/// membership. Addresses are compared trimmed and without regard to case.
std::optional<std::string> WhyRefused(const Membership& members, const ConfigChange& change,
                                      ChangeOrder order);

/// Applies an accepted change that stands at `index`. Removing an id that is no member bans it.
void Apply(Membership& members, const ConfigChange& change, Index index);

/// Whether `replica` is a member of any kind.
bool IsMember(const Membership& members, ReplicaId replica);

}  // namespace drumbeat::raft
