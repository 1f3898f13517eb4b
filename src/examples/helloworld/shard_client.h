// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "drumbeat/error.h"
#include "drumbeat/session.h"
#include "drumbeat/types.h"

namespace helloworld {

/// What this program asks of its shard. Dragonboat's names: each Sync call blocks until it is
/// answered, the time is up or the program stops (drumbeat::ErrorCode::kTerminated, as what was
/// asked may yet happen; from then on kClosed, as nothing is asked any more).
///
/// An interface, so that what is typed can be tried without a network and without waiting.
class ShardClient {
 public:
  using Clock = std::chrono::steady_clock;
  using Milliseconds = std::chrono::milliseconds;

  virtual ~ShardClient() = default;

  /// A round trip to a quorum: there is a leader, and it leads.
  virtual drumbeat::Result<void> SyncReadIndex(Milliseconds timeout) = 0;
  /// A linearizable read of the state machine's count.
  virtual drumbeat::Result<std::uint64_t> SyncRead(Milliseconds timeout) = 0;

  virtual drumbeat::Result<drumbeat::Session> SyncGetSession(Milliseconds timeout) = 0;
  virtual drumbeat::Result<void> SyncCloseSession(const drumbeat::Session& session,
                                                  Milliseconds timeout) = 0;
  virtual drumbeat::Result<void> SyncPropose(const drumbeat::Session& session,
                                             std::string_view message, Milliseconds timeout) = 0;

  virtual drumbeat::Result<void> SyncRequestAddReplica(drumbeat::ReplicaId replica,
                                                       const std::string& address,
                                                       Milliseconds timeout) = 0;
  virtual drumbeat::Result<void> SyncRequestDeleteReplica(drumbeat::ReplicaId replica,
                                                          Milliseconds timeout) = 0;

  virtual Clock::time_point Now() const = 0;
  /// Returns early when the program stops.
  virtual void Pause(Milliseconds time) = 0;
};

}  // namespace helloworld
