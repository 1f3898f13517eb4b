// SPDX-License-Identifier: Apache-2.0
#include "simulation/sim_shard.h"

#include <optional>

#include "simulation/sim_host.h"

namespace drumbeat::simulation {

Membership SimShard::NewestMembers(const std::vector<std::unique_ptr<SimHost>>& hosts) const {
  Membership members;
  Index newest;
  for (const auto& host : hosts) {
    if (!host->Serves(id_)) continue;
    const Result<ReplicaInfo> info = host->host().GetReplicaInfo(id_);
    if (!info || info->applied <= newest) continue;
    newest = info->applied;
    members = info->membership;
  }
  return members;
}

bool SimShard::Converged(const std::vector<std::unique_ptr<SimHost>>& hosts) {
  const Membership members = NewestMembers(hosts);
  std::optional<Index> applied;
  for (const auto& host : hosts) {
    const bool witness = members.witnesses.contains(host->id());
    const bool member =
        witness || members.voters.contains(host->id()) || members.non_votings.contains(host->id());
    if (!member || host->Lost(id_)) continue;
    if (!host->Serves(id_)) return false;
    const Result<ReplicaInfo> info = host->host().GetReplicaInfo(id_);
    if (!info || !info->ready || info->membership != members) return false;
    if (applied.value_or(info->applied) != info->applied) return false;
    applied = info->applied;
    if (!witness && !oracle_.IsWhole(host->State(id_))) return false;
  }
  return applied.has_value();
}

}  // namespace drumbeat::simulation
