// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string>
#include <variant>

#include "commands.h"
#include "proposer.h"
#include "shard_client.h"

namespace helloworld {

using MembershipChange = std::variant<Add, Remove>;

/// Adds or removes a replica. Blocks until the change was applied here, or fails with the line to
/// show. Never asks twice for a change whose outcome is open: unlike a message, it has no session
/// that would make a repeat harmless.
std::expected<void, std::string> MakeMembershipChange(ShardClient& client,
                                                      const MembershipChange& change,
                                                      const LineLimits& limits = {});

}  // namespace helloworld
