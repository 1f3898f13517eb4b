// SPDX-License-Identifier: Apache-2.0
#include "transport/tcp_link.h"

#include <chrono>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <sys/resource.h>
#include <vector>

#include <gtest/gtest.h>

#include "base/few_descriptors.h"
#include "transport/frames.h"
#include "transport/raw_peer.h"
#include "transport/recording_handler.h"

namespace drumbeat::transport {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Record = RecordingHandler::Record;

/// Reads one frame of a message connection.
std::optional<codec::MessageBatch> ReadBatch(RawPeer& peer) {
  const std::string prefix = peer.ReadExactly(codec::kFramePrefixBytes, seconds(10));
  if (prefix.size() != codec::kFramePrefixBytes) return std::nullopt;
  const auto header = codec::DecodeFrameHeader(prefix.substr(codec::kMagicBytes), 1u << 30);
  if (!header) return std::nullopt;
  const std::string payload = peer.ReadExactly(header->payload_bytes, seconds(10));
  if (!codec::PayloadMatches(*header, payload, codec::PayloadCheck::kCrc32)) return std::nullopt;
  auto batch = codec::DecodeMessageBatch(base::Bytes::Copy(payload));
  return batch ? std::optional(std::move(*batch)) : std::nullopt;
}

/// The next connection to `listener`, which begins with the heartbeat that commits `commit`.
RawPeer AcceptWith(RawListener& listener, std::uint64_t commit) {
  RawPeer peer = listener.Accept(seconds(10));
  EXPECT_TRUE(peer.ok());
  const auto batch = ReadBatch(peer);
  EXPECT_TRUE(batch && CommitOf(batch->messages.at(0)) == commit);
  return peer;
}

class TcpLinkTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(host_.Start()); }

  TestHost host_;
  RawListener listener_;
};

TEST_F(TcpLinkTest, OneFlushSendsAllShardsInFewBatches) {
  host_.SendNow(listener_.address(), HeartbeatOf(1, 1));
  RawPeer peer = listener_.Accept(seconds(10));
  ASSERT_TRUE(peer.ok());
  ASSERT_TRUE(ReadBatch(peer));
  for (std::uint64_t shard = 1; shard <= 100; ++shard) {
    host_.transport->Send(listener_.address(), HeartbeatOf(shard, shard));
  }
  host_.transport->Flush();
  // The thread that is about to end its first write may take up some of them before the flush.
  std::size_t messages = 0;
  for (std::size_t batches = 0; batches < 3 && messages < 100; ++batches) {
    const auto batch = ReadBatch(peer);
    ASSERT_TRUE(batch);
    messages += batch->messages.size();
    EXPECT_EQ(batch->source_address, "test-host:1");
    EXPECT_EQ(batch->deployment_id, 1u);
    EXPECT_EQ(batch->bin_version, codec::kBinVersion);
  }
  EXPECT_EQ(messages, 100u);
}

TEST_F(TcpLinkTest, AClosedConnectionIsNoticedAndTheNextMessageIsNotSpentOnIt) {
  host_.SendNow(listener_.address(), HeartbeatOf(1, 1));
  RawPeer first = listener_.Accept(seconds(10));
  ASSERT_TRUE(ReadBatch(first));
  first.Close();
  ASSERT_TRUE(
      host_.handler.WaitFor([](const Record& record) { return !record.unreachable.empty(); }));
  EXPECT_TRUE(host_.sink->WaitFor("W | transport: breaker " + listener_.address() +
                                  " failed, connect and process failed: closed by the other side"));
  host_.SendNow(listener_.address(), HeartbeatOf(1, 2));
  const RawPeer second = AcceptWith(listener_, 2);
}

TEST(TcpLinkMemoryTest, WhoIsToldHasNoMemoryAndTheLinkGoesOn) {
  TestHost host;
  host.handler.after_unreachable = [] { throw std::bad_alloc(); };
  ASSERT_TRUE(host.Start());
  RawListener listener;
  host.SendNow(listener.address(), HeartbeatOf(1, 1));
  RawPeer first = listener.Accept(seconds(10));
  ASSERT_TRUE(ReadBatch(first));
  first.Close();
  ASSERT_TRUE(host.sink->WaitFor("an event was lost: std::bad_alloc"));
  host.SendNow(listener.address(), HeartbeatOf(1, 2));
  RawPeer second = listener.Accept(seconds(10));
  ASSERT_TRUE(second.ok());
  EXPECT_TRUE(ReadBatch(second));
}

TEST_F(TcpLinkTest, APeerThatSpeaksAnotherProtocolIsLeftWithPauses) {
  const auto start = std::chrono::steady_clock::now();
  int connections = 0;
  while (std::chrono::steady_clock::now() - start < seconds(2)) {
    host_.SendNow(listener_.address(), HeartbeatOf(1, 1));
    RawPeer peer = listener_.Accept(milliseconds(100));
    if (!peer.ok()) continue;
    ++connections;
    peer.Write("SSH-2.0-OpenSSH_9.2\r\n");
    peer.WaitForEnd(seconds(10));
  }
  EXPECT_GE(connections, 2);
  EXPECT_LE(connections, 9);
  EXPECT_TRUE(host_.sink->WaitFor("unexpected bytes came back"));
}

