// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "drumbeat/error.h"
#include "drumbeat/session.h"

#include "shard_client.h"

namespace helloworld {

/// How long the steps of a typed line may take.
struct LineLimits {
  /// To find a leader and to get a session: three election timeouts, as an election takes one to
  /// two, and more after a split vote.
  std::chrono::milliseconds session{6000};
  /// For the proposal, with all its attempts.
  std::chrono::milliseconds proposal{3000};
  /// For one attempt: what was sent to a leader that died, or hands its leadership over, is never
  /// answered. The first attempt of a step gets little, each further one twice as much, so that a
  /// change of leaders costs little, and a slow group is not given up.
  std::chrono::milliseconds first_attempt{250};
  std::chrono::milliseconds longest_attempt{1000};
  /// Between an attempt that was refused and the next.
  std::chrono::milliseconds pause{50};
};

/// Succeeds once a quorum has confirmed that there is a leader. Fails with kTimeout at `deadline`,
/// and at once with an error that waiting does not mend.
drumbeat::Result<void> AwaitLeader(ShardClient& client, ShardClient::Clock::time_point deadline,
                                   const LineLimits& limits);

/// The text for a request that failed, such as "timeout, the message may still be applied".
/// `what`: "the message" or "the change".
std::string Describe(const drumbeat::Error& error, std::string_view what);

/// Proposes messages one by one, each exactly once, whatever happens to leaders on the way: all
/// attempts of a message use one series number of a registered client session. In order, too: what
/// may still be applied is applied before the next message, or never.
class Proposer {
 public:
  explicit Proposer(ShardClient& client, LineLimits limits = {});

  /// Blocks until `message` was applied here, or fails with the line to show.
  std::expected<void, std::string> Propose(std::string_view message);

  /// Unregisters the session, if there is one. Best effort.
  void Close(std::chrono::milliseconds limit);

 private:
  /// Gets a proposal session: a confirmed leader, and a registered session.
  drumbeat::Result<void> Prepare();
  /// Unregisters the session that was given up: its last message was applied by then, or never is.
  drumbeat::Result<void> CloseGivenUp(ShardClient::Clock::time_point deadline);
  /// One series, as many attempts as the time allows.
  drumbeat::Result<void> ProposeWithRetries(std::string_view message);

  ShardClient& client_;
  const LineLimits limits_;
  std::optional<drumbeat::Session> session_;
  std::optional<drumbeat::Session> given_up_;  // with a message whose outcome is open
};

}  // namespace helloworld
