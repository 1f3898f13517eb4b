// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "drumbeat/error.h"

#include "transport/address.h"
#include "transport/asio.h"

namespace drumbeat::transport {

/// Sockets that listen, one for each address that the host to listen on has.
struct ListenSockets {
  std::vector<Tcp::acceptor> acceptors;
  /// The bound address and port.
  std::string address;
};

/// Binds `address` (`host:port`, IPv6 too; port 0 takes one that is free on all its addresses) and
/// listens.
/// Errors: kInvalidAddress: not an address, or the name is unknown. kAddressInUse: taken, or the
/// system refuses; the text says what to do.
Result<ListenSockets> Listen(asio::io_context& context, const std::string& address);

/// Listens on the TCP socket `descriptor`, through a descriptor of its own; makes it listen if it
/// does not yet, and keeps it from child processes. Errors: kInvalidArgument: no such socket.
Result<ListenSockets> ListenOn(asio::io_context& context, int descriptor);

}  // namespace drumbeat::transport
