// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "transport/asio.h"
#include "transport/tls_context.h"

namespace drumbeat::transport {

/// One TCP connection, plain or with TLS above it.
///
/// Thread-safety: belongs to the I/O thread. With plain TCP, others may write on the descriptor
/// itself for as long as they keep it from being closed.
class Connection {
 public:
  Connection(Tcp::socket socket, asio::ssl::context* tls);

  Tcp::socket& socket() { return socket_; }
  int descriptor() { return socket_.native_handle(); }
  bool secure() const { return tls_ != nullptr; }
  SSL* ssl() { return tls_->native_handle(); }

  /// No delay, a keepalive after `keepalive_seconds` of silence, and not for child processes.
  void SetOptions(int keepalive_seconds);
  /// The kernel gives up on bytes that the other side has not confirmed for this long.
  void LimitUnconfirmed(int milliseconds);

  /// `done(error)`.
  template <class Done>
  void Handshake(asio::ssl::stream_base::handshake_type role, Done done) {
    tls_->async_handshake(role, std::move(done));
  }
  /// `done(error, count)`.
  template <class Done>
  void ReadSome(asio::mutable_buffer buffer, Done done) {
    if (tls_) {
      tls_->async_read_some(buffer, std::move(done));
    } else {
      socket_.async_read_some(buffer, std::move(done));
    }
  }
  template <class Done>
  void WriteSome(asio::const_buffer buffer, Done done) {
    if (tls_) {
      tls_->async_write_some(buffer, std::move(done));
    } else {
      socket_.async_write_some(buffer, std::move(done));
    }
  }

  /// What was written still goes out.
  void Close();
  /// The other side gets a reset, and nothing more.
  void Reset();

  /// The other side's address, for people.
  std::string remote() const { return remote_; }
  /// The machine that it came from: the address without its port.
  std::string source() const { return remote_.substr(0, remote_.rfind(':')); }

 private:
  Tcp::socket socket_;
  std::unique_ptr<asio::ssl::stream<Tcp::socket&>> tls_;
  std::string remote_;
};

/// `127.0.0.1:63001`, `[::1]:63001`.
std::string ToText(const Tcp::endpoint& endpoint);

}  // namespace drumbeat::transport
