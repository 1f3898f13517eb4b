// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "base/descriptors.h"
#include "codec/frame.h"
#include "logging/logger.h"
#include "transport/asio.h"
#include "transport/incoming_connection.h"
#include "transport/log_limiter.h"
#include "transport/outgoing_frame.h"
#include "transport/receive_budget.h"
#include "transport/receive_turns.h"
#include "transport/resolver.h"
#include "transport/tcp_transport.h"
#include "transport/time.h"
#include "transport/tls_context.h"
#include "transport/token_bucket.h"
#include "transport/transport.h"

namespace drumbeat::transport {

class TcpLink;

/// What the parts of one TCP transport share. They live no longer than it.
struct TcpContext {
  TcpContext(const TcpOptions& tcp_options, const logging::Logger& parent_logger)
      : options(tcp_options),
        logger(parent_logger.For("transport")),
        send_bucket(options.snapshot_send_bytes_per_second),
        receive_bucket(ReceiveTurns::RateFor(options.snapshot_receive_bytes_per_second)),
        receive_turns(options.snapshot_receive_bytes_per_second) {
    stamp.deployment_id = options.deployment_id;
    stamp.source_address = options.raft_address;
    stamp.check = options.tls ? codec::PayloadCheck::kNone : codec::PayloadCheck::kCrc32;
    receive_budget.limit = kFramesAtOnce * options.max_frame_bytes;
  }

  Time Now() const { return Clock::now(); }

  // Constant once the transport was made.
  const TcpOptions options;
  const logging::Logger logger;
  FrameStamp stamp;
  std::unique_ptr<TlsContext> tls;
  /// Set by Start().
  TransportHandler* handler = nullptr;
  /// Told of the sender's address, which is only a claim, with the first messages of a connection.
  /// Called by the I/O thread.
  std::function<void(const std::string& address)> heard_from;

  // The I/O thread's.
  TokenBucket send_bucket;
  TokenBucket receive_bucket;
  ReceiveTurns receive_turns;
  ReceiveBudget receive_budget;
  /// Of the largest size: in the budget.
  static constexpr std::size_t kFramesAtOnce = 4;
  LogLimiter stranger_lines;
  /// Links that are dialled or connected, and how many may be: whoever sends a message names the
  /// address that is answered.
  std::set<TcpLink*> links_out;
  /// Those of them that are dialled, by since when.
  std::set<std::pair<Time, TcpLink*>> links_dialing;
  /// When it was last looked for an idle one, which takes long.
  Time idle_looked_for_at;
  const std::size_t max_links_out = base::ShareOutDescriptors().outgoing_connections;
  /// Bytes just read; empty between two events, so all connections share it.
  static constexpr std::size_t kReadBufferBytes = 256u << 10;
  struct alignas(64) ReadBuffer {
    std::array<char, kReadBufferBytes> bytes;
  };
  std::unique_ptr<ReadBuffer> read_buffer = std::make_unique<ReadBuffer>();

  // Safe from any thread. `io` has one thread: the I/O thread. The others take what may block on a
  // disk off it: chunks on their way to the handler, and chunks on their way out. What waits in
  // them when the transport ends is let go here, before what is above.
  std::atomic<bool> stopping = false;
  asio::io_context io{1};
  asio::io_context chunks_in{1};
  asio::io_context chunks_out{1};

  // The I/O thread's.
  Resolver resolver{io};
};

/// For events that threw, for want of memory above all: what they were about is lost like any
/// message. Throws nothing itself.
void LogLost(const TcpContext& context, const std::exception& error) noexcept;

/// A warning that somebody else can cause at will, so a few of them at most.
void WarnOfStranger(TcpContext& context, const std::string& text);

}  // namespace drumbeat::transport
