// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include <openssl/types.h>

#include "drumbeat/error.h"

#include "transport/asio.h"
#include "transport/tcp_transport.h"

namespace drumbeat::transport {

/// Mutual TLS for both roles, from one CA file, certificate and key: TLS 1.2 and 1.3 with
/// authenticated ciphers, no resumption, no renegotiation, no compression.
///
/// Either side must present a certificate that the CA file vouches for and whose extended key
/// usage allows the role. Which host it names is checked by the dialling side (ExpectHost).
class TlsContext {
 public:
  /// Errors: kStorage: a file cannot be read. kInvalidArgument: it is not what it should be, or key
  /// and certificate do not belong together.
  static Result<std::unique_ptr<TlsContext>> Load(const TlsFiles& files);

  asio::ssl::context& dialing() { return dialing_; }
  asio::ssl::context& accepting() { return accepting_; }

  /// Whether others may read the key file.
  bool key_is_exposed() const { return key_is_exposed_; }

 private:
  TlsContext();

  asio::ssl::context dialing_;
  asio::ssl::context accepting_;
  bool key_is_exposed_ = false;
};

/// The peer's certificate must name `host` (a DNS or IP subject alternative name; the common name
/// does not count).
bool ExpectHost(SSL* ssl, const std::string& host);

/// What went wrong in a handshake, in words; `error` is what Asio said.
std::string HandshakeFailure(SSL* ssl, const AsioError& error);

}  // namespace drumbeat::transport
