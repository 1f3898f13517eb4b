// SPDX-License-Identifier: Apache-2.0
#include "transport/listener.h"

#include <netinet/in.h>
#include <set>
#include <string>
#include <sys/socket.h>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "transport/frames.h"
#include "transport/raw_peer.h"
#include "transport/recording_handler.h"

namespace drumbeat::transport {
namespace {

/// Whether something accepts connections at this endpoint.
bool Answers(asio::io_context& context, const std::string& address, std::uint16_t port) {
  Tcp::socket socket(context);
  AsioError error;
  socket.connect({asio::ip::make_address(address), port}, error);
  return !error;
}

class ListenerTest : public testing::Test {
 protected:
  asio::io_context context_;
};

TEST_F(ListenerTest, ANameIsBoundOnAllItsAddressesWithOnePort) {
  const auto sockets = Listen(context_, "localhost:0");
  ASSERT_TRUE(sockets) << sockets.error().message;
  std::set<std::uint16_t> ports;
  for (const Tcp::acceptor& acceptor : sockets->acceptors) {
    const Tcp::endpoint endpoint = acceptor.local_endpoint();
    EXPECT_TRUE(endpoint.address().is_loopback());
    EXPECT_TRUE(Answers(context_, endpoint.address().to_string(), endpoint.port()));
    ports.insert(endpoint.port());
  }
  ASSERT_EQ(ports.size(), 1u);
  EXPECT_NE(*ports.begin(), 0);
  EXPECT_EQ(sockets->address, "localhost:" + std::to_string(*ports.begin()));
  EXPECT_TRUE(Answers(context_, "127.0.0.1", *ports.begin()));
}

TEST_F(ListenerTest, AddressesInDigits) {
  const auto v4 = Listen(context_, "127.0.0.1:0");
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->acceptors.size(), 1u);
  EXPECT_TRUE(v4->address.starts_with("127.0.0.1:"));
  const auto all = Listen(context_, "0.0.0.0:0");
  ASSERT_TRUE(all);
  EXPECT_TRUE(Answers(context_, "127.0.0.1", all->acceptors.at(0).local_endpoint().port()));
  const auto v6 = Listen(context_, "[::1]:0");
  if (v6) {
    EXPECT_TRUE(v6->address.starts_with("[::1]:"));
    EXPECT_TRUE(Answers(context_, "::1", v6->acceptors.at(0).local_endpoint().port()));
  } else {
    EXPECT_EQ(v6.error().code, ErrorCode::kAddressInUse) << "a machine without IPv6";
  }
}

TEST_F(ListenerTest, WhatIsNoAddressOrUnknown) {
  for (const char* address : {"", "localhost", ":1", "localhost:65536", "a b:1", "node_9:1"}) {
    const auto sockets = Listen(context_, address);
    ASSERT_FALSE(sockets) << address;
    EXPECT_EQ(sockets.error().code, ErrorCode::kInvalidAddress);
  }
  const auto unknown = Listen(context_, "no-such-host.invalid:0");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kInvalidAddress);
}

TEST_F(ListenerTest, ATakenPortIsSeenAlsoOnOneOfSeveralAddresses) {
  const auto first = Listen(context_, "127.0.0.1:0");
  ASSERT_TRUE(first);
  const std::uint16_t port = first->acceptors.at(0).local_endpoint().port();
  const auto second = Listen(context_, "localhost:" + std::to_string(port));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kAddressInUse);
  EXPECT_NE(second.error().message.find("taken"), std::string::npos) << second.error().message;
}

TEST_F(ListenerTest, AnAddressOfAnotherMachineCannotBeBound) {
  const auto sockets = Listen(context_, "203.0.113.1:0");
  ASSERT_FALSE(sockets);
  EXPECT_EQ(sockets.error().code, ErrorCode::kAddressInUse);
  EXPECT_NE(sockets.error().message.find("203.0.113.1:0"), std::string::npos);
}

TEST_F(ListenerTest, APortIsFreeAgainAtOnce) {
  std::string address = "localhost:0";
  for (int i = 0; i < 20; ++i) {
    TestHost host(TcpOptions{.raft_address = "a:1", .listen_address = address, .tls = {}});
    ASSERT_FALSE(host.error) << host.error->message;
    address = host.address();
    ASSERT_TRUE(host.Start());
    RawPeer peer = RawPeer::To(address);
    ASSERT_TRUE(peer.Write(HeartbeatFrame(1)));
    ASSERT_TRUE(host.handler.WaitForMessages(1));
  }
}

TEST_F(ListenerTest, ASocketThatThereIsServesAndStays) {
  for (const bool listening : {false, true}) {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::bind(descriptor, reinterpret_cast<const sockaddr*>(&any), sizeof(any)), 0);
    if (listening) {
      ASSERT_EQ(::listen(descriptor, 5), 0);
    }
    TcpOptions options;
    options.listen_fd = descriptor;
    TestHost host(options);
    ASSERT_FALSE(host.error) << host.error->message;
    EXPECT_TRUE(host.address().starts_with("127.0.0.1:"));
    ASSERT_TRUE(host.Start());
    RawPeer peer = RawPeer::To(host.address());
    ASSERT_TRUE(peer.Write(HeartbeatFrame(1)));
    EXPECT_TRUE(host.handler.WaitForMessages(1));
    host.transport->Stop();
    host.transport.reset();
    EXPECT_EQ(::close(descriptor), 0) << "it is its maker's to close";
  }
}

TEST_F(ListenerTest, WhatIsNoTcpSocketIsRefusedAndLeftAlone) {
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  const int datagrams = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  for (const int descriptor : {pipe_ends[0], datagrams}) {
    const auto sockets = ListenOn(context_, descriptor);
    ASSERT_FALSE(sockets);
    EXPECT_EQ(sockets.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(::close(descriptor), 0);
  }
  ::close(pipe_ends[1]);
  EXPECT_FALSE(ListenOn(context_, 1'000'000));
}

TEST_F(ListenerTest, ASocketThatIsTakenOverIsNotForChildProcesses) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in any_port{.sin_family = AF_INET,
                             .sin_port = 0,
                             .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)},
                             .sin_zero = {}};
  ASSERT_EQ(::bind(descriptor, reinterpret_cast<const sockaddr*>(&any_port), sizeof(any_port)), 0);
  const auto sockets = ListenOn(context_, descriptor);
  ASSERT_TRUE(sockets);
  EXPECT_EQ(::fcntl(descriptor, F_GETFD), FD_CLOEXEC);
}

TEST_F(ListenerTest, WithoutTlsOnANetworkThereIsOneWarning) {
  TestHost open(TcpOptions{.raft_address = "a:1", .listen_address = "0.0.0.0:0", .tls = {}});
  ASSERT_FALSE(open.error);
  ASSERT_EQ(open.sink->lines().size(), 1u);
  EXPECT_NE(open.sink->lines().at(0).find("without TLS"), std::string::npos);
  TestHost local;
  EXPECT_TRUE(local.sink->lines().empty());
}

}  // namespace
}  // namespace drumbeat::transport
