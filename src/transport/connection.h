// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "transport/asio.h"
#include "transport/source.h"
#include "transport/tls_session.h"

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
  SSL* ssl() { return tls_->ssl(); }

  /// No delay, a keepalive after `keepalive_seconds` of silence, and not for child processes.
  void SetOptions(int keepalive_seconds);
  /// The kernel gives up on bytes that the other side has not confirmed for this long.
  void LimitUnconfirmed(int milliseconds);

  /// `done(error)`.
  template <class Done>
  void Handshake(Done done) {
    Repeat([this] { return tls_->Handshake(); },
           [done = std::move(done)](const AsioError& error, std::size_t) mutable { done(error); });
  }
  /// Waits for what ReadNow() may read: `done(error)`.
  template <class Done>
  void AwaitRead(Done done) {
    if (read_wait_) return socket_.async_wait(*read_wait_, std::move(done));
    asio::post(socket_.get_executor(), [done = std::move(done)]() mutable { done(AsioError()); });
  }
  /// Reads what has come, into `first` and, when that is full, `second`. No bytes: `error` is set,
  /// would_block when all was read.
  std::size_t ReadNow(std::span<char> first, std::span<char> second, AsioError& error);
  /// `done(error, count)`.
  template <class Done>
  void ReadSome(std::span<char> space, Done done) {
    AwaitRead([this, space, done = std::move(done)](const AsioError& stopped) mutable {
      AsioError error = stopped;
      const std::size_t count = error ? 0 : ReadNow(space, {}, error);
      if (error == asio::error::would_block) return ReadSome(space, std::move(done));
      done(error, count);
    });
  }
  /// `done(error, count)`.
  template <class Done>
  void WriteSome(std::string_view bytes, Done done) {
    if (tls_ == nullptr) return socket_.async_write_some(asio::buffer(bytes), std::move(done));
    Repeat([this, bytes] { return tls_->Write(bytes); }, std::move(done));
  }

  /// What was written still goes out.
  void Close();
  /// The other side gets a reset, and nothing more.
  void Reset();

  /// The other side's address, for people.
  const std::string& remote() const { return remote_; }
  const Source& source() const { return source_; }

 private:
  /// Tries until it need not wait: `done(error, count)`, later.
  template <class Try, class Done>
  void Repeat(Try attempt, Done done) {
    const TlsSession::Outcome outcome = attempt();
    if (outcome.bytes > 0 || outcome.error != asio::error::would_block) {
      return asio::post(socket_.get_executor(), [outcome, done = std::move(done)]() mutable {
        done(outcome.bytes > 0 ? AsioError() : outcome.error, outcome.bytes);
      });
    }
    socket_.async_wait(outcome.wait, [this, attempt = std::move(attempt),
                                      done = std::move(done)](const AsioError& error) mutable {
      if (error) return done(error, 0);
      Repeat(std::move(attempt), std::move(done));
    });
  }
  std::size_t ReadPlain(std::span<char> first, std::span<char> second, AsioError& error);
  std::size_t ReadSecure(std::span<char> space, AsioError& error);

  Tcp::socket socket_;
  std::unique_ptr<TlsSession> tls_;
  /// What has to be waited for before more can be read; nothing when more may be there already.
  std::optional<Tcp::socket::wait_type> read_wait_;
  std::string remote_;
  Source source_;
};

/// `127.0.0.1:63001`, `[::1]:63001`.
std::string ToText(const Tcp::endpoint& endpoint);

}  // namespace drumbeat::transport
