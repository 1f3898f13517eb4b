// SPDX-License-Identifier: Apache-2.0
#include "raft/explored_table.h"

#include <exception>

#include "base/check.h"
#include "raft/state_hash.h"

namespace drumbeat::raft::testing {
namespace {

using Kind = ExploredInput::Kind;

std::vector<std::uint8_t> VotersOf(const Membership& members) {
  std::vector<std::uint8_t> voters;
  for (const auto& [id, address] : members.voters) {
    voters.push_back(static_cast<std::uint8_t>(id.value() - 1));
  }
  return voters;
}

ExploredView ViewOf(const ExploredReplica& replica) {
  const Core& core = replica.core();
  return {.role = core.role(),
          .term = core.term(),
          .leader = core.leader(),
          .committed = core.committed(),
          .durable_state = replica.DurableState(),
          .durable_log = replica.DurableLog(),
          .applied = replica.applied(),
          .voters = VotersOf(replica.members()),
          .saving = replica.saving(),
          .has_to_apply = replica.has_to_apply()};
}

}  // namespace

ExploredTable::ExploredTable(const ExploredSetup& setup, std::uint64_t replicas) : setup_(setup) {
  for (std::uint64_t id = 1; id <= replicas; ++id) {
    const base::ReplicaScope scope(kShard, ReplicaId(id));
    first_.push_back(NumberOf(ExploredReplica(id, setup_, disk_)));
  }
}

const ExploredStep& ExploredTable::Step(std::uint32_t state, const ExploredInput& input) {
  const Kind kind = input.kind == Kind::kDouble ? Kind::kDeliver : input.kind;
  const std::uint64_t key =
      std::uint64_t{state} << 32 | static_cast<std::uint64_t>(kind) << 28 | input.argument;
  const auto found = steps_.find(key);
  if (found != steps_.end()) return found->second;
  return steps_.emplace(key, Make(state, input)).first->second;
}

ExploredStep ExploredTable::Make(std::uint32_t state, const ExploredInput& input) {
  const base::ReplicaScope scope(kShard, ReplicaId(std::uint64_t{input.replica} + 1));
  ExploredStep step;
  ExploredReplica replica = states_[state];
  const auto happen = [&]() -> std::vector<Envelope> {
    switch (input.kind) {
      case Kind::kTick: return replica.Tick();
      case Kind::kPropose: return replica.Propose(input.argument);
      case Kind::kRead: return replica.Read(input.argument);
      case Kind::kTransfer: return replica.Transfer(std::uint64_t{input.argument} + 1);
      case Kind::kDeliver:
      case Kind::kDouble: return replica.Deliver(messages_[input.argument]);
      case Kind::kSave: return replica.Save();
      case Kind::kApply: return replica.Apply();
      case Kind::kCrash: return replica.Crash(ExploredReplica::UnderWay::kLost);
      case Kind::kCrashWritten: return replica.Crash(ExploredReplica::UnderWay::kWritten);
    }
    return {};
  };
  try {
    for (const Envelope& message : happen()) step.sent.push_back(NumberOf(message));
    step.reads = replica.reads();
    step.state = NumberOf(std::move(replica));
  } catch (const std::exception& broken) {
    step.error = broken.what();
  }
  return step;
}

std::uint32_t ExploredTable::NumberOf(ExploredReplica replica) {
  const auto [known, first] =
      state_numbers_.emplace(replica.Hash(), static_cast<std::uint32_t>(states_.size()));
  if (first) {
    views_.push_back(ViewOf(replica));
    states_.push_back(std::move(replica));
  }
  return known->second;
}

std::uint32_t ExploredTable::NumberOf(const Envelope& message) {
  StateHash hash;
  hash.Add(message);
  const auto [known, first] =
      message_numbers_.emplace(hash.value(), static_cast<std::uint32_t>(messages_.size()));
  if (first) messages_.push_back(message);
  return known->second;
}

}  // namespace drumbeat::raft::testing
