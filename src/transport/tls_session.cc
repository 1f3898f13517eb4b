// SPDX-License-Identifier: Apache-2.0
#include "transport/tls_session.h"

#include <algorithm>
#include <cerrno>
#include <new>
#include <sys/socket.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace drumbeat::transport {

TlsSession::TlsSession(Tcp::socket& socket, SSL_CTX* context)
    : socket_(socket), ssl_(::SSL_new(context)) {
  BIO* bio = ssl_ == nullptr ? nullptr : ::BIO_new(Method());
  if (bio == nullptr) {
    ::SSL_free(ssl_);
    throw std::bad_alloc();
  }
  ::BIO_set_data(bio, this);
  ::BIO_set_init(bio, 1);
  ::SSL_set_bio(ssl_, bio, bio);
}

TlsSession::~TlsSession() { ::SSL_free(ssl_); }

template <class Call>
TlsSession::Outcome TlsSession::Try(Call call) {
  ::ERR_clear_error();
  socket_error_.clear();
  const int result = call();
  if (result > 0) return {.bytes = static_cast<std::size_t>(result), .error = {}};
  const auto failed = [](const AsioError& error) { return Outcome{.bytes = 0, .error = error}; };
  switch (::SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ: return failed(asio::error::would_block);
    case SSL_ERROR_WANT_WRITE:
      return {.bytes = 0, .error = asio::error::would_block, .wait = WaitFor::wait_write};
    case SSL_ERROR_ZERO_RETURN: return failed(asio::error::eof);
    case SSL_ERROR_SSL:
      return failed({static_cast<int>(::ERR_get_error()), asio::error::get_ssl_category()});
    default:
      return failed(socket_error_ ? socket_error_ : AsioError(asio::ssl::error::stream_truncated));
  }
}

// OpenSSL takes and hands out one record at a time.
template <class Call>
TlsSession::Outcome TlsSession::Repeat(std::size_t size, Call call) {
  Outcome total;
  while (total.bytes < size && !total.error) {
    const std::size_t before = total.bytes;
    total = Try([&] { return call(before); });
    total.bytes += before;
  }
  return total;
}

TlsSession::Outcome TlsSession::Handshake() {
  return Try([this] { return ::SSL_is_server(ssl_) ? ::SSL_accept(ssl_) : ::SSL_connect(ssl_); });
}

TlsSession::Outcome TlsSession::Read(std::span<char> space) {
  space = space.first(std::min(space.size(), kMaxBytesAtOnce));
  return Repeat(space.size(), [&](std::size_t at) {
    return ::SSL_read(ssl_, space.data() + at, static_cast<int>(space.size() - at));
  });
}

TlsSession::Outcome TlsSession::Write(std::string_view bytes) {
  bytes = bytes.substr(0, kMaxBytesAtOnce);
  return Repeat(bytes.size(), [&](std::size_t at) {
    return ::SSL_write(ssl_, bytes.data() + at, static_cast<int>(bytes.size() - at));
  });
}

// What OpenSSL reads and writes: OpenSSL's own socket BIO would raise SIGPIPE.

template <class Call>
int TlsSession::Transfer(BIO* bio, int direction, Call call) {
  auto& session = *static_cast<TlsSession*>(::BIO_get_data(bio));
  ::BIO_clear_retry_flags(bio);
  const ssize_t count = call(session.socket_.native_handle());
  if (count >= 0) return static_cast<int>(count);
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
    ::BIO_set_flags(bio, direction | BIO_FLAGS_SHOULD_RETRY);
  }
  session.socket_error_ = AsioError(errno, boost::system::system_category());
  return -1;
}

int TlsSession::BioRead(BIO* bio, char* data, int size) {
  return Transfer(bio, BIO_FLAGS_READ, [&](int descriptor) {
    return ::recv(descriptor, data, static_cast<std::size_t>(size), MSG_DONTWAIT);
  });
}

int TlsSession::BioWrite(BIO* bio, const char* data, int size) {
  return Transfer(bio, BIO_FLAGS_WRITE, [&](int descriptor) {
    return ::send(descriptor, data, static_cast<std::size_t>(size), MSG_DONTWAIT | MSG_NOSIGNAL);
  });
}

long TlsSession::BioControl(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* TlsSession::Method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = ::BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "drumbeat");
    if (made == nullptr) throw std::bad_alloc();
    ::BIO_meth_set_read(made, BioRead);
    ::BIO_meth_set_write(made, BioWrite);
    ::BIO_meth_set_ctrl(made, BioControl);
    return made;
  }();
  return method;
}

}  // namespace drumbeat::transport
