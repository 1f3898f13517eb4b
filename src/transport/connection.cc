// SPDX-License-Identifier: Apache-2.0
#include "transport/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <fcntl.h>

namespace drumbeat::transport {
namespace {

void SetInt(int descriptor, int level, int option, int value) {
  // Without the option the connection still works.
  static_cast<void>(::setsockopt(descriptor, level, option, &value, sizeof(value)));
}

}  // namespace

Connection::Connection(Tcp::socket socket, asio::ssl::context* tls) : socket_(std::move(socket)) {
  if (tls != nullptr) tls_ = std::make_unique<asio::ssl::stream<Tcp::socket&>>(socket_, *tls);
  AsioError error;
  const Tcp::endpoint endpoint = socket_.remote_endpoint(error);
  remote_ = error ? "a stranger" : ToText(endpoint);
}

void Connection::SetOptions(int keepalive_seconds) {
  static_cast<void>(::fcntl(descriptor(), F_SETFD, FD_CLOEXEC));
  SetInt(descriptor(), IPPROTO_TCP, TCP_NODELAY, 1);
  SetInt(descriptor(), SOL_SOCKET, SO_KEEPALIVE, 1);
  SetInt(descriptor(), IPPROTO_TCP, TCP_KEEPIDLE, keepalive_seconds);
  SetInt(descriptor(), IPPROTO_TCP, TCP_KEEPINTVL, keepalive_seconds);
}

void Connection::LimitUnconfirmed(int milliseconds) {
  SetInt(descriptor(), IPPROTO_TCP, TCP_USER_TIMEOUT, milliseconds);
}

void Connection::Close() {
  AsioError ignored;
  socket_.close(ignored);
}

void Connection::Reset() {
  AsioError ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  socket_.close(ignored);
}

std::string ToText(const Tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  const std::string port = std::to_string(endpoint.port());
  return endpoint.address().is_v6() ? "[" + host + "]:" + port : host + ":" + port;
}

}  // namespace drumbeat::transport
