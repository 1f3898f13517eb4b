// SPDX-License-Identifier: Apache-2.0
#include "transport/certificates.h"

#include <cstdio>
#include <cstdlib>
#include <sys/stat.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace drumbeat::transport {
namespace {

void AddExtension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  ::X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = ::X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  if (extension == nullptr) std::abort();
  ::X509_add_ext(certificate, extension, -1);
  ::X509_EXTENSION_free(extension);
}

EVP_PKEY* MakeKey() { return ::EVP_EC_gen("P-256"); }

/// With no `issuer` it is its own.
X509* MakeCertificate(EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key, const std::string& name,
                      const CertificateSpec& spec) {
  static long serial = 1;
  X509* certificate = ::X509_new();
  ::X509_set_version(certificate, 2);
  ::ASN1_INTEGER_set(::X509_get_serialNumber(certificate), ++serial);
  ::X509_gmtime_adj(X509_getm_notBefore(certificate), spec.valid_from);
  ::X509_gmtime_adj(X509_getm_notAfter(certificate), spec.valid_until);
  X509_NAME* subject = ::X509_get_subject_name(certificate);
  ::X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  if (issuer == nullptr) issuer = certificate;
  ::X509_set_issuer_name(certificate, ::X509_get_subject_name(issuer));
  ::X509_set_pubkey(certificate, key);
  if (name == "test authority") {
    AddExtension(certificate, issuer, NID_basic_constraints, "critical,CA:TRUE");
  } else {
    if (!spec.subject_alternative_names.empty()) {
      AddExtension(certificate, issuer, NID_subject_alt_name, spec.subject_alternative_names);
    }
    if (!spec.extended_key_usage.empty()) {
      AddExtension(certificate, issuer, NID_ext_key_usage, spec.extended_key_usage);
    }
  }
  ::X509_sign(certificate, issuer_key, ::EVP_sha256());
  return certificate;
}

}  // namespace

TestAuthority::TestAuthority() : key_(MakeKey()) {
  std::string folder = std::filesystem::temp_directory_path() / "drumbeat-tls-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) std::abort();
  folder_ = folder;
  certificate_ = MakeCertificate(key_, nullptr, key_, "test authority", {});
  std::FILE* file = std::fopen((folder_ / "ca.pem").c_str(), "w");
  ::PEM_write_X509(file, certificate_);
  std::fclose(file);
}

TestAuthority::~TestAuthority() {
  ::X509_free(certificate_);
  ::EVP_PKEY_free(key_);
  std::filesystem::remove_all(folder_);
}

TlsFiles TestAuthority::Issue(const CertificateSpec& spec) {
  EVP_PKEY* key = MakeKey();
  X509* certificate = MakeCertificate(key, certificate_, key_, "localhost", spec);
  TlsFiles files = Write(certificate, key);
  ::X509_free(certificate);
  ::EVP_PKEY_free(key);
  return files;
}

TlsFiles TestAuthority::SelfSigned() {
  EVP_PKEY* key = MakeKey();
  X509* certificate = MakeCertificate(key, nullptr, key, "localhost", {});
  TlsFiles files = Write(certificate, key);
  ::X509_free(certificate);
  ::EVP_PKEY_free(key);
  return files;
}

void TestAuthority::Encrypt(const std::string& key_file) {
  std::FILE* file = std::fopen(key_file.c_str(), "r");
  EVP_PKEY* key = ::PEM_read_PrivateKey(file, nullptr, nullptr, nullptr);
  std::fclose(file);
  file = std::fopen(key_file.c_str(), "w");
  const unsigned char password[] = "secret";
  ::PEM_write_PrivateKey(file, key, ::EVP_aes_256_cbc(), password, 6, nullptr, nullptr);
  std::fclose(file);
  ::EVP_PKEY_free(key);
}

TlsFiles TestAuthority::Write(X509* certificate, EVP_PKEY* key) {
  const std::filesystem::path base = folder_ / std::to_string(++issued_);
  const TlsFiles files{.ca_file = folder_ / "ca.pem",
                       .certificate_file = base.string() + ".pem",
                       .key_file = base.string() + ".key"};
  std::FILE* file = std::fopen(files.certificate_file.c_str(), "w");
  ::PEM_write_X509(file, certificate);
  std::fclose(file);
  file = std::fopen(files.key_file.c_str(), "w");
  ::PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
  ::chmod(files.key_file.c_str(), 0600);
  return files;
}

}  // namespace drumbeat::transport
