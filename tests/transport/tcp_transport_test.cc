// SPDX-License-Identifier: Apache-2.0
#include "transport/tcp_transport.h"

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "transport/breaker.h"
#include "transport/messages.h"
#include "transport/recording_handler.h"
#include "transport/time.h"

namespace drumbeat::transport {
namespace {

using Record = RecordingHandler::Record;

TEST(TcpTransportTest, TwoHostsExchangeMessages) {
  TestHost a(TcpOptions{.raft_address = "host-a:1", .listen_address = "localhost:0", .tls = {}});
  TestHost b(TcpOptions{.raft_address = "host-b:2", .listen_address = "localhost:0", .tls = {}});
  ASSERT_TRUE(a.Start());
  ASSERT_TRUE(b.Start());
  a.SendNow(b.address(), HeartbeatOf(128, 7));
  ASSERT_TRUE(b.handler.WaitForMessages(1));
  b.SendNow(a.address(), AppendOf(128, 9, 1000));
  ASSERT_TRUE(a.handler.WaitForMessages(1));

  const Record at_b = b.handler.Get();
  EXPECT_EQ(CommitOf(at_b.messages.at(0)), 7u);
  EXPECT_EQ(at_b.sources.at(0), "host-a:1");
  const Record at_a = a.handler.Get();
  const auto& append = std::get<raft::AppendEntries>(at_a.messages.at(0).message);
  EXPECT_EQ(append.entries.at(0).command.size(), 1000u);
  EXPECT_EQ(at_a.connected, std::vector<std::string>{b.address()});
  EXPECT_TRUE(at_a.unreachable.empty());
}

TEST(TcpTransportTest, AStreamSetUpIsLoggedOnceAndNothingElse) {
  TestHost a;
  TestHost b;
  ASSERT_TRUE(a.Start());
  ASSERT_TRUE(b.Start());
  for (std::uint64_t i = 1; i <= 100; ++i) {
    a.SendNow(b.address(), HeartbeatOf(128, i));
    ASSERT_TRUE(b.handler.WaitForMessages(i));
  }
  EXPECT_EQ(a.sink->lines(),
            std::vector<std::string>{"I | transport: raft TCP stream from [00128:00001] to "
                                     "[00128:00002] established"});
  EXPECT_TRUE(b.sink->lines().empty());
}

TEST(TcpTransportTest, ManyThreadsKeepTheOrderOfEachShard) {
  constexpr std::uint64_t kThreads = 4;
  constexpr std::uint64_t kMessages = 3000;
  TestHost a;
  TestHost b;
  ASSERT_TRUE(a.Start());
  ASSERT_TRUE(b.Start());
  const std::string to = b.address();
  std::vector<std::thread> threads;
  for (std::uint64_t shard = 1; shard <= kThreads; ++shard) {
    threads.emplace_back([&, shard] {
      for (std::uint64_t i = 1; i <= kMessages; ++i) {
        a.transport->Send(to, i % 50 == 0 ? AppendOf(shard, i, 5000) : HeartbeatOf(shard, i));
        if (i % 7 == 0 || i == kMessages) a.transport->Flush();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(b.handler.WaitForMessages(kThreads * kMessages));
  EXPECT_TRUE(InOrder(b.handler.Get().messages));
}

TEST(TcpTransportTest, MessagesLargerThanAnyBufferArriveWhole) {
  TestHost a;
  TestHost b;
  ASSERT_TRUE(a.Start());
  ASSERT_TRUE(b.Start());
  for (const std::size_t bytes : {1u << 16, 1u << 20, 20u << 20}) {
    a.transport->Send(b.address(), HeartbeatOf(1, 1));
    a.SendNow(b.address(), AppendOf(1, 5, bytes));
  }
  ASSERT_TRUE(b.handler.WaitForMessages(6));
  std::vector<std::size_t> sizes;
  for (const raft::Envelope& envelope : b.handler.Get().messages) {
    const auto* append = std::get_if<raft::AppendEntries>(&envelope.message);
    if (append == nullptr) continue;
    const std::string_view command = append->entries.at(0).command.view();
    EXPECT_EQ(command.find_first_not_of('f'), std::string_view::npos);
    sizes.push_back(command.size());
  }
  EXPECT_EQ(sizes, (std::vector<std::size_t>{1u << 16, 1u << 20, 20u << 20}));
}

TEST(TcpTransportTest, APeerThatRestartsGetsTheFirstMessageSentAfterwards) {
  TestHost a;
  ASSERT_TRUE(a.Start());
  std::string address = "localhost:0";
  for (int round = 0; round < 5; ++round) {
    TestHost b(TcpOptions{.raft_address = "b:1", .listen_address = address, .tls = {}});
    ASSERT_FALSE(b.error) << b.error->message;
    address = b.address();
    ASSERT_TRUE(b.Start());
    // Exactly one message: were it lost, nothing would repeat it.
    a.SendNow(address, HeartbeatOf(1, 100));
    ASSERT_TRUE(b.handler.WaitForMessages(1)) << "round " << round;
    b.transport->Stop();
    ASSERT_TRUE(a.handler.WaitFor([&](const Record& record) {
      return record.unreachable.size() == static_cast<std::size_t>(round) + 1;
    }));
  }
}

TEST(TcpTransportTest, WhatIsSentWhileAPeerStartsReachesIt) {
  std::string address;
  {
    TestHost placeholder;
    address = placeholder.address();
  }
  TestHost a;
  ASSERT_TRUE(a.Start());
  a.SendNow(address, HeartbeatOf(1, 1));
  ASSERT_TRUE(a.handler.WaitFor([](const Record& record) { return !record.unreachable.empty(); }));
  TestHost b(TcpOptions{.raft_address = "b:1", .listen_address = address, .tls = {}});
  ASSERT_FALSE(b.error) << b.error->message;
  ASSERT_TRUE(b.Start());
  a.SendNow(address, HeartbeatOf(1, 2));
  ASSERT_TRUE(b.handler.WaitFor([](const Record& record) {
    return !record.messages.empty() && CommitOf(record.messages.back()) == 2;
  }));
  EXPECT_TRUE(a.sink->WaitFor("W | transport: breaker " + address +
                              " failed, connect and process failed: connect to "));
  EXPECT_TRUE(a.sink->WaitFor("I | transport: " + address + " is reached again after "));
  EXPECT_TRUE(a.sink->WaitFor("established"));
}

// The shortest pause behind a failed dial is half of the first one: whoever is reached earlier was
// dialled because it was heard of. A slow machine gets some tries.
TEST(TcpTransportTest, APeerThatSpeaksIsDialledWithoutAPause) {
  bool sooner = false;
  for (int i = 0; i < 20 && !sooner; ++i) {
    std::string address;
    {
      TestHost placeholder;
      address = placeholder.address();
    }
    TestHost a;
    ASSERT_TRUE(a.Start());
    const Time dialled = Clock::now();
    a.SendNow(address, HeartbeatOf(1, 1));
    ASSERT_TRUE(
        a.handler.WaitFor([](const Record& record) { return !record.unreachable.empty(); }));
    TestHost b(TcpOptions{.raft_address = address, .listen_address = address, .tls = {}});
    ASSERT_FALSE(b.error) << b.error->message;
    ASSERT_TRUE(b.Start());
    b.SendNow(a.address(), HeartbeatOf(1, 2));
    ASSERT_TRUE(b.handler.WaitForMessages(1));
    sooner = Clock::now() - dialled < Breaker::kFirstPause / 2;
  }
  EXPECT_TRUE(sooner);
}

TEST(TcpTransportTest, WhatWasFlushedBeforeStopReachesThePeer) {
  TestHost b;
  ASSERT_TRUE(b.Start());
  for (int round = 0; round < 20; ++round) {
    TestHost a;
    ASSERT_TRUE(a.Start());
    a.SendNow(b.address(), HeartbeatOf(1, 1));
    a.transport->Stop();
  }
  EXPECT_TRUE(b.handler.WaitForMessages(20));
}

TEST(TcpTransportTest, StopIsPromptAlsoWithPeersThatDoNotAnswer) {
  TestHost a;
  ASSERT_TRUE(a.Start());
  a.SendNow("localhost:1", HeartbeatOf(1, 1));
  a.SendNow("no-such-host.invalid:1", HeartbeatOf(1, 1));
  a.SendNow("203.0.113.1:63001", HeartbeatOf(1, 1));
  a.SendNow("not an address", HeartbeatOf(1, 1));
  const auto start = std::chrono::steady_clock::now();
  a.transport->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

TEST(TcpTransportTest, AfterStopNothingIsTakenAndNothingIsTold) {
  TestHost a;
  TestHost b;
  ASSERT_TRUE(a.Start());
  ASSERT_TRUE(b.Start());
  b.transport->Stop();
  b.transport->Stop();
  a.SendNow(b.address(), HeartbeatOf(1, 1));
  ASSERT_TRUE(a.handler.WaitFor([](const Record& record) { return !record.unreachable.empty(); }));
  b.SendNow(a.address(), HeartbeatOf(1, 1));
  EXPECT_TRUE(b.handler.Get().messages.empty());
  EXPECT_TRUE(a.handler.Get().messages.empty());
  EXPECT_FALSE(b.Start());
}

TEST(TcpTransportTest, StopRacesWithEverythingElse) {
  for (int round = 0; round < 20; ++round) {
    TestHost a;
    TestHost b;
    ASSERT_TRUE(a.Start());
    ASSERT_TRUE(b.Start());
    std::atomic<bool> enough = false;
    std::vector<std::thread> threads;
    for (std::uint64_t shard = 1; shard <= 3; ++shard) {
      threads.emplace_back([&, shard] {
        for (std::uint64_t i = 1; !enough; ++i) {
          a.SendNow(b.address(), AppendOf(shard, i, 3000));
          b.SendNow(a.address(), HeartbeatOf(shard, i));
        }
      });
    }
    b.handler.WaitForMessages(static_cast<std::size_t>(round) * 20);
    a.transport->Stop();
    b.transport->Stop();
    enough = true;
    for (std::thread& thread : threads) thread.join();
  }
}

TEST(TcpTransportTest, ATakenPortIsKnownBeforeAnythingElse) {
  TestHost a;
  TestHost b(TcpOptions{.raft_address = "b:1", .listen_address = a.address(), .tls = {}});
  ASSERT_TRUE(b.error);
  EXPECT_EQ(b.error->code, ErrorCode::kAddressInUse);
  EXPECT_NE(b.error->message.find(a.address()), std::string::npos);
  EXPECT_EQ(b.error->message.find('\n'), std::string::npos);
}

TEST(TcpTransportTest, AnUnreachableAddressIsToldOnceWithItsReason) {
  TestHost a;
  ASSERT_TRUE(a.Start());
  a.SendNow("nobody here", HeartbeatOf(1, 1));
  ASSERT_TRUE(a.handler.WaitFor([](const Record& record) { return !record.unreachable.empty(); }));
  EXPECT_EQ(a.handler.Get().unreachable.at(0), "nobody here");
  EXPECT_EQ(a.handler.Get().reasons.at(0), "not a host:port address");
}

}  // namespace
}  // namespace drumbeat::transport
