// SPDX-License-Identifier: Apache-2.0
#include "transport/connection.h"

#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <fcntl.h>

namespace drumbeat::transport {
namespace {

void SetInt(int descriptor, int level, int option, int value) {
  // Without the option the connection still works.
  static_cast<void>(::setsockopt(descriptor, level, option, &value, sizeof(value)));
}

constexpr int kUnsentBytes = 256 << 10;

}  // namespace

Connection::Connection(Tcp::socket socket, asio::ssl::context* tls) : socket_(std::move(socket)) {
  if (tls != nullptr) {
    tls_ = std::make_unique<TlsSession>(socket_, tls->native_handle());
  } else {
    read_wait_ = Tcp::socket::wait_read;
  }
  AsioError error;
  const Tcp::endpoint endpoint = socket_.remote_endpoint(error);
  remote_ = error ? "a stranger" : ToText(endpoint);
  source_ = SourceOf(endpoint.address());
}

void Connection::SetOptions(int keepalive_seconds) {
  static_cast<void>(::fcntl(descriptor(), F_SETFD, FD_CLOEXEC));
  SetInt(descriptor(), IPPROTO_TCP, TCP_NODELAY, 1);
  // Megabytes that the system takes but cannot send yet would have to go before any heartbeat.
  SetInt(descriptor(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, kUnsentBytes);
  SetInt(descriptor(), SOL_SOCKET, SO_KEEPALIVE, 1);
  SetInt(descriptor(), IPPROTO_TCP, TCP_KEEPIDLE, keepalive_seconds);
  SetInt(descriptor(), IPPROTO_TCP, TCP_KEEPINTVL, keepalive_seconds);
}

void Connection::LimitUnconfirmed(int milliseconds) {
  SetInt(descriptor(), IPPROTO_TCP, TCP_USER_TIMEOUT, milliseconds);
}

std::size_t Connection::ReadNow(std::span<char> first, std::span<char> second, AsioError& error) {
  if (tls_ == nullptr) return ReadPlain(first, second, error);
  const std::size_t count = first.empty() ? 0 : ReadSecure(first, error);
  if (error || count < first.size() || second.empty()) return count;
  return count + ReadSecure(second, error);
}

std::size_t Connection::ReadPlain(std::span<char> first, std::span<char> second, AsioError& error) {
  std::array<iovec, 2> pieces{{{first.data(), first.size()}, {second.data(), second.size()}}};
  msghdr header{};
  header.msg_iov = pieces.data();
  header.msg_iovlen = pieces.size();
  const ssize_t count = ::recvmsg(descriptor(), &header, MSG_DONTWAIT);
  if (count > 0) return static_cast<std::size_t>(count);
  if (count == 0) {
    error = asio::error::eof;
  } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
    error = asio::error::would_block;
  } else {
    error = AsioError(errno, boost::system::system_category());
  }
  return 0;
}

// OpenSSL may hold bytes that the socket no longer shows: only when it has to wait, so has whoever
// reads.
std::size_t Connection::ReadSecure(std::span<char> space, AsioError& error) {
  const TlsSession::Outcome outcome = tls_->Read(space);
  read_wait_.reset();
  if (outcome.error == asio::error::would_block) read_wait_ = outcome.wait;
  if (outcome.bytes == 0) error = outcome.error;
  return outcome.bytes;
}

void Connection::Close() {
  AsioError ignored;
  (void)socket_.close(ignored);
}

void Connection::Reset() {
  AsioError ignored;
  (void)socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  (void)socket_.close(ignored);
}

std::string ToText(const Tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  const std::string port = std::to_string(endpoint.port());
  return endpoint.address().is_v6() ? "[" + host + "]:" + port : host + ":" + port;
}

}  // namespace drumbeat::transport
