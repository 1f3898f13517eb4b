// SPDX-License-Identifier: Apache-2.0
#include "transport/tcp_acceptor.h"

#include <string>
#include <sys/resource.h>
#include <vector>

#include <gtest/gtest.h>

#include "base/few_descriptors.h"
#include "base/resident_memory.h"
#include "transport/frames.h"
#include "transport/raw_peer.h"
#include "transport/recording_handler.h"

namespace drumbeat::transport {
namespace {

using std::chrono::seconds;

TcpOptions TwentyPlaces() {
  TcpOptions options;
  options.max_connections = 20;
  return options;
}

/// The first one to send something.
RawPeer FirstPeer(TestHost& host) {
  RawPeer peer = RawPeer::To(host.address());
  EXPECT_TRUE(peer.Write(HeartbeatFrame(1)));
  EXPECT_TRUE(host.handler.WaitForMessages(1));
  return peer;
}

/// Where `host_address` listens, on 127.0.0.1.
sockaddr_in Target(const std::string& host_address) {
  const std::string port = host_address.substr(host_address.rfind(':') + 1);
  sockaddr_in target{};
  target.sin_family = AF_INET;
  target.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return target;
}

TEST(TcpAcceptorTest, StrangersMakeRoomForHonestPeers) {
  TestHost host(TwentyPlaces());
  ASSERT_TRUE(host.Start());
  RawPeer honest = FirstPeer(host);

  std::vector<RawPeer> idle;
  for (int i = 0; i < 100; ++i) {
    idle.push_back(RawPeer::To(host.address()));
    ASSERT_TRUE(idle.back().ok());
  }
  // The oldest of those that never said anything are gone, one that did is not.
  for (std::size_t i = 0; i < 80; ++i) EXPECT_TRUE(idle[i].WaitForEnd(seconds(10))) << i;
  ASSERT_TRUE(honest.Write(HeartbeatFrame(2)));
  ASSERT_TRUE(host.handler.WaitForMessages(2));
  RawPeer late = RawPeer::To(host.address());
  ASSERT_TRUE(late.Write(HeartbeatFrame(3)));
  ASSERT_TRUE(host.handler.WaitForMessages(3));
}

/// A connection to `address` that comes from `digit` in 127.0.0.x.
RawPeer From(std::uint32_t digit, const std::string& address) {
  RawPeer peer(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl((127u << 24) + digit);
  EXPECT_EQ(::bind(peer.descriptor(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)), 0);
  const sockaddr_in target = Target(address);
  EXPECT_EQ(
      ::connect(peer.descriptor(), reinterpret_cast<const sockaddr*>(&target), sizeof(target)), 0);
  return peer;
}

TEST(TcpAcceptorTest, OneMachineDoesNotTakeThePlacesOfOthers) {
  TestHost host(TwentyPlaces());
  ASSERT_TRUE(host.Start());
  std::uint64_t sent = 0;
  std::vector<RawPeer> honest;
  for (std::uint32_t machine = 2; machine <= 4; ++machine) {
    honest.push_back(From(machine, host.address()));
    ASSERT_TRUE(honest.back().Write(HeartbeatFrame(1)));
    ASSERT_TRUE(host.handler.WaitForMessages(++sent));
  }
  // What it says looks as good as theirs, and it spoke last.
  std::vector<RawPeer> crowd;
  for (int i = 0; i < 100; ++i) {
    crowd.push_back(From(1, host.address()));
    ASSERT_TRUE(crowd.back().Write(HeartbeatFrame(1)));
    ASSERT_TRUE(host.handler.WaitForMessages(++sent));
  }
  EXPECT_TRUE(crowd.front().WaitForEnd(seconds(10)));
  for (RawPeer& peer : honest) {
    ASSERT_TRUE(peer.Write(HeartbeatFrame(2)));
    ASSERT_TRUE(host.handler.WaitForMessages(++sent));
  }
}

// Who announces a snapshot makes a claim like any other.
TEST(TcpAcceptorTest, SnapshotsDoNotTakeThePlacesOfOtherMachines) {
  TestHost host(TwentyPlaces());
  ASSERT_TRUE(host.Start());
  RawPeer honest = From(2, host.address());
  ASSERT_TRUE(honest.Write(HeartbeatFrame(1)));
  ASSERT_TRUE(host.handler.WaitForMessages(1));
  const std::string chunk =
      FrameOf(codec::FrameMethod::kSnapshotChunk, codec::EncodeChunk(ChunkOf(0, 2, "x")));
  std::vector<RawPeer> crowd;
  for (std::size_t i = 1; i <= 60; ++i) {
    crowd.push_back(From(1, host.address()));
    ASSERT_TRUE(crowd.back().Write(chunk));
    ASSERT_TRUE(
        host.handler.WaitFor([i](const auto& record) { return record.chunks.size() == i; }));
  }
  EXPECT_TRUE(crowd.front().WaitForEnd(seconds(10)));
  ASSERT_TRUE(honest.Write(HeartbeatFrame(2)));
  EXPECT_TRUE(host.handler.WaitForMessages(2));
}

// It keeps each frame just short of its end, for as long as the time limits let it.
TEST(TcpAcceptorTest, OneMachineDoesNotTakeTheMemoryOfOthers) {
  TcpOptions options;
  options.max_frame_bytes = 1u << 20;
  TestHost host(options);
  ASSERT_TRUE(host.Start());
  const std::string frame = FrameOf(codec::FrameMethod::kSnapshotChunk,
                                    codec::EncodeChunk(ChunkOf(0, 2, std::string(1'000'000, 'x'))));
  std::vector<RawPeer> crowd;
  for (int i = 0; i < 6; ++i) {
    crowd.push_back(From(1, host.address()));
    // It may be refused meanwhile.
    (void)crowd.back().Write(std::string_view(frame).substr(0, frame.size() - 1));
  }
  ASSERT_TRUE(host.sink->WaitFor("too much memory is taken by unfinished frames"));
  RawPeer honest = From(2, host.address());
  ASSERT_TRUE(honest.Write(frame));
  EXPECT_TRUE(host.handler.WaitFor([](const auto& record) { return record.chunks.size() == 1; }));
}

// Several networks together can use up the whole budget.
TEST(TcpAcceptorTest, SmallMessagesInPiecesPassWhenOthersHaveTakenAllMemory) {
  RecordingHandler handler;
  TcpContext context(TcpOptions(), logging::Logger(nullptr, LogLevel::kInfo, "test"));
  context.handler = &handler;
  context.heard_from = [](const std::string&) {};
  ASSERT_TRUE(context.receive_budget.Take(context.receive_budget.limit));
  std::vector<Tcp::acceptor> listeners;
  listeners.emplace_back(context.io, Tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  RawPeer peer = RawPeer::To(ToText(listeners[0].local_endpoint()));
  TcpAcceptor acceptor(context, std::move(listeners));
  acceptor.Start();
  const auto run_until = [&](std::size_t messages) {
    const auto limit = context.Now() + seconds(10);
    while (handler.Get().messages.size() < messages && context.io.run_one_until(limit) > 0)
      continue;
    return handler.Get().messages.size() == messages;
  };
  // What is behind the first message is read with it.
  const std::string bytes = HeartbeatFrame(1) + HeartbeatFrame(2);
  ASSERT_TRUE(peer.Write(std::string_view(bytes).substr(0, bytes.size() - 1)));
  ASSERT_TRUE(run_until(1));
  ASSERT_TRUE(peer.Write(std::string_view(bytes).substr(bytes.size() - 1)));
  EXPECT_TRUE(run_until(2));
  acceptor.Stop();
}

TEST(TcpAcceptorTest, WhoSpeaksForAnotherDeploymentIsAStranger) {
  TestHost host(TwentyPlaces());
  ASSERT_TRUE(host.Start());
  RawPeer honest = FirstPeer(host);
  const std::string foreign =
      FrameOf(codec::FrameMethod::kMessageBatch, BatchOf({HeartbeatOf(128, 1)}, 9));
  std::vector<RawPeer> others;
  for (int i = 0; i < 60; ++i) {
    others.push_back(RawPeer::To(host.address()));
    ASSERT_TRUE(others.back().Write(foreign));
  }
  for (std::size_t i = 0; i < 40; ++i) EXPECT_TRUE(others[i].WaitForEnd(seconds(10))) << i;
  ASSERT_TRUE(honest.Write(HeartbeatFrame(2)));
  EXPECT_TRUE(host.handler.WaitForMessages(2));
}

TEST(TcpAcceptorTest, AnIdleConnectionCostsLittleMemory) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers need memory of their own";
#endif
  constexpr std::size_t kConnections = 400;
  ASSERT_TRUE(AllowDescriptors(4096));
  TcpOptions options;
  options.max_connections = 2 * kConnections;
  TestHost host(options);
  ASSERT_TRUE(host.Start());
  std::vector<RawPeer> peers;
  peers.reserve(kConnections);
  const auto connect = [&] {
    peers.push_back(RawPeer::To(host.address()));
    ASSERT_TRUE(peers.back().ok());
    ASSERT_TRUE(peers.back().Write(HeartbeatFrame(1)));
    ASSERT_TRUE(host.handler.WaitForMessages(peers.size()));
  };
  for (int i = 0; i < 20; ++i) connect();
  const std::size_t before = base::ResidentBytes();
  while (peers.size() < kConnections) connect();
  EXPECT_LT(base::ResidentBytes() - before, kConnections * (16u << 10));
}

// Only for want of descriptors or memory does it help to close one.
TEST(TcpAcceptorTest, WhatIsNotAcceptedCostsNoConnection) {
  TcpOptions options;
  options.listen_fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in any_port = Target("127.0.0.1:0");
  ASSERT_EQ(
      ::bind(options.listen_fd, reinterpret_cast<const sockaddr*>(&any_port), sizeof(any_port)), 0);
  TestHost host(options);
  ASSERT_TRUE(host.Start());
  RawPeer honest = FirstPeer(host);
  // From now on accept() refuses each time.
  ASSERT_EQ(::shutdown(options.listen_fd, SHUT_RD), 0);
  ASSERT_TRUE(host.sink->WaitFor("cannot accept a connection: Invalid argument"));
  ASSERT_TRUE(honest.Write(HeartbeatFrame(2)));
  EXPECT_TRUE(host.handler.WaitForMessages(2));
}

TEST(TcpAcceptorTest, SurvivesWithoutDescriptors) {
  TestHost host;
  ASSERT_TRUE(host.Start());
  std::vector<RawPeer> peers;
  peers.push_back(RawPeer::To(host.address()));
  ASSERT_TRUE(peers.back().Write(HeartbeatFrame(1)));
  ASSERT_TRUE(host.handler.WaitForMessages(1));

  // The client's socket exists already; the accepting one finds no free number.
  RawPeer waiting(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  {
    const base::FewDescriptors few(static_cast<rlim_t>(waiting.descriptor()) + 1);
    const sockaddr_in target = Target(host.address());
    EXPECT_EQ(
        ::connect(waiting.descriptor(), reinterpret_cast<const sockaddr*>(&target), sizeof(target)),
        0);
    EXPECT_TRUE(host.sink->WaitFor("cannot accept a connection: Too many open files"));
  }
  ASSERT_TRUE(waiting.Write(HeartbeatFrame(2)));
  EXPECT_TRUE(host.handler.WaitForMessages(2));
}

}  // namespace
}  // namespace drumbeat::transport
