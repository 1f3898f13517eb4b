// SPDX-License-Identifier: Apache-2.0
#include "transport/tls_context.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>

#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

#include "transport/certificates.h"
#include "transport/recording_handler.h"

namespace drumbeat::transport {
namespace {

class TlsContextTest : public testing::Test {
 protected:
  void Overwrite(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::trunc) << text;
  }
  Error Refused(const TlsFiles& files) {
    auto loaded = TlsContext::Load(files);
    EXPECT_FALSE(loaded);
    return loaded ? Error{} : loaded.error();
  }

  TestAuthority authority_;
};

TEST_F(TlsContextTest, GoodFilesLoad) {
  const auto loaded = TlsContext::Load(authority_.Issue());
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_FALSE((*loaded)->key_is_exposed());
}

TEST_F(TlsContextTest, MissingAndEmptyFilesAreNamed) {
  for (std::string TlsFiles::* file :
       {&TlsFiles::ca_file, &TlsFiles::certificate_file, &TlsFiles::key_file}) {
    TlsFiles files = authority_.Issue();
    files.*file = authority_.folder() / "missing.pem";
    const Error missing = Refused(files);
    EXPECT_EQ(missing.code, ErrorCode::kStorage);
    EXPECT_NE(missing.message.find("missing.pem: No such file"), std::string::npos)
        << missing.message;
    files.*file = authority_.folder() / "empty.pem";
    Overwrite(files.*file, "");
    const Error empty = Refused(files);
    EXPECT_EQ(empty.code, ErrorCode::kInvalidArgument);
    EXPECT_NE(empty.message.find("empty.pem is empty"), std::string::npos) << empty.message;
    files.*file = authority_.folder();
    EXPECT_EQ(Refused(files).code, ErrorCode::kStorage);
  }
}

TEST_F(TlsContextTest, NonsenseIsNamed) {
  for (std::string TlsFiles::* file :
       {&TlsFiles::ca_file, &TlsFiles::certificate_file, &TlsFiles::key_file}) {
    TlsFiles files = authority_.Issue();
    files.*file = authority_.folder() / "nonsense.pem";
    Overwrite(files.*file, "-----BEGIN CERTIFICATE-----\nnonsense\n");
    const Error error = Refused(files);
    EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
    EXPECT_NE(error.message.find("nonsense.pem"), std::string::npos) << error.message;
    EXPECT_EQ(error.message.find('\n'), std::string::npos);
  }
}

TEST_F(TlsContextTest, AKeyOfAnotherCertificateIsRefused) {
  TlsFiles files = authority_.Issue();
  files.key_file = authority_.Issue().key_file;
  const Error error = Refused(files);
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_NE(error.message.find(files.key_file), std::string::npos);
}

/// Whether loading `files` says `code` and names the key, in a process of its own, by the user
/// `user`, at a terminal at which nobody types.
bool SaysAtATerminal(const TlsFiles& files, ErrorCode code, uid_t user) {
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  if (child == 0) {
    ::alarm(10);
    if (::setuid(user) != 0) ::_exit(2);
    const auto loaded = TlsContext::Load(files);
    const bool said = !loaded && loaded.error().code == code &&
                      loaded.error().message.find(files.key_file) != std::string::npos;
    ::_exit(said ? 0 : 1);
  }
  int status = -1;
  const bool waited = child > 0 && ::waitpid(child, &status, 0) == child;
  if (terminal >= 0) ::close(terminal);
  return waited && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(TlsContextTest, NobodyIsAskedForThePasswordOfAKey) {
  const TlsFiles files = authority_.Issue();
  TestAuthority::Encrypt(files.key_file);
  EXPECT_TRUE(SaysAtATerminal(files, ErrorCode::kInvalidArgument, ::getuid()));
}

TEST_F(TlsContextTest, AKeyThatMayNotBeReadIsNamed) {
  const TlsFiles files = authority_.Issue();
  ::chmod(authority_.folder().c_str(), 0755);
  ::chmod(files.key_file.c_str(), 0000);
  const uid_t nobody = 65534;
  EXPECT_TRUE(SaysAtATerminal(files, ErrorCode::kStorage, ::getuid() == 0 ? nobody : ::getuid()));
}

TEST_F(TlsContextTest, AKeyThatOthersMayReadIsWarnedOf) {
  const TlsFiles files = authority_.Issue();
  ::chmod(files.key_file.c_str(), 0644);
  TcpOptions options;
  options.tls = files;
  const TestHost host(options);
  ASSERT_FALSE(host.error);
  EXPECT_TRUE(
      host.sink->WaitFor("W | transport: others may read the TLS key file " + files.key_file));
}

TEST_F(TlsContextTest, ATransportDoesNotStartWithBadFiles) {
  TcpOptions options;
  options.tls = authority_.Issue();
  options.tls->ca_file = authority_.folder() / "missing.pem";
  const TestHost host(options);
  ASSERT_TRUE(host.error);
  EXPECT_EQ(host.error->code, ErrorCode::kStorage);
}

}  // namespace
}  // namespace drumbeat::transport
