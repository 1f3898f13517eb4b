// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "transport/address.h"
#include "transport/asio.h"
#include "transport/time.h"

namespace drumbeat::transport {

/// Looks names up on threads of its own, because the system's resolver may block for as long as it
/// likes: nobody waits for it for long, not even the end of the transport.
///
/// A name is looked up once at a time, however many ask. Names whose last look-up was prompt have
/// threads that no other name takes, so those that hang do not stand in their way. An answer is
/// kept, and stands in when a later look-up of its name is slow or fails.
///
/// Thread-safety: all functions from the I/O thread.
class Resolver {
 public:
  /// No `error`: just looked up. No `endpoints`: nothing was found. With both, the endpoints are an
  /// earlier answer, and `error` says why there is no new one.
  using Done = std::function<void(std::vector<Tcp::endpoint> endpoints, std::string error)>;
  /// As LookUp() below; may block for ever.
  using Function =
      std::function<std::vector<Tcp::endpoint>(const HostPort& target, std::string& error)>;

  struct Limits {
    /// A look-up that takes longer is slow.
    Duration patience = std::chrono::seconds(1);
    /// Nobody waits for longer.
    Duration give_up = std::chrono::seconds(5);
    /// An answer stands in for so long. RFC 8767, section 5, says one to three days.
    Duration keep = std::chrono::hours(24);
    std::size_t kept_names = 4096;
    /// Names looked up at once, and thus threads that may hang: so many that were prompt the last
    /// time, and so many others.
    std::size_t threads = 16;
  };

  /// `context` runs the callbacks and outlives this.
  explicit Resolver(asio::io_context& context);
  Resolver(asio::io_context& context, Function look_up, const Limits& limits);
  /// Look-ups under way are left to themselves; their callbacks are not called.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// Calls `done` from the I/O thread, later. Addresses in digits need no look-up.
  void Resolve(const HostPort& target, Done done);

 private:
  using Endpoints = std::vector<Tcp::endpoint>;
  struct Job;
  struct Shared;
  struct Waiter {
    std::uint16_t port = 0;
    Done done;
    Time since;
  };
  struct Name {
    /// The newest answer, without ports.
    Endpoints kept;
    Time kept_since;
    /// Whether the last look-up was.
    bool prompt = false;
    /// Waits or runs.
    std::shared_ptr<Job> job;
    std::vector<Waiter> waiters;
  };
  using Names = std::map<std::string, Name>;
  struct Lane {
    std::deque<std::shared_ptr<Job>> waiting;
    std::size_t running = 0;
  };

  static void Run(const std::shared_ptr<Shared>& shared, const std::shared_ptr<Job>& job);
  void Enqueue(const std::string& host, Name& name);
  void StartWaiting(Lane& lane);
  bool Start(const std::shared_ptr<Job>& job, Lane& lane);
  void Finish(const std::shared_ptr<Job>& job);
  void FinishAllDone();
  void Keep(Name& name, Endpoints endpoints);
  bool Usable(const Name& name) const;
  /// Answers those who have waited long enough.
  void AnswerOverdue(const std::string& host, Name& name);
  void Answer(Waiter waiter, Endpoints endpoints, std::string error);
  void Deliver();
  /// Looks at what waits until nothing does.
  void Watch();
  void Review();
  Names::iterator ForgetIfEmpty(Names::iterator name);

  asio::io_context& context_;
  const Limits limits_;
  Names names_;
  std::size_t kept_count_ = 0;
  /// Of names that were not prompt, and of those that were.
  std::array<Lane, 2> lanes_;
  /// Callbacks stay here: what they hold must not end on a thread that outlives the transport.
  std::vector<std::pair<Done, std::pair<Endpoints, std::string>>> ready_;
  asio::steady_timer timer_;
  bool watching_ = false;
  /// With the threads.
  std::shared_ptr<Shared> shared_;
};

/// All addresses of a host, in the system's order; blocks. `error` is not empty when there are
/// none.
std::vector<Tcp::endpoint> LookUp(const HostPort& target, std::string& error);

}  // namespace drumbeat::transport
