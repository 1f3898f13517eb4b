// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>

#include "shard_client.h"

namespace helloworld {

/// Reads the count and prints it as `count: N`, every `period` from the call on, until the stop. A
/// read that fails, after 3 seconds at most, prints nothing.
void PrintCounts(ShardClient& client, const std::stop_token& stop,
                 const std::function<void(std::string)>& print,
                 std::chrono::milliseconds period = std::chrono::seconds(10));

}  // namespace helloworld
