// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "drumbeat/config.h"
#include "drumbeat/types.h"

#include "simulation/log_oracle.h"
#include "simulation/oracle.h"
#include "simulation/plan.h"
#include "simulation/world.h"

namespace drumbeat::simulation {

class SimHost;

/// One Raft group over the hosts of a run, with all that is known of it from outside.
class SimShard {
 public:
  SimShard(World& world, const Plan& plan, ShardId id)
      : plan_(plan), id_(id), oracle_(world), log_oracle_(world, plan.founders) {}

  ShardId id() const { return id_; }
  const Plan& plan() const { return plan_; }
  Oracle& oracle() { return oracle_; }
  LogOracle& log_oracle() { return log_oracle_; }

  /// The addresses of the founding members.
  MemberMap founders;

  /// Who is a member, as whoever has applied most says it.
  Membership NewestMembers(const std::vector<std::unique_ptr<SimHost>>& hosts) const;
  /// All members have applied the same and agree on it, as the oracle does.
  bool Converged(const std::vector<std::unique_ptr<SimHost>>& hosts);

 private:
  const Plan& plan_;
  const ShardId id_;
  Oracle oracle_;
  LogOracle log_oracle_;
};

}  // namespace drumbeat::simulation
