// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "raft/explored_replica.h"

namespace drumbeat::raft::testing {

/// What happens to one replica.
struct ExploredInput {
  enum class Kind : std::uint8_t {
    kTick,
    kPropose,   ///< argument: which proposal
    kRead,      ///< argument: which read
    kTransfer,  ///< argument: to whom
    kDeliver,   ///< argument: which message
    kDouble,    ///< the same, but another copy of the message stays on its way
    kSave,
    kApply,
    kCrash,
    kCrashWritten,
  };
  Kind kind = Kind::kTick;
  std::uint8_t replica = 0;  // from 0 on
  std::uint32_t argument = 0;
};

/// What an input leads to; `error` names what it breaks of itself.
struct ExploredStep {
  std::uint32_t state = 0;
  std::vector<std::uint32_t> sent;
  std::vector<std::pair<std::uint64_t, Index>> reads;
  std::string error;
};

/// A replica's state as far as others are concerned.
struct ExploredView {
  Role role = Role::kFollower;
  Term term;
  ReplicaId leader;
  Index committed;
  HardState durable_state;
  std::vector<LogWord> durable_log;
  std::vector<LogWord> applied;
  std::vector<std::uint8_t> voters;  // as applied, from 0 on
  bool saving = false;
  bool has_to_apply = false;
};

/// Each state that any replica can be in and each message that can be sent, once, under a number;
/// and where each input leads from each state. So the exploration works on numbers, and the core
/// itself runs once for each pair of a replica's state and an input.
class ExploredTable {
 public:
  ExploredTable(const ExploredSetup& setup, std::uint64_t replicas);

  /// The state in which replica `which` (from 0 on) begins.
  std::uint32_t first(std::size_t which) const { return first_[which]; }
  const ExploredStep& Step(std::uint32_t state, const ExploredInput& input);
  const ExploredView& view(std::uint32_t state) const { return views_[state]; }
  const Envelope& message(std::uint32_t number) const { return messages_[number]; }
  std::size_t states() const { return states_.size(); }
  std::size_t messages() const { return messages_.size(); }

 private:
  std::uint32_t NumberOf(ExploredReplica replica);
  std::uint32_t NumberOf(const Envelope& message);
  ExploredStep Make(std::uint32_t state, const ExploredInput& input);

  const ExploredSetup& setup_;
  DiskSwitch disk_;
  std::vector<std::uint32_t> first_;
  std::deque<ExploredReplica> states_;
  std::deque<ExploredView> views_;
  std::deque<Envelope> messages_;
  std::unordered_map<std::uint64_t, std::uint32_t> state_numbers_;
  std::unordered_map<std::uint64_t, std::uint32_t> message_numbers_;
  std::unordered_map<std::uint64_t, ExploredStep> steps_;
};

}  // namespace drumbeat::raft::testing
