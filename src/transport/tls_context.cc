// SPDX-License-Identifier: Apache-2.0
#include "transport/tls_context.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sys/stat.h>
#include <system_error>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace drumbeat::transport {
namespace {

/// The authenticated ciphers of TLS 1.2 that Go offers by default as well.
constexpr const char* kCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

std::string OpenSslReason() {
  const unsigned long code = ::ERR_peek_last_error();
  ::ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ::ERR_reason_error_string(code);
  return reason == nullptr ? "unknown reason" : reason;
}

Result<void> CheckReadable(const std::string& path, const char* what) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (file && file.peek() != std::ifstream::traits_type::eof()) return {};
  if (file.is_open() && errno == 0) {
    return Fail(ErrorCode::kInvalidArgument, std::string(what) + " " + path + " is empty");
  }
  return Fail(ErrorCode::kStorage, std::string("cannot read ") + what + " " + path + ": " +
                                       std::generic_category().message(errno));
}

/// Without it OpenSSL would ask for the password on the terminal.
int NoPassword(char*, int, int, void*) { return -1; }

void SetProtocol(SSL_CTX* context) {
  ::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  ::SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
  ::SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_num_tickets(context, 0);
  ::SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Else one read goes on for as long as records come that carry no data.
  ::SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
  ::SSL_CTX_set_read_ahead(context, 1);
  ::SSL_CTX_set_cipher_list(context, kCiphers);
  ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  ::SSL_CTX_set_default_passwd_cb(context, NoPassword);
  // As Go: whatever stands in the CA file is trusted, an intermediate certificate too.
  ::X509_VERIFY_PARAM_set_flags(::SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
}

Result<void> Refuse(const std::string& what, const std::string& path) {
  return Fail(ErrorCode::kInvalidArgument, what + " " + path + ": " + OpenSslReason());
}

Result<void> LoadFiles(SSL_CTX* context, const TlsFiles& files) {
  ::ERR_clear_error();
  if (::SSL_CTX_load_verify_locations(context, files.ca_file.c_str(), nullptr) != 1) {
    return Refuse("no certificates in CA file", files.ca_file);
  }
  // Told to clients, so that they know which certificate to present.
  if (STACK_OF(X509_NAME)* names = ::SSL_load_client_CA_file(files.ca_file.c_str())) {
    ::SSL_CTX_set_client_CA_list(context, names);
  }
  if (::SSL_CTX_use_certificate_chain_file(context, files.certificate_file.c_str()) != 1) {
    return Refuse("no certificate in", files.certificate_file);
  }
  if (::SSL_CTX_use_PrivateKey_file(context, files.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return Refuse(
        "no usable private key (an encrypted one cannot be used, and it must belong to "
        "the certificate) in",
        files.key_file);
  }
  if (::SSL_CTX_check_private_key(context) != 1) {
    return Refuse("certificate and key do not belong together:", files.key_file);
  }
  return {};
}

}  // namespace

TlsContext::TlsContext()
    : dialing_(asio::ssl::context::tls_client), accepting_(asio::ssl::context::tls_server) {}

Result<std::unique_ptr<TlsContext>> TlsContext::Load(const TlsFiles& files) {
  const std::pair<const std::string&, const char*> all[] = {
      {files.ca_file, "the TLS CA file"},
      {files.certificate_file, "the TLS certificate file"},
      {files.key_file, "the TLS key file"},
  };
  for (const auto& [path, what] : all) {
    if (Result<void> readable = CheckReadable(path, what); !readable) {
      return std::unexpected(readable.error());
    }
  }
  std::unique_ptr<TlsContext> tls(new TlsContext());
  for (asio::ssl::context* context : {&tls->dialing_, &tls->accepting_}) {
    SetProtocol(context->native_handle());
    if (Result<void> loaded = LoadFiles(context->native_handle(), files); !loaded) {
      return std::unexpected(loaded.error());
    }
  }
  struct stat status;
  tls->key_is_exposed_ =
      ::stat(files.key_file.c_str(), &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0;
  return tls;
}

bool ExpectHost(SSL* ssl, const std::string& host) {
  X509_VERIFY_PARAM* parameters = ::SSL_get0_param(ssl);
  unsigned char bytes[sizeof(in6_addr)];
  if (::inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
      ::inet_pton(AF_INET6, host.c_str(), bytes) == 1) {
    return ::X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) == 1;
  }
  ::X509_VERIFY_PARAM_set_hostflags(
      parameters, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return ::X509_VERIFY_PARAM_set1_host(parameters, host.c_str(), host.size()) == 1 &&
         ::SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                    const_cast<char*>(host.c_str())) == 1;
}

std::string HandshakeFailure(SSL* ssl, const AsioError& error) {
  const long verified = ::SSL_get_verify_result(ssl);
  std::string text = "TLS handshake: " + error.message();
  if (verified != X509_V_OK) {
    text += std::string(" (") + ::X509_verify_cert_error_string(verified) + ")";
  }
  return text;
}

}  // namespace drumbeat::transport
