// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "drumbeat/error.h"

#include "transport/transport.h"

namespace drumbeat::logging {
class Logger;
}

namespace drumbeat::transport {

struct TlsFiles {
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
};

/// See TransportLimits in drumbeat/config.h.
struct TcpOptions {
  /// Sent as every batch's source address.
  std::string raft_address;
  /// host:port to bind, names and IPv6 too; port 0 takes a free one.
  std::string listen_address;
  /// A listening socket to take over instead, or -1. When making the transport fails, it remains
  /// the caller's.
  int listen_fd = -1;
  std::uint64_t deployment_id = 1;
  std::optional<TlsFiles> tls;
  std::size_t max_connections = 1024;
  std::size_t max_frame_bytes = 160u << 20;
  std::size_t max_send_queue_bytes = 256u << 20;
  std::size_t max_send_queue_messages = 16384;
  std::size_t max_snapshots_out = 64;
  std::uint64_t snapshot_send_bytes_per_second = 0;
  std::uint64_t snapshot_receive_bytes_per_second = 0;
};

/// The real transport: Dragonboat's framing over Boost.Asio TCP, plain or mutual TLS.
///
/// Binds at once, so that a taken port is known before anything else is done; connections are
/// accepted after Start().
/// Errors: kAddressInUse, kInvalidAddress; kInvalidArgument or kStorage for TLS files.
Result<std::unique_ptr<Transport>> MakeTcpTransport(const TcpOptions& options,
                                                    const logging::Logger& logger);

}  // namespace drumbeat::transport
