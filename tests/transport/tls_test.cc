// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/resident_memory.h"
#include "transport/certificates.h"
#include "transport/frames.h"
#include "transport/raw_peer.h"
#include "transport/recording_handler.h"

namespace drumbeat::transport {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Record = RecordingHandler::Record;

TcpOptions WithTls(const TlsFiles& files) {
  TcpOptions options;
  options.tls = files;
  return options;
}

/// A TLS client as a stranger would bring it.
class RawTlsClient {
 public:
  RawTlsClient(const std::string& address, const std::function<void(SSL_CTX*)>& configure)
      : peer_(RawPeer::To(address)), context_(::SSL_CTX_new(::TLS_client_method())) {
    ::SSL_CTX_set_security_level(context_, 0);
    configure(context_);
    const int on = 1;
    ::setsockopt(peer_.descriptor(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    ssl_ = ::SSL_new(context_);
    ::SSL_set_fd(ssl_, peer_.descriptor());
    connected_ = ::SSL_connect(ssl_) == 1;
  }
  ~RawTlsClient() {
    ::SSL_free(ssl_);
    ::SSL_CTX_free(context_);
    ::ERR_clear_error();
  }
  bool connected() const { return connected_; }
  /// Whether the other side has given it what a later handshake could be spared with.
  bool MayResume() const { return ::SSL_SESSION_is_resumable(::SSL_get_session(ssl_)) == 1; }
  RawPeer& peer() { return peer_; }
  bool Write(const std::string& bytes) {
    return ::SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) > 0;
  }
  /// So many records that only change the key, and then `bytes`: what would be written.
  std::string KeyUpdates(int count, const std::string& bytes) {
    BIO* const memory = ::BIO_new(::BIO_s_mem());
    ::SSL_set0_wbio(ssl_, memory);
    for (int i = 0; i < count; ++i) {
      ::SSL_key_update(ssl_, SSL_KEY_UPDATE_NOT_REQUESTED);
      ::SSL_do_handshake(ssl_);
    }
    Write(bytes);
    char* data = nullptr;
    const long size = ::BIO_get_mem_data(memory, &data);
    return std::string(data, static_cast<std::size_t>(size));
  }
  /// Under TLS 1.3 only a read shows that the certificate was refused. True when the other side
  /// has ended the connection.
  bool Ended() {
    char byte;
    return ::SSL_read(ssl_, &byte, 1) <= 0;
  }

 private:
  RawPeer peer_;
  SSL_CTX* context_;
  SSL* ssl_;
  bool connected_ = false;
};

void Present(SSL_CTX* context, const TlsFiles& files) {
  ::SSL_CTX_use_certificate_file(context, files.certificate_file.c_str(), SSL_FILETYPE_PEM);
  ::SSL_CTX_use_PrivateKey_file(context, files.key_file.c_str(), SSL_FILETYPE_PEM);
}

class TlsTest : public testing::Test {
 protected:
  /// What `dialer` says of an attempt to reach `acceptor`, which must not receive anything.
  std::string WhyNot(const TcpOptions& dialer_options, const TcpOptions& acceptor_options) {
    TestHost dialer(dialer_options);
    TestHost acceptor(acceptor_options);
    EXPECT_TRUE(dialer.Start());
    EXPECT_TRUE(acceptor.Start());
    dialer.SendNow(acceptor.address(), HeartbeatOf(1, 1));
    const bool refused =
        dialer.handler.WaitFor([](const Record& record) { return !record.unreachable.empty(); });
    EXPECT_TRUE(refused);
    EXPECT_TRUE(acceptor.handler.Get().messages.empty());
    return refused ? dialer.handler.Get().reasons.at(0) : "";
  }
  std::string WhyNot(const TlsFiles& dialer, const TlsFiles& acceptor) {
    return WhyNot(WithTls(dialer), WithTls(acceptor));
  }

