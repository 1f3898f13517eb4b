// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "simulation/wire_referee.h"
#include "simulation/world.h"
#include "transport/transport.h"

namespace drumbeat::simulation {

/// How badly the network treats what it carries.
struct NetworkFaults {
  std::uint64_t loss_percent = 0;
  std::uint64_t duplicate_percent = 0;
  /// Messages that take up to `slow` instead of about a millisecond.
  std::uint64_t slow_percent = 0;
  microseconds slow{0};
};

class SimTransport;

/// Carries real bytes between the hosts of a world.
class SimNetwork {
 public:
  explicit SimNetwork(World& world) : world_(world) {}

  std::unique_ptr<transport::Transport> Join(const std::string& address);

  /// Told of every message that a host wants sent.
  std::function<void(const raft::Envelope&)> observer;
  /// How much longer than now a host is busy, so that what it sends leaves only then.
  std::function<microseconds(const std::string& address)> busy;

  NetworkFaults faults;
  /// What each chunk of a snapshot takes longer than a message.
  microseconds chunk_delay{0};
  /// Sees everything that is sent, also what is lost.
  WireReferee referee;
  /// It knows one shard only.
  bool refereed = true;
  /// Messages from the first to the second address are lost.
  std::set<std::pair<std::string, std::string>> cut;

 private:
  friend class SimTransport;

  bool Reaches(const std::string& from, const std::string& to);
  microseconds Delay();
  /// `once`: must not arrive twice.
  void Carry(const std::string& from, const std::string& to, const std::string& batch, bool once);
  void Heed(const std::string& from, std::optional<WireRule> broken);

  World& world_;
  std::map<std::string, SimTransport*> hosts_;
};

}  // namespace drumbeat::simulation
