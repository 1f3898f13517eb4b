// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "simulation/sim_pipe.h"
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

/// Carries real bytes between the hosts of a world: batch by batch, in any order, as faults have
/// it; or over connections, as faults of pipes have it.
class SimNetwork {
 public:
  explicit SimNetwork(World& world) : world_(world) {}

  /// A transport for the host at `address`.
  std::unique_ptr<transport::Transport> Join(const std::string& address);

  // -- For transports ----------------------------------------------------------------------------

  World& world() { return world_; }
  void Enter(const std::string& address, transport::Transport* host);
  void Leave(const std::string& address, transport::Transport* host);
  /// Who listens at `address`; null: nobody.
  transport::Transport* Find(const std::string& address) const;
  /// Differs each time that a host enters; 0 where nobody listens.
  std::uint64_t IncarnationOf(const std::string& address) const;
  bool IsCut(const std::string& from, const std::string& to) const {
    return cut.contains({from, to});
  }
  /// Whether the host there has lost its power, and says nothing more.
  bool IsSilent(const std::string& address) const { return silent_.contains(address); }
  microseconds Busy(const std::string& address) const {
    return busy ? busy(address) : microseconds(0);
  }
  /// A batch, or a chunk of a snapshot, goes out.
  void Judge(const std::string& from, const std::string& to, std::string_view bytes, bool chunk);

  // -- For the run -------------------------------------------------------------------------------

  /// Told of every message that a host wants sent.
  std::function<void(const raft::Envelope&)> observer;
  /// How much longer than now a host is busy, so that what it sends leaves only then.
  std::function<microseconds(const std::string& address)> busy;

  /// Connections instead of batches, for hosts that join from now on.
  bool streams = false;
  NetworkFaults faults;
  /// What each chunk of a snapshot takes longer than a message.
  microseconds chunk_delay{0};
  PipeFaults pipe_faults;
  /// Sees everything that is sent, also what is lost.
  WireReferee referee;
  /// It knows one shard only.
  bool refereed = true;
  /// Nothing comes from `address` any more, until a host enters there.
  void Silence(const std::string& address) { silent_.insert(address); }
  /// Messages from the first to the second address are lost.
  std::set<std::pair<std::string, std::string>> cut;

 private:
  friend class SimTransport;

  bool Reaches(const std::string& from, const std::string& to);
  microseconds Delay();
  /// `once`: must not arrive twice.
  void Carry(const std::string& from, const std::string& to, const std::string& batch, bool once);

  struct Host {
    transport::Transport* transport = nullptr;
    std::uint64_t incarnation = 0;
  };

  World& world_;
  std::map<std::string, Host> hosts_;
  std::set<std::string> silent_;
  std::uint64_t incarnations_ = 0;
};

}  // namespace drumbeat::simulation