  TestAuthority authority_;
};

TEST_F(TlsTest, HostsExchangeMessagesAndSnapshots) {
  TestHost a(WithTls(authority_.Issue()));
  TestHost b(WithTls(authority_.Issue()));
  ASSERT_TRUE(a.Start());
  ASSERT_TRUE(b.Start());
  for (std::uint64_t i = 1; i <= 200; ++i) {
    a.SendNow(b.address(), i % 20 == 0 ? AppendOf(1, i, 300'000) : HeartbeatOf(1, i));
    b.SendNow(a.address(), HeartbeatOf(1, i));
  }
  ASSERT_TRUE(b.handler.WaitForMessages(200));
  ASSERT_TRUE(a.handler.WaitForMessages(200));
  EXPECT_TRUE(InOrder(b.handler.Get().messages));
  EXPECT_EQ(a.sink->lines(),
            std::vector<std::string>{"I | transport: raft TCP stream from [00001:00001] to "
                                     "[00001:00002] established"});
}

class FewChunks : public ChunkSource {
 public:
  Result<std::optional<codec::Chunk>> Next() override {
    if (next_ == 3) return std::optional<codec::Chunk>();
    codec::Chunk chunk = ChunkOf(next_, 3, std::string(2u << 20, 'x'));
    ++next_;
    return std::optional<codec::Chunk>(std::move(chunk));
  }

 private:
  std::uint64_t next_ = 0;
};

TEST_F(TlsTest, SnapshotsAreStreamedAndConfirmed) {
  TestHost a(WithTls(authority_.Issue()));
  TestHost b(WithTls(authority_.Issue()));
  ASSERT_TRUE(a.Start());
  ASSERT_TRUE(b.Start());
  auto done = std::make_shared<std::promise<Result<void>>>();
  a.transport->SendSnapshot(b.address(), std::make_unique<FewChunks>(),
                            [done](Result<void> result) { done->set_value(std::move(result)); });
  std::future<Result<void>> result = done->get_future();
  ASSERT_EQ(result.wait_for(kPatience), std::future_status::ready);
  const Result<void> sent = result.get();
  EXPECT_TRUE(sent) << sent.error().message;
  EXPECT_EQ(b.handler.Get().chunks.size(), 3u);
}

TEST_F(TlsTest, APeerThatRestartsIsReachedAgain) {
  TestHost a(WithTls(authority_.Issue()));
  ASSERT_TRUE(a.Start());
  TcpOptions options = WithTls(authority_.Issue());
  for (std::size_t round = 0; round < 3; ++round) {
    TestHost b(options);
    ASSERT_FALSE(b.error);
    options.listen_address = b.address();
    ASSERT_TRUE(b.Start());
    a.SendNow(b.address(), HeartbeatOf(1, 1));
    ASSERT_TRUE(b.handler.WaitForMessages(1));
    b.transport->Stop();
    ASSERT_TRUE(a.handler.WaitFor(
        [round](const Record& record) { return record.unreachable.size() == round + 1; }));
  }
}

TEST_F(TlsTest, AFrameForWhichThereIsNoMemoryCostsItsConnectionOnly) {
  TcpOptions options = WithTls(authority_.Issue());
  options.max_send_queue_bytes = std::numeric_limits<std::size_t>::max();
  TestHost a(options);
  TestHost b(WithTls(authority_.Issue()));
  ASSERT_TRUE(a.Start());
  ASSERT_TRUE(b.Start());
  a.SendNow(b.address(), HeartbeatOf(1, 1));
  ASSERT_TRUE(b.handler.WaitForMessages(1));
  a.SendNow(b.address(), AppendOfTooMuch());
  ASSERT_TRUE(a.handler.WaitFor([](const Record& record) {
    return record.reasons == std::vector<std::string>{"out of memory"};
  }));
  a.SendNow(b.address(), HeartbeatOf(1, 2));
  ASSERT_TRUE(b.handler.WaitForMessages(2));
  EXPECT_EQ(CommitOf(b.handler.Get().messages.at(1)), 2u);
}

TEST_F(TlsTest, WhatWasFlushedBeforeStopReachesThePeer) {
  TestHost b(WithTls(authority_.Issue()));
  ASSERT_TRUE(b.Start());
  for (std::size_t round = 1; round <= 5; ++round) {
    TestHost a(WithTls(authority_.Issue()));
    ASSERT_TRUE(a.Start());
    a.SendNow(b.address(), HeartbeatOf(1, 1));
    ASSERT_TRUE(b.handler.WaitForMessages(2 * round - 1));
    a.SendNow(b.address(), HeartbeatOf(1, 2));
    a.transport->Stop();
    ASSERT_TRUE(b.handler.WaitForMessages(2 * round));
  }
}

TEST_F(TlsTest, CertificatesOfOtherAuthoritiesAreRefusedByTheDialingSide) {
  TestAuthority other;
  EXPECT_NE(WhyNot(authority_.Issue(), other.Issue()).find("TLS handshake: "), std::string::npos);
}

TEST_F(TlsTest, CertificatesOfOtherAuthoritiesAreRefusedByTheAcceptingSide) {
  TestAuthority other;
  TlsFiles stranger = other.Issue();
  stranger.ca_file = authority_.Issue().ca_file;  // It trusts us, we do not trust it.
  WhyNot(stranger, authority_.Issue());
}

TEST_F(TlsTest, SelfSignedExpiredAndFutureCertificatesAreRefusedBothWays) {
  const TlsFiles good = authority_.Issue();
  const struct {
    TlsFiles files;
    std::string reason;
  } bad[] = {
      {authority_.SelfSigned(), "self-signed certificate"},
      {authority_.Issue({.valid_from = -7200, .valid_until = -3600}), "certificate has expired"},
      {authority_.Issue({.valid_from = 3600, .valid_until = 7200}), "certificate is not yet valid"},
  };
  for (const auto& [files, reason] : bad) {
    const std::string why = WhyNot(good, files);
    EXPECT_NE(why.find(reason), std::string::npos) << why;
    WhyNot(files, good);
  }
}

TEST_F(TlsTest, TheKeyMustBeMeantForTheRole) {
  const TlsFiles good = authority_.Issue();
  const TlsFiles server_only = authority_.Issue({.extended_key_usage = "serverAuth"});
  const TlsFiles client_only = authority_.Issue({.extended_key_usage = "clientAuth"});
  EXPECT_NE(WhyNot(good, client_only).find("unsuitable certificate purpose"), std::string::npos);
  WhyNot(server_only, good);
}

TEST_F(TlsTest, TheDialedHostMustBeNamedByTheCertificate) {
  const TlsFiles good = authority_.Issue();
  const TlsFiles other = authority_.Issue({.subject_alternative_names = "DNS:elsewhere"});
  const std::string why = WhyNot(good, other);
  EXPECT_NE(why.find("ostname mismatch"), std::string::npos) << why;
  // The common name is localhost, and does not count.
  const TlsFiles none = authority_.Issue({.subject_alternative_names = ""});
  EXPECT_NE(WhyNot(good, none).find("ostname mismatch"), std::string::npos);
}

TEST_F(TlsTest, AnAddressInDigitsMustBeNamedAsAnAddress) {
  const TlsFiles good = authority_.Issue();
  TcpOptions name_only = WithTls(authority_.Issue({.subject_alternative_names = "DNS:localhost"}));
  name_only.listen_address = "127.0.0.1:0";
  EXPECT_NE(WhyNot(WithTls(good), name_only).find("IP address mismatch"), std::string::npos);

  TcpOptions both = WithTls(good);
  both.listen_address = "127.0.0.1:0";
  TestHost a(WithTls(good));
  TestHost b(both);
  ASSERT_TRUE(a.Start());
  ASSERT_TRUE(b.Start());
  a.SendNow(b.address(), HeartbeatOf(1, 1));
  EXPECT_TRUE(b.handler.WaitForMessages(1));
}

TEST_F(TlsTest, NothingCrossesBetweenTlsAndPlain) {
  const std::string why = WhyNot(TcpOptions{}, WithTls(authority_.Issue()));
  EXPECT_FALSE(why.empty());
  const std::string other = WhyNot(WithTls(authority_.Issue()), TcpOptions{});
  EXPECT_NE(other.find("TLS handshake"), std::string::npos) << other;
}

TEST_F(TlsTest, AClientNeedsACertificate) {
  TestHost host(WithTls(authority_.Issue()));
  ASSERT_TRUE(host.Start());
  RawTlsClient client(host.address(), [](SSL_CTX*) {});
  client.Write(HeartbeatFrame(1));
  EXPECT_TRUE(client.Ended());
  EXPECT_TRUE(host.handler.Get().messages.empty());
  EXPECT_TRUE(host.sink->WaitFor("peer did not return a certificate"));
}

TEST_F(TlsTest, OldVersionsAndWeakCiphersAreRefused) {
  TestHost host(WithTls(authority_.Issue()));
  ASSERT_TRUE(host.Start());
  const TlsFiles files = authority_.Issue();
  const auto connects = [&](int version, const char* ciphers) {
    RawTlsClient client(host.address(), [&](SSL_CTX* context) {
      Present(context, files);
      ::SSL_CTX_set_min_proto_version(context, version);
      ::SSL_CTX_set_max_proto_version(context, version);
      if (ciphers != nullptr) ::SSL_CTX_set_cipher_list(context, ciphers);
    });
    return client.connected();
  };
  EXPECT_TRUE(connects(TLS1_2_VERSION, nullptr));
  EXPECT_TRUE(connects(TLS1_3_VERSION, nullptr));
  EXPECT_FALSE(connects(TLS1_VERSION, nullptr));
  EXPECT_FALSE(connects(TLS1_1_VERSION, nullptr));
  EXPECT_TRUE(connects(TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256"));
  EXPECT_FALSE(connects(TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA"));
  EXPECT_FALSE(connects(TLS1_2_VERSION, "ECDHE-ECDSA-NULL-SHA"));
  EXPECT_FALSE(connects(TLS1_2_VERSION, "AECDH-AES128-SHA"));
}

// A session that is resumed shows no certificate.
TEST_F(TlsTest, NoSessionMayBeResumed) {
  TestHost host(WithTls(authority_.Issue()));
  ASSERT_TRUE(host.Start());
  const TlsFiles files = authority_.Issue();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    RawTlsClient client(host.address(), [&](SSL_CTX* context) {
      Present(context, files);
      ::SSL_CTX_set_min_proto_version(context, version);
      ::SSL_CTX_set_max_proto_version(context, version);
    });
    ASSERT_TRUE(client.connected());
    EXPECT_FALSE(client.MayResume()) << version;
    // Tickets of TLS 1.3 come behind the handshake.
    ASSERT_TRUE(client.Write("this is no frame of ours"));
    EXPECT_TRUE(client.Ended());
    EXPECT_FALSE(client.MayResume()) << version;
  }
}

TEST_F(TlsTest, AFrameCutOffByTheEndOfTheConnectionIsDropped) {
  TestHost host(WithTls(authority_.Issue()));
  ASSERT_TRUE(host.Start());
  const TlsFiles files = authority_.Issue();
  const std::string payload = BatchOf({HeartbeatOf(1, 1)});
  const std::string frame =
      FrameOf(codec::FrameMethod::kMessageBatch, payload, codec::PayloadCheck::kNone);
  for (std::size_t cut = 0; cut < frame.size(); cut += 5) {
    RawTlsClient client(host.address(), [&](SSL_CTX* context) { Present(context, files); });
    ASSERT_TRUE(client.connected());
    client.Write(frame.substr(0, cut));
    client.peer().Close();
  }
  RawTlsClient client(host.address(), [&](SSL_CTX* context) { Present(context, files); });
  ASSERT_TRUE(client.Write(frame));
  ASSERT_TRUE(host.handler.WaitForMessages(1));
  EXPECT_EQ(host.handler.Get().messages.size(), 1u);
}

// TransportLimits says what all of them may cost.
TEST_F(TlsTest, AnIdleConnectionCostsLittleMemory) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers keep freed memory";
#endif
  constexpr std::size_t kConnections = 400;
  ASSERT_TRUE(AllowDescriptors(4096));
  TcpOptions options = WithTls(authority_.Issue());
  options.max_connections = 2 * kConnections;
  TestHost host(options);
  ASSERT_TRUE(host.Start());
  const TlsFiles files = authority_.Issue();
  const auto frame = [](const std::string& batch) {
    return FrameOf(codec::FrameMethod::kMessageBatch, batch, codec::PayloadCheck::kNone);
  };
  // What is large fills buffers; as it is of another deployment, the handler does not keep it.
  const std::string frames =
      frame(BatchOf({AppendOf(1, 1, 100'000)}, 9)) + frame(BatchOf({HeartbeatOf(1, 1)}));
  std::vector<RawPeer> peers;
  peers.reserve(kConnections);
  const auto connect = [&] {
    RawTlsClient client(host.address(), [&](SSL_CTX* context) { Present(context, files); });
    ASSERT_TRUE(client.Write(frames));
    ASSERT_TRUE(host.handler.WaitForMessages(peers.size() + 1));
    // Its own side of TLS goes, so that only the host's is measured.
    peers.push_back(std::move(client.peer()));
  };
  for (int i = 0; i < 20; ++i) connect();
  const std::size_t before = base::ResidentBytes();
  while (peers.size() < kConnections) connect();
  EXPECT_LT(base::ResidentBytes() - before, kConnections * (32u << 10));
}

TEST_F(TlsTest, StalledHandshakesAreCappedAndHonestPeersServed) {
  TcpOptions options = WithTls(authority_.Issue());
  options.max_connections = 40;
  TestHost host(options);
  ASSERT_TRUE(host.Start());
  std::vector<RawPeer> stalled;
  for (int i = 0; i < 100; ++i) {
    stalled.push_back(RawPeer::To(host.address()));
    stalled.back().Write("\x16\x03\x01");
  }
  TestHost honest(WithTls(authority_.Issue()));
  ASSERT_TRUE(honest.Start());
  honest.SendNow(host.address(), HeartbeatOf(1, 1));
  EXPECT_TRUE(host.handler.WaitForMessages(1));
  // No more than a quarter of the connections may be in a handshake.
  for (std::size_t i = 0; i < 90; ++i) EXPECT_TRUE(stalled[i].WaitForEnd(seconds(5))) << i;
}

TEST_F(TlsTest, AStalledHandshakeEndsByAnAbsoluteLimit) {
  TestHost host(WithTls(authority_.Issue()));
  ASSERT_TRUE(host.Start());
  RawPeer stalled = RawPeer::To(host.address());
  const auto start = std::chrono::steady_clock::now();
  bool ended = false;
  const std::string hello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
  for (std::size_t i = 0; !ended && i < 60; ++i) {
    stalled.Write(i < hello.size() ? hello.substr(i, 1) : "x");
    ended = stalled.WaitForEnd(milliseconds(500));
  }
  EXPECT_TRUE(ended);
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_GE(took, seconds(9));
  EXPECT_LE(took, seconds(20));
}

TEST_F(TlsTest, ADialToASilentPeerGivesUp) {
  TestHost host(WithTls(authority_.Issue()));
  ASSERT_TRUE(host.Start());
  RawListener silent;
  host.SendNow(silent.address(), HeartbeatOf(1, 1));
  RawPeer peer = silent.Accept(seconds(10));
  ASSERT_TRUE(peer.ok());
  ASSERT_TRUE(
      host.handler.WaitFor([](const Record& record) { return !record.unreachable.empty(); }));
  EXPECT_EQ(host.handler.Get().reasons.at(0), "TLS handshake: no answer in 10 s");
}

// Records that carry no data, faster than they can be worked off.
TEST_F(TlsTest, KeyUpdatesOfOneHoldUpNobodyElse) {
  TestHost host(WithTls(authority_.Issue()));
  TestHost other(WithTls(authority_.Issue()));
  ASSERT_TRUE(host.Start());
  ASSERT_TRUE(other.Start());
  const TlsFiles files = authority_.Issue();
  RawTlsClient client(host.address(), [&](SSL_CTX* context) { Present(context, files); });
  ASSERT_TRUE(client.connected());
  const std::string flood =
      client.KeyUpdates(60'000, FrameOf(codec::FrameMethod::kMessageBatch,
                                        BatchOf({HeartbeatOf(1, 9)}), codec::PayloadCheck::kNone));
  std::jthread flooder([&] { client.peer().Write(flood); });
  other.SendNow(host.address(), HeartbeatOf(1, 1));
  ASSERT_TRUE(host.handler.WaitForMessages(2));
  EXPECT_EQ(CommitOf(host.handler.Get().messages.at(0)), 1u);
  EXPECT_EQ(CommitOf(host.handler.Get().messages.at(1)), 9u);
}

}  // namespace
}  // namespace drumbeat::transport
