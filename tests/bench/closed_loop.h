// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "drumbeat/node_host.h"

#include "bench/histogram.h"
#include "bench/measurement.h"

namespace drumbeat::bench {

/// When a load starts and ends, and what of it counts; CLOCK_MONOTONIC.
struct LoadWindow {
  std::uint64_t from_ns = 0;
  std::uint64_t to_ns = 0;
};

/// What a load came to. A request counts in `latency` when it completed inside the window, in the
/// other numbers in any case.
struct LoadReport {
  Histogram latency;
  std::uint64_t acknowledged = 0;
  /// Refused because a queue was full, and tried again.
  std::uint64_t busy = 0;
  /// Anything else; whether these were applied is unknown.
  std::uint64_t errors = 0;
  std::string first_error;
};

/// Keeps a fixed number of requests in flight on one shard: each completion makes the next
/// request, in the callback itself, so that the load adds no thread and no wake-up of its own.
///
/// All callbacks of a node host come on one thread; everything but `running_` belongs to it.
class ClosedLoop {
 public:
  ClosedLoop(NodeHost& host, ShardId shard, const Cell& cell, const LoadWindow& window);

  /// Runs the load; returns after its last request has completed.
  LoadReport Run();

 private:
  /// Runs `body` on the callback thread.
  template <class Body>
  void OnCallbackThread(Body body);
  /// Sends the idle requests again, until the window has ended.
  void Refill();
  void Send(std::size_t slot);
  void Completed(std::size_t slot, const Error* error);

  NodeHost& host_;
  const ShardId shard_;
  const Session session_;
  const Cell cell_;
  const LoadWindow window_;
  /// When each request in flight was sent.
  std::vector<std::uint64_t> sent_ns_;
  std::vector<std::size_t> idle_;
  std::string command_;
  std::uint64_t sequence_ = 0;
  bool refilling_ = false;
  bool last_was_busy_ = false;
  LoadReport report_;
  /// Requests that have not completed.
  std::atomic<std::size_t> running_{0};
};

}  // namespace drumbeat::bench
