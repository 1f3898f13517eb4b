// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include <openssl/types.h>

#include "transport/tcp_transport.h"

namespace drumbeat::transport {

/// What a test certificate says.
struct CertificateSpec {
  std::string subject_alternative_names = "DNS:localhost,IP:127.0.0.1";
  /// Empty: none.
  std::string extended_key_usage = "serverAuth,clientAuth";
  /// Seconds from now.
  long valid_from = -3600;
  long valid_until = 3600;
};

/// A certificate authority made for one test, with files in a folder of its own that ends with it.
class TestAuthority {
 public:
  TestAuthority();
  ~TestAuthority();
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  /// Files of a host whose certificate this authority signed, and that trusts this authority.
  TlsFiles Issue(const CertificateSpec& spec = {});
  /// The same with a certificate that is signed by its own key.
  TlsFiles SelfSigned();
  /// Puts a password on a key.
  static void Encrypt(const std::string& key_file);
  const std::filesystem::path& folder() const { return folder_; }

 private:
  TlsFiles Write(X509* certificate, EVP_PKEY* key);

  std::filesystem::path folder_;
  EVP_PKEY* key_;
  X509* certificate_;
  int issued_ = 0;
};

}  // namespace drumbeat::transport