TEST(TcpLinkStallTest, APeerThatNeverReadsCostsNobodyElseAnything) {
  TcpOptions options;
  options.max_send_queue_bytes = 4u << 20;
  TestHost host(options);
  ASSERT_TRUE(host.Start());
  RawListener deaf_listener(4096);
  RawListener good_listener;
  host.SendNow(deaf_listener.address(), HeartbeatOf(1, 1));
  RawPeer deaf = deaf_listener.Accept(seconds(10));
  ASSERT_TRUE(deaf.ok());

  auto longest = std::chrono::steady_clock::duration::zero();
  for (std::uint64_t i = 1; i <= 3000; ++i) {
    const auto start = std::chrono::steady_clock::now();
    host.SendNow(deaf_listener.address(), AppendOf(1, i, 10'000));
    longest = std::max(longest, std::chrono::steady_clock::now() - start);
  }
  EXPECT_LT(longest, seconds(2)) << "Send() and Flush() do not wait for a peer";
  host.SendNow(good_listener.address(), HeartbeatOf(1, 9));
  RawPeer good = good_listener.Accept(seconds(10));
  ASSERT_TRUE(good.ok());
  EXPECT_TRUE(ReadBatch(good));
  // It is given up when it has taken nothing for 5 s.
  ASSERT_TRUE(host.handler.WaitFor([&](const Record& record) {
    return record.unreachable == std::vector<std::string>{deaf_listener.address()};
  }));
}

TcpOptions AnySize() {
  TcpOptions options;
  options.max_send_queue_bytes = std::numeric_limits<std::size_t>::max();
  return options;
}

// Whoever makes it must not keep the right to write.
TEST(TcpLinkMemoryTest, AFrameForWhichThereIsNoMemoryCostsItsConnectionOnly) {
  TestHost host(AnySize());
  ASSERT_TRUE(host.Start());
  RawListener listener;
  host.SendNow(listener.address(), HeartbeatOf(1, 1));
  RawPeer first = listener.Accept(seconds(10));
  ASSERT_TRUE(ReadBatch(first));
  ASSERT_NO_THROW(host.SendNow(listener.address(), AppendOfTooMuch()));
  EXPECT_TRUE(first.WaitForEnd(seconds(10)));
  EXPECT_TRUE(host.handler.WaitFor([](const Record& record) {
    return record.reasons == std::vector<std::string>{"out of memory"};
  }));
  host.SendNow(listener.address(), HeartbeatOf(1, 2));
  const RawPeer second = AcceptWith(listener, 2);
  const auto start = std::chrono::steady_clock::now();
  host.transport->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(2));
}

TEST_F(TcpLinkTest, AStoppedPeerDoesNotHoldUpTheEnd) {
  host_.SendNow(listener_.address(), AppendOf(1, 1, 32u << 20));
  RawPeer deaf = listener_.Accept(seconds(10));
  ASSERT_TRUE(deaf.ok());
  const auto start = std::chrono::steady_clock::now();
  host_.transport->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(2));
}

// Whoever sends a message may name an address to answer to.
TEST(ManyLinksTest, AddressesOfStrangersLeaveRoomForAMembers) {
  TestHost host;
  ASSERT_TRUE(host.Start());
  RawListener listener;
  for (int i = 0; i < 17'000; ++i) {
    const std::string nobody =
        "127.7." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250) + ":1";
    host.transport->Send(nobody, HeartbeatOf(1, 1));
    if (i % 100 == 0) host.transport->Flush();
  }
  RawPeer member;
  for (int tries = 0; tries < 100 && !member.ok(); ++tries) {
    host.SendNow(listener.address(), HeartbeatOf(1, 7));
    member = listener.Accept(milliseconds(200));
  }
  EXPECT_TRUE(member.ok());
}

/// A running host of a process that may have so many descriptors.
std::unique_ptr<TestHost> HostWith(rlim_t descriptors) {
  std::unique_ptr<TestHost> host;
  {
    const base::FewDescriptors few(descriptors);
    host = std::make_unique<TestHost>();
  }
  EXPECT_TRUE(host->Start());
  return host;
}

TEST(ManyLinksTest, ConnectionsToOthersLeaveDescriptorsForTheRest) {
  const std::unique_ptr<TestHost> host = HostWith(256);
  constexpr std::size_t kShare = 256 / 4;
  std::vector<RawListener> listeners(kShare + 1);
  std::vector<RawPeer> peers;
  for (std::size_t i = 0; i < kShare; ++i) {
    host->SendNow(listeners[i].address(), HeartbeatOf(1, 7));
    peers.push_back(AcceptWith(listeners[i], 7));
  }
  // Whoever has been idle for longest makes room, but nobody who was just used.
  host->SendNow(listeners.back().address(), HeartbeatOf(1, 8));
  RawPeer late;
  for (int tries = 0; tries < 100 && !late.ok(); ++tries) {
    host->SendNow(listeners.back().address(), HeartbeatOf(1, 9));
    for (std::size_t i = 1; i < kShare; ++i)
      host->transport->Send(listeners[i].address(), HeartbeatOf(1, 9));
    host->transport->Flush();
    late = listeners.back().Accept(milliseconds(100));
  }
  EXPECT_TRUE(late.ok());
  EXPECT_TRUE(host->sink->WaitFor("as the limit of open files allows"));
  EXPECT_TRUE(peers.front().WaitForEnd(seconds(10)));
}

// Addresses that answer nothing keep their places for as long as a dial may take.
TEST(ManyLinksTest, DialsThatLeadNowhereMakeRoom) {
  const std::unique_ptr<TestHost> host = HostWith(64);
  std::vector<RawListener> nowhere(64 / 4);
  for (RawListener& nobody : nowhere) {
    nobody.AnswerNobody();
    host->SendNow(nobody.address(), HeartbeatOf(1, 1));
  }
  RawListener listener;
  RawPeer member;
  for (int tries = 0; tries < 100 && !member.ok(); ++tries) {
    host->SendNow(listener.address(), HeartbeatOf(1, 9));
    member = listener.Accept(milliseconds(100));
  }
  EXPECT_TRUE(member.ok());
  EXPECT_TRUE(host->sink->WaitFor("it made room for others"));
}

}  // namespace
}  // namespace drumbeat::transport
