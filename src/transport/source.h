// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "transport/asio.h"

namespace drumbeat::transport {

/// Where a connection comes from, for whoever shares places out fairly.
struct Source {
  /// An IPv4 address that came mapped into IPv6 counts as what it is.
  asio::ip::address machine;
  /// Of IPv6 the first 64 bits: a machine may choose the other 64 as it likes. Else the machine.
  asio::ip::address network;
};

Source SourceOf(const asio::ip::address& address);

}  // namespace drumbeat::transport
