// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace drumbeat::transport {

struct HostPort {
  std::string host;
  std::uint16_t port = 0;
};

/// What an address may look like: as every Dragonboat member accepts it (a name or a dotted IPv4
/// address, port 1 to 65535), or IPv6 in brackets too.
enum class AddressSyntax : std::uint8_t { kDragonboat, kIpv6Too };

/// Takes `host:port` apart; nothing when it is not a valid address (wire.md 3.2). Port 0 is only
/// valid for listening, with `allow_port_zero`.
std::optional<HostPort> ParseAddress(std::string_view address, AddressSyntax syntax,
                                     bool allow_port_zero = false);

/// Trimmed and in lower case, as addresses stand in memberships.
std::string NormalizeAddress(std::string_view address);

}  // namespace drumbeat::transport
