// SPDX-License-Identifier: Apache-2.0
#include "membership_change.h"

#include <chrono>

namespace helloworld {
namespace {

using drumbeat::ErrorCode;
using drumbeat::Fail;
using drumbeat::Outcome;
using drumbeat::Result;
using std::chrono::milliseconds;

Result<void> Ask(ShardClient& client, const Add& add, milliseconds timeout) {
  return client.SyncRequestAddReplica(add.replica, add.address, timeout);
}

Result<void> Ask(ShardClient& client, const Remove& remove, milliseconds timeout) {
  return client.SyncRequestDeleteReplica(remove.replica, timeout);
}

// Asks again while it certainly did not happen for want of a leader.
Result<void> AskInTime(ShardClient& client, const MembershipChange& change,
                       const LineLimits& limits) {
  const auto deadline = client.Now() + limits.proposal;
  Result<void> changed = Fail(ErrorCode::kNoLeader);
  while (client.Now() < deadline) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - client.Now());
    changed = std::visit([&](const auto& one) { return Ask(client, one, left); }, change);
    if (changed || changed.error().outcome() == Outcome::kUnknown) return changed;
    const ErrorCode code = changed.error().code;
    if (code != ErrorCode::kNoLeader && code != ErrorCode::kNotReady) return changed;
    client.Pause(limits.pause);
  }
  return changed;
}

}  // namespace

std::expected<void, std::string> MakeMembershipChange(ShardClient& client,
                                                      const MembershipChange& change,
                                                      const LineLimits& limits) {
  const std::string failed = "membership change failed, ";
  if (const Result<void> led = AwaitLeader(client, client.Now() + limits.session, limits); !led) {
    if (led.error().code == ErrorCode::kTimeout) {
      return std::unexpected(failed + "failed to get a proposal session, timeout");
    }
    return std::unexpected(failed + Describe(led.error(), "the change"));
  }
  const Result<void> changed = AskInTime(client, change, limits);
  if (!changed) return std::unexpected(failed + Describe(changed.error(), "the change"));
  return {};
}

}  // namespace helloworld
