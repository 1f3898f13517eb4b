// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "drumbeat/session.h"

#include "simulation/sim_host.h"
#include "simulation/sim_shard.h"
#include "simulation/world.h"

namespace drumbeat::simulation {

/// A client that writes and reads, one request after the other, at whichever host it likes.
///
/// With a registered session it repeats a write whose outcome it does not know, maybe elsewhere,
/// under the same series; without one it lets it be.
class SimClient {
 public:
  /// `pick`: a host that serves the shard, or null.
  SimClient(World& world, SimShard& shard, std::uint64_t id, bool with_session,
            std::function<SimHost*()> pick);

  /// Makes requests about every `period`, until Stop().
  void Run(microseconds period);
  void Stop() { *running_ = false; }

 private:
  void Next();
  void OpenSession(SimHost& host);
  void CloseSession(SimHost& host);
  void Write(SimHost& host);
  void WriteDone(const Result<ApplyResult>& result);
  void Read(SimHost& host);

  World& world_;
  SimShard& shard_;
  const std::uint64_t id_;
  const bool with_session_;
  const std::function<SimHost*()> pick_;
  microseconds period_{0};
  std::shared_ptr<bool> running_ = std::make_shared<bool>(true);
  std::uint64_t written_ = 0;
  std::optional<Session> session_;
  /// The write that is under way or whose outcome is not known.
  std::optional<std::string> command_;
  bool maybe_applied_ = false;
};

}  // namespace drumbeat::simulation
