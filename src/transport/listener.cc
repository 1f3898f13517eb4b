// SPDX-License-Identifier: Apache-2.0
#include "transport/listener.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <sys/socket.h>
#include <system_error>
#include <utility>

#include <fcntl.h>

#include "transport/connection.h"
#include "transport/resolver.h"

namespace drumbeat::transport {
namespace {

constexpr int kTriesForFreePort = 16;

bool FamilyIsMissing(const AsioError& error) {
  return error == asio::error::address_family_not_supported ||
         error == boost::system::errc::address_not_available;
}

/// Binds and listens. On Linux two sockets with SO_REUSEADDR can both be bound as long as neither
/// listens: only listening proves that the port is ours.
Tcp::acceptor Open(asio::io_context& context, const Tcp::endpoint& endpoint, AsioError& error) {
  Tcp::acceptor acceptor(context);
  acceptor.open(endpoint.protocol(), error);
  if (!error) static_cast<void>(::fcntl(acceptor.native_handle(), F_SETFD, FD_CLOEXEC));
  if (!error) acceptor.set_option(Tcp::acceptor::reuse_address(true), error);
  if (!error && endpoint.address().is_v6()) {
    acceptor.set_option(asio::ip::v6_only(true), error);
  }
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  return acceptor;
}

/// All endpoints with one port. A family that this machine does not have is left out.
std::vector<Tcp::acceptor> OpenAll(asio::io_context& context, std::vector<Tcp::endpoint> endpoints,
                                   AsioError& error) {
  std::vector<Tcp::acceptor> acceptors;
  AsioError missing;
  std::uint16_t port = 0;
  for (Tcp::endpoint& endpoint : endpoints) {
    if (port != 0) endpoint.port(port);
    Tcp::acceptor acceptor = Open(context, endpoint, error);
    if (FamilyIsMissing(error)) {
      missing = std::exchange(error, {});
      continue;
    }
    if (!error) port = acceptor.local_endpoint(error).port();
    if (error) return {};
    acceptors.push_back(std::move(acceptor));
  }
  if (acceptors.empty()) error = missing;
  return acceptors;
}

std::string WithPort(const std::string& host, std::uint16_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]:" : host + ":") + std::to_string(port);
}

}  // namespace

Result<ListenSockets> Listen(asio::io_context& context, const std::string& address) {
  const std::optional<HostPort> target = ParseAddress(address, AddressSyntax::kIpv6Too, true);
  if (!target) {
    return Fail(ErrorCode::kInvalidAddress, "cannot listen on " + address + ": not host:port");
  }
  std::string unknown;
  std::vector<Tcp::endpoint> endpoints = LookUp(*target, unknown);
  if (endpoints.empty()) {
    return Fail(ErrorCode::kInvalidAddress, "cannot listen on " + address + ": " + unknown);
  }
  std::ranges::sort(endpoints);
  endpoints.erase(std::unique(endpoints.begin(), endpoints.end()), endpoints.end());

  AsioError error;
  for (int tries = 0; tries < kTriesForFreePort; ++tries) {
    error.clear();
    std::vector<Tcp::acceptor> acceptors = OpenAll(context, endpoints, error);
    if (!error) {
      const std::uint16_t port = acceptors.front().local_endpoint(error).port();
      return ListenSockets{.acceptors = std::move(acceptors),
                           .address = WithPort(target->host, port)};
    }
    // A port that is free on one address may be taken on the next.
    if (target->port != 0 || error != asio::error::address_in_use) break;
  }
  if (error == asio::error::address_in_use) {
    return Fail(ErrorCode::kAddressInUse,
                "cannot listen on " + address +
                    ": the port is taken; stop the program that uses it or choose another one");
  }
  return Fail(ErrorCode::kAddressInUse, "cannot listen on " + address + ": " + error.message());
}

Result<ListenSockets> ListenOn(asio::io_context& context, int descriptor) {
  const auto refuse = [descriptor](const std::string& why) {
    return Fail(ErrorCode::kInvalidArgument,
                "listen_fd " + std::to_string(descriptor) + " cannot be used: " + why);
  };
  int type = 0;
  socklen_t size = sizeof(type);
  if (::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
    return refuse(std::generic_category().message(errno));
  }
  Tcp::endpoint endpoint;
  size = static_cast<socklen_t>(endpoint.capacity());
  if (::getsockname(descriptor, endpoint.data(), &size) != 0)
    return refuse(std::generic_category().message(errno));
  const int family = endpoint.data()->sa_family;
  if (type != SOCK_STREAM || (family != AF_INET && family != AF_INET6)) {
    return refuse("it is no TCP socket");
  }
  if (::listen(descriptor, asio::socket_base::max_listen_connections) != 0) {
    return refuse(std::generic_category().message(errno));
  }
  endpoint.resize(size);
  const int own = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return refuse(std::generic_category().message(errno));
  Tcp::acceptor acceptor(context);
  AsioError error;
  acceptor.assign(endpoint.protocol(), own, error);
  if (error) {
    ::close(own);
    return refuse(error.message());
  }
  static_cast<void>(::fcntl(descriptor, F_SETFD, FD_CLOEXEC));
  ListenSockets sockets;
  sockets.acceptors.push_back(std::move(acceptor));
  sockets.address = ToText(endpoint);
  return sockets;
}

}  // namespace drumbeat::transport
