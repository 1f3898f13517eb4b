// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "transport/address.h"
#include "transport/asio.h"

namespace drumbeat::transport {

/// Looks names up on threads of its own, because the system's resolver may block for as long as it
/// likes: nobody waits for it, not even the end of the transport.
///
/// Thread-safety: all functions from the I/O thread.
class Resolver {
 public:
  /// `error` is not empty when nothing was found.
  using Done = std::function<void(std::vector<Tcp::endpoint> endpoints, std::string error)>;

  /// Names looked up at once; further ones wait.
  static constexpr std::size_t kMaxThreads = 4;

  /// `context` runs the callbacks and outlives this.
  explicit Resolver(asio::io_context& context);
  /// Lookups under way are left to themselves; their callbacks are not called.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// Calls `done` from the I/O thread, later. Addresses in digits need no lookup.
  void Resolve(const HostPort& target, Done done);

 private:
  struct Task {
    std::uint64_t id = 0;
    HostPort target;
  };
  struct State;
  static void Work(const std::shared_ptr<State>& state);
  void Finish(std::uint64_t id, std::vector<Tcp::endpoint> endpoints, std::string error);

  asio::io_context& context_;
  /// Callbacks stay here: what they hold must not end on a thread that outlives the transport.
  std::map<std::uint64_t, Done> callbacks_;
  std::uint64_t last_id_ = 0;
  /// Shared with the threads.
  std::shared_ptr<State> state_;
};

/// All addresses of a host, in the system's order; blocks. `error` as in Resolver.
std::vector<Tcp::endpoint> LookUp(const HostPort& target, std::string& error);

}  // namespace drumbeat::transport
