// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include <openssl/types.h>

#include "transport/asio.h"

namespace drumbeat::transport {

/// TLS on one TCP socket. It never waits: it does what can be done at once, and says what to wait
/// for. Asio's own stream would keep four buffers of 17 KiB with each connection; this keeps none,
/// and OpenSSL gives its own back between two records.
///
/// Thread-safety: belongs to the I/O thread.
class TlsSession {
 public:
  using WaitFor = Tcp::socket::wait_type;
  /// As much as SSL_read and SSL_write are given at most: other connections want to be served, too.
  static constexpr std::size_t kMaxBytesAtOnce = 256u << 10;

  /// `socket` outlives this. Throws std::bad_alloc.
  TlsSession(Tcp::socket& socket, SSL_CTX* context);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  SSL* ssl() { return ssl_; }

  /// What came of a try.
  struct Outcome {
    std::size_t bytes = 0;
    /// Why there are no more. would_block: `wait` comes first.
    AsioError error;
    WaitFor wait = WaitFor::wait_read;
  };
  /// As the side that the context is for.
  Outcome Handshake();
  /// Fills `space` with what has come.
  Outcome Read(std::span<char> space);
  /// Writes from the front of `bytes`; the next try goes on where this one ended.
  Outcome Write(std::string_view bytes);

 private:
  template <class Call>
  Outcome Try(Call call);
  /// Tries `call(bytes so far)` until all `size` are done or there is an error.
  template <class Call>
  Outcome Repeat(std::size_t size, Call call);

  /// What `call` on the descriptor comes to, as OpenSSL wants to hear it.
  template <class Call>
  static int Transfer(BIO* bio, int direction, Call call);
  static int BioRead(BIO* bio, char* data, int size);
  static int BioWrite(BIO* bio, const char* data, int size);
  static long BioControl(BIO* bio, int command, long number, void* pointer);
  static BIO_METHOD* Method();

  Tcp::socket& socket_;
  SSL* ssl_;
  /// Of the last call of the system; none at the end of the connection.
  AsioError socket_error_;
};

}  // namespace drumbeat::transport
