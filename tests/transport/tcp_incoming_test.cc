// SPDX-License-Identifier: Apache-2.0
#include "transport/tcp_incoming.h"

#include <atomic>
#include <chrono>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "transport/frames.h"
#include "transport/raw_peer.h"
#include "transport/recording_handler.h"

namespace drumbeat::transport {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Record = RecordingHandler::Record;

/// A running transport and strangers that connect to it.
class TcpIncomingTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(host_.Start()); }

  RawPeer Connect() {
    RawPeer peer = RawPeer::To(host_.address());
    EXPECT_TRUE(peer.ok());
    return peer;
  }
  /// An honest peer is still served.
  void ExpectService() {
    const std::size_t before = host_.handler.Get().messages.size();
    RawPeer peer = Connect();
    ASSERT_TRUE(peer.Write(HeartbeatFrame(77)));
    ASSERT_TRUE(host_.handler.WaitForMessages(before + 1));
    EXPECT_EQ(CommitOf(host_.handler.Get().messages.back()), 77u);
  }

  TestHost host_;
};

TEST_F(TcpIncomingTest, FramesInAnyPortions) {
  RawPeer peer = Connect();
  std::string bytes;
  for (std::uint64_t i = 1; i <= 50; ++i) bytes += HeartbeatFrame(i);
  for (std::size_t at = 0; at < bytes.size(); at += 13) {
    ASSERT_TRUE(peer.Write(std::string_view(bytes).substr(at, 13)));
  }
  ASSERT_TRUE(host_.handler.WaitForMessages(50));
  ASSERT_TRUE(peer.Write(bytes));
  ASSERT_TRUE(host_.handler.WaitForMessages(100));
  const Record record = host_.handler.Get();
  for (std::uint64_t i = 0; i < 100; ++i) EXPECT_EQ(CommitOf(record.messages[i]), i % 50 + 1);
  EXPECT_EQ(record.sources.at(0), "stranger:1");
}

TEST_F(TcpIncomingTest, GarbageClosesTheConnectionAtOnceAndNothingElse) {
  base::Random random(1);
  std::string noise(1u << 20, '\0');
  for (char& byte : noise) byte = static_cast<char>(random.Next());
  std::string bad_payload = HeartbeatFrame(1);
  bad_payload.back() = static_cast<char>(bad_payload.back() ^ 1);
  const std::string bad[] = {
      noise,
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "SSH-2.0-OpenSSH_9.2\r\n",
      HeaderOf(100, 0),
      HeaderOf(100, ~std::uint64_t{0}),
      HeaderOf(100, std::uint64_t{1} << 63),
      HeaderOf(200, std::uint64_t{1} << 31),
      HeaderOf(99, 10),
      HeaderOf(100, 10, 0, 1),
      bad_payload,
      FrameOf(codec::FrameMethod::kMessageBatch, "\x0b"),
      FrameOf(codec::FrameMethod::kMessageBatch, std::string(20, '\xff')),
      FrameOf(codec::FrameMethod::kSnapshotChunk, std::string(20, '\xff')),
  };
  for (const std::string& bytes : bad) {
    RawPeer peer = Connect();
    peer.Write(bytes);
    EXPECT_TRUE(peer.WaitForEnd(seconds(10))) << testing::PrintToString(bytes.substr(0, 30));
  }
  EXPECT_TRUE(host_.handler.Get().messages.empty());
  EXPECT_TRUE(host_.handler.Get().chunks.empty());
  ExpectService();
}

TEST_F(TcpIncomingTest, WhatStrangersDoIsLoggedAFewTimesOnly) {
  for (int i = 0; i < 100; ++i) {
    RawPeer peer = Connect();
    peer.Write("\x1b[31m\nevil");
    ASSERT_TRUE(peer.WaitForEnd(seconds(10)));
  }
  const std::vector<std::string> lines = host_.sink->lines();
  EXPECT_GE(lines.size(), 1u);
  EXPECT_LE(lines.size(), 10u);
  for (const std::string& line : lines) {
    EXPECT_TRUE(line.starts_with("W | transport: closed the connection from 127.0.0.1:")) << line;
  }
}

TEST_F(TcpIncomingTest, BatchesOfOthersAreDroppedAndTheConnectionStays) {
  RawPeer peer = Connect();
  const auto frame = [](const std::string& batch) {
    return FrameOf(codec::FrameMethod::kMessageBatch, batch);
  };
  ASSERT_TRUE(peer.Write(frame(BatchOf({HeartbeatOf(1, 1)}, 2))));
  ASSERT_TRUE(peer.Write(frame(BatchOf({HeartbeatOf(1, 2)}, 1, 211))));
  ASSERT_TRUE(peer.Write(frame(BatchOf({}))));
  ASSERT_TRUE(peer.Write(HeartbeatFrame(3)));
  ASSERT_TRUE(host_.handler.WaitForMessages(1));
  EXPECT_EQ(CommitOf(host_.handler.Get().messages.at(0)), 3u);
  EXPECT_TRUE(host_.sink->WaitFor("its deployment id is 2, ours 1"));
  EXPECT_TRUE(host_.sink->WaitFor("its transport version is 211, ours 210"));
}

TEST_F(TcpIncomingTest, ControlCharactersOfASourceAddressStayOutOfTheLog) {
  RawPeer peer = Connect();
  const std::string batch = codec::EncodeMessageBatch({.deployment_id = 9,
                                                       .source_address = "evil\n\x1b[31m",
                                                       .bin_version = codec::kBinVersion,
                                                       .messages = {HeartbeatOf(1, 1)},
                                                       .refused = 0});
  ASSERT_TRUE(peer.Write(FrameOf(codec::FrameMethod::kMessageBatch, batch)));
  EXPECT_TRUE(host_.sink->WaitFor("evil\\n\\x1b[31m"));
}

TEST_F(TcpIncomingTest, AnEndlessSourceAddressIsRefused) {
  RawPeer peer = Connect();
  const std::string batch = codec::EncodeMessageBatch({.deployment_id = 1,
                                                       .source_address = std::string(100'000, 'a'),
                                                       .bin_version = codec::kBinVersion,
                                                       .messages = {HeartbeatOf(1, 1)},
                                                       .refused = 0});
  ASSERT_TRUE(peer.Write(FrameOf(codec::FrameMethod::kMessageBatch, batch)));
  EXPECT_TRUE(peer.WaitForEnd(seconds(10)));
  EXPECT_TRUE(host_.handler.Get().messages.empty());
}

TEST_F(TcpIncomingTest, PoisonIsConfirmedAfterEverythingBeforeIt) {
  RawPeer peer = Connect();
  ASSERT_TRUE(peer.Write(HeartbeatFrame(1) + HeartbeatFrame(2) + std::string(codec::kPoison)));
  EXPECT_EQ(peer.ReadExactly(3, seconds(10)), codec::kPoison);
  EXPECT_EQ(host_.handler.Get().messages.size(), 2u);
}

TEST_F(TcpIncomingTest, StormsOfPoisonAndHalfClosedConnections) {
  for (int i = 0; i < 200; ++i) {
    RawPeer poison = Connect();
    poison.Write(std::string(1000, '\0'));
    RawPeer half = Connect();
    half.Write(HeartbeatFrame(1).substr(0, static_cast<std::size_t>(i % 40)));
    half.Shutdown();
    ASSERT_TRUE(half.WaitForEnd(seconds(10)));
  }
  ExpectService();
}

TEST_F(TcpIncomingTest, ASlowHeaderIsCutByAnAbsoluteLimit) {
  const std::string frame = HeartbeatFrame(1);
  const auto start = std::chrono::steady_clock::now();
  std::vector<RawPeer> peers;
  for (int i = 0; i < 50; ++i) peers.push_back(Connect());
  // A byte each 300 ms would take 6 s for the header.
  bool ended = false;
  for (std::size_t at = 0; at < frame.size() && !ended; ++at) {
    for (RawPeer& peer : peers) peer.Write(frame.substr(at, 1));
    ended = peers.front().WaitForEnd(milliseconds(300));
  }
  EXPECT_TRUE(ended);
  EXPECT_GE(std::chrono::steady_clock::now() - start, IncomingConnection::kHeaderLimit);
  for (RawPeer& peer : peers) EXPECT_TRUE(peer.WaitForEnd(seconds(5)));
  ExpectService();
}

TEST_F(TcpIncomingTest, APromisedPayloadThatDoesNotComeIsCut) {
  std::vector<RawPeer> peers;
  for (int i = 0; i < 50; ++i) {
    peers.push_back(Connect());
    ASSERT_TRUE(peers.back().Write(HeaderOf(100, 160u << 20)));
  }
  ExpectService();
  for (RawPeer& peer : peers) EXPECT_TRUE(peer.WaitForEnd(seconds(20)));
}

TEST_F(TcpIncomingTest, ChunksAreHandedOverInOrderAndConfirmed) {
  RawPeer peer = Connect();
  std::string bytes;
  for (std::uint64_t i = 0; i < 5; ++i) {
    bytes += FrameOf(codec::FrameMethod::kSnapshotChunk,
                     codec::EncodeChunk(ChunkOf(i, 5, std::string(300'000, 'x'))));
    bytes += HeartbeatFrame(i + 1);
  }
  ASSERT_TRUE(peer.Write(bytes + std::string(codec::kPoison)));
  EXPECT_EQ(peer.ReadExactly(2, seconds(10)), codec::kPoison);
  const Record record = host_.handler.Get();
  ASSERT_EQ(record.chunks.size(), 5u);
  for (std::uint64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(record.chunks[i].chunk_id, i);
    EXPECT_EQ(record.chunks[i].data.size(), 300'000u);
  }
  EXPECT_EQ(record.messages.size(), 5u);
}

TEST_F(TcpIncomingTest, ChunksOfOtherDeploymentsAreRefused) {
  codec::Chunk chunk = ChunkOf(0, 1, "x");
  chunk.deployment_id = 2;
  RawPeer peer = Connect();
  ASSERT_TRUE(peer.Write(FrameOf(codec::FrameMethod::kSnapshotChunk, codec::EncodeChunk(chunk))));
  EXPECT_TRUE(peer.WaitForEnd(seconds(10)));
  EXPECT_TRUE(host_.handler.Get().chunks.empty());
}

TEST_F(TcpIncomingTest, AFloodOfTinyMessagesDoesNotStarveOthers) {
  std::atomic<bool> enough = false;
  RawPeer flooder = Connect();
  std::thread flood([&] {
    std::string bytes;
    for (std::uint64_t i = 1; i <= 500; ++i) bytes += HeartbeatFrame(1'000'000 + i);
    while (!enough && flooder.Write(bytes)) {
    }
  });
  for (std::uint64_t i = 1; i <= 20; ++i) {
    RawPeer peer = Connect();
    peer.Write(HeartbeatFrame(i));
    const bool seen = host_.handler.WaitFor([i](const Record& record) {
      return std::ranges::any_of(record.messages,
                                 [i](const raft::Envelope& m) { return CommitOf(m) == i; });
    });
    EXPECT_TRUE(seen) << i;
  }
  enough = true;
  flooder.Shutdown();
  flood.join();
}

TEST(TcpIncomingChunkTest, WhileAChunkIsWithTheHandlerMessagesOfOthersGoOn) {
  TestHost host;
  std::atomic<bool> release = false;
  std::atomic<bool> entered = false;
  host.handler.before_chunk = [&] {
    entered = true;
    while (!release) std::this_thread::yield();
  };
  ASSERT_TRUE(host.Start());
  RawPeer slow = RawPeer::To(host.address());
  ASSERT_TRUE(slow.Write(
      FrameOf(codec::FrameMethod::kSnapshotChunk, codec::EncodeChunk(ChunkOf(0, 1, "x"))) +
      HeartbeatFrame(2)));
  while (!entered) std::this_thread::yield();
  RawPeer other = RawPeer::To(host.address());
  ASSERT_TRUE(other.Write(HeartbeatFrame(1)));
  EXPECT_TRUE(host.handler.WaitForMessages(1));
  EXPECT_EQ(CommitOf(host.handler.Get().messages.at(0)), 1u) << "not what is behind the chunk";
  release = true;
  EXPECT_TRUE(host.handler.WaitForMessages(2));
}

TEST(TcpIncomingChunkTest, ARefusedChunkEndsTheConnection) {
  TestHost host;
  host.handler.refuse_chunk = [](const codec::Chunk& chunk) { return chunk.chunk_id == 1; };
  ASSERT_TRUE(host.Start());
  RawPeer peer = RawPeer::To(host.address());
  for (std::uint64_t i = 0; i < 3; ++i) {
    peer.Write(FrameOf(codec::FrameMethod::kSnapshotChunk, codec::EncodeChunk(ChunkOf(i, 3, "x"))));
  }
  EXPECT_TRUE(peer.WaitForEnd(seconds(10)));
  EXPECT_EQ(host.handler.Get().chunks.size(), 2u);
}

// The memory for unfinished frames would not hold all of them together.
TEST(TcpIncomingChunkTest, AHandlerThatThrowsIsOneThatRefuses) {
  TcpOptions options;
  options.max_frame_bytes = 1u << 20;
  TestHost host(options);
  std::atomic<bool> no_memory = true;
  host.handler.before_chunk = [&] {
    if (no_memory) throw std::bad_alloc();
  };
  ASSERT_TRUE(host.Start());
  const std::string frame = FrameOf(codec::FrameMethod::kSnapshotChunk,
                                    codec::EncodeChunk(ChunkOf(0, 2, std::string(1'000'000, 'x'))));
  for (int i = 0; i < 5; ++i) {
    RawPeer peer = RawPeer::To(host.address());
    ASSERT_TRUE(peer.Write(frame));
    EXPECT_TRUE(peer.WaitForEnd(seconds(10)));
  }
  EXPECT_TRUE(host.sink->WaitFor("an event was lost: std::bad_alloc"));
  no_memory = false;
  RawPeer peer = RawPeer::To(host.address());
  ASSERT_TRUE(peer.Write(frame));
  EXPECT_TRUE(host.handler.WaitFor([](const auto& record) { return record.chunks.size() == 1; }));
}

/// Has no memory for the heartbeat that commits 2.
class ThrowingHandler : public RecordingHandler {
 public:
  void OnMessages(const std::string& source, std::vector<raft::Envelope> messages) override {
    if (CommitOf(messages.front()) == 2) throw std::bad_alloc();
    RecordingHandler::OnMessages(source, std::move(messages));
  }
};

// Else it stays, and nobody reads what its peer sends.
TEST(TcpIncomingMemoryTest, AMessageForWhichThereIsNoMemoryEndsItsConnection) {
  ThrowingHandler handler;
  TestHost host;
  ASSERT_TRUE(host.transport->Start(handler));
  RawPeer peer = RawPeer::To(host.address());
  RawPeer other = RawPeer::To(host.address());
  ASSERT_TRUE(other.Write(HeartbeatFrame(1)));
  ASSERT_TRUE(handler.WaitForMessages(1));
  ASSERT_TRUE(peer.Write(HeartbeatFrame(2)));
  EXPECT_TRUE(peer.WaitForEnd(seconds(10)));
  ASSERT_TRUE(other.Write(HeartbeatFrame(3)));
  EXPECT_TRUE(handler.WaitForMessages(2));
}

TEST(TcpIncomingChunkTest, TheRateOfIncomingChunksIsLimited) {
  TcpOptions options;
  options.snapshot_receive_bytes_per_second = 1'000'000;
  TestHost host(options);
  ASSERT_TRUE(host.Start());
  RawPeer peer = RawPeer::To(host.address());
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < 5; ++i) {
    ASSERT_TRUE(peer.Write(FrameOf(codec::FrameMethod::kSnapshotChunk,
                                   codec::EncodeChunk(ChunkOf(i, 5, std::string(100'000, 'x'))))));
  }
  ASSERT_TRUE(peer.Write(codec::kPoison));
  EXPECT_EQ(peer.ReadExactly(2, seconds(20)), codec::kPoison);
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(390));
}

// Else each of many gets so little that its sender gives up, and none ever ends.
TEST(TcpIncomingChunkTest, StreamsThatTheRateDoesNotCarryWaitForTheirTurn) {
  TcpOptions options;
  options.snapshot_receive_bytes_per_second = ReceiveTurns::kMinBytesPerSecond;
  TestHost host(options);
  ASSERT_TRUE(host.Start());
  const auto frame = [](const char* of, std::uint64_t id, std::size_t bytes) {
    codec::Chunk chunk = ChunkOf(id, 4, std::string(bytes, 'x'));
    chunk.file_path = of;
    return FrameOf(codec::FrameMethod::kSnapshotChunk, codec::EncodeChunk(chunk));
  };
  const auto arrived = [](std::size_t count) {
    return [count](const auto& record) { return record.chunks.size() >= count; };
  };
  RawPeer first = RawPeer::To(host.address());
  RawPeer second = RawPeer::To(host.address());
  RawPeer third = RawPeer::To(host.address());
  ASSERT_TRUE(first.Write(frame("first", 0, 1000)));
  ASSERT_TRUE(host.handler.WaitFor(arrived(1)));
  // Whole in one read, and in many.
  ASSERT_TRUE(second.Write(frame("second", 0, 1000)));
  std::thread others([&] {
    (void)third.Write(frame("third", 0, 600'000));
    (void)third.Write(codec::kPoison);
  });
  for (std::uint64_t i = 1; i < 4; ++i) EXPECT_TRUE(first.Write(frame("first", i, 300'000)));
  EXPECT_TRUE(first.Write(codec::kPoison));
  EXPECT_EQ(first.ReadExactly(2, seconds(20)), codec::kPoison);
  for (std::uint64_t i = 1; i < 4; ++i) EXPECT_TRUE(second.Write(frame("second", i, 1000)));
  EXPECT_TRUE(second.Write(codec::kPoison));
  EXPECT_EQ(second.ReadExactly(2, seconds(20)), codec::kPoison);
  others.join();
  EXPECT_EQ(third.ReadExactly(2, seconds(20)), codec::kPoison);
  const auto chunks = host.handler.Get().chunks;
  ASSERT_EQ(chunks.size(), 9u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(chunks[i].file_path, "first") << i;
}

TEST(TcpIncomingChunkTest, WhoGetsNoTurnIsTold) {
  TcpOptions options;
  options.snapshot_receive_bytes_per_second = ReceiveTurns::kMinBytesPerSecond;
  TestHost host(options);
  ASSERT_TRUE(host.Start());
  const auto chunk = [](std::uint64_t id) {
    return FrameOf(codec::FrameMethod::kSnapshotChunk,
                   codec::EncodeChunk(ChunkOf(id, 0, std::string(1000, 'x'))));
  };
  RawPeer first = RawPeer::To(host.address());
  ASSERT_TRUE(first.Write(chunk(0)));
  ASSERT_TRUE(host.handler.WaitFor([](const auto& record) { return record.chunks.size() == 1; }));
  RawPeer whole = RawPeer::To(host.address());
  ASSERT_TRUE(whole.Write(chunk(0)));
  RawPeer part = RawPeer::To(host.address());
  ASSERT_TRUE(part.Write(chunk(0).substr(0, 500)));
  // Whoever has the turn keeps it, however slow the machine is.
  std::uint64_t next = 1;
  const auto ends = [&](RawPeer& peer) {
    for (int tries = 0; tries < 20; ++tries) {
      if (peer.WaitForEnd(seconds(1))) return true;
      EXPECT_TRUE(first.Write(chunk(next++)));
    }
    return false;
  };
  EXPECT_TRUE(ends(whole));
  EXPECT_TRUE(ends(part));
  EXPECT_TRUE(host.sink->WaitFor("others take all that snapshot_receive_bytes_per_second"));
  ASSERT_TRUE(first.Write(chunk(next++)));
  EXPECT_TRUE(
      host.handler.WaitFor([&](const auto& record) { return record.chunks.size() == next; }));
}

/// Keeps the I/O thread in the handler of the heartbeat that commits 2.
class HoldingHandler : public RecordingHandler {
 public:
  void OnMessages(const std::string& source, std::vector<raft::Envelope> messages) override {
    const bool hold = CommitOf(messages.front()) == 2;
    RecordingHandler::OnMessages(source, std::move(messages));
    while (hold && !release) std::this_thread::yield();
  }
  std::atomic<bool> release = false;
};

// The time for its header runs out just as the wait for its turn begins.
TEST(TcpIncomingChunkTest, WhoseHeaderTookLongStillGetsItsTurn) {
  TcpOptions options;
  options.snapshot_receive_bytes_per_second = ReceiveTurns::kMinBytesPerSecond;
  HoldingHandler handler;
  TestHost host(options);
  ASSERT_TRUE(host.transport->Start(handler));
  const auto chunk = [](std::uint64_t id) {
    return FrameOf(codec::FrameMethod::kSnapshotChunk, codec::EncodeChunk(ChunkOf(id, 0, "x")));
  };
  RawPeer first = RawPeer::To(host.address());
  ASSERT_TRUE(first.Write(chunk(0)));
  ASSERT_TRUE(handler.WaitFor([](const auto& record) { return record.chunks.size() == 1; }));
  RawPeer second = RawPeer::To(host.address());
  const std::string next = chunk(0);
  ASSERT_TRUE(second.Write(next.substr(0, 1)));
  RawPeer other = RawPeer::To(host.address());
  ASSERT_TRUE(other.Write(HeartbeatFrame(1)));
  ASSERT_TRUE(handler.WaitForMessages(1));
  EXPECT_TRUE(other.Write(HeartbeatFrame(2)));
  EXPECT_TRUE(handler.WaitForMessages(2));
  EXPECT_TRUE(second.Write(next.substr(1, next.size() - 2)));
  EXPECT_FALSE(second.WaitForEnd(milliseconds(2100))) << "kHeaderLimit runs out";
  handler.release = true;
  ASSERT_TRUE(other.Write(HeartbeatFrame(3)));
  ASSERT_TRUE(handler.WaitForMessages(3));
  first.Close();
  ASSERT_TRUE(second.Write(next.substr(next.size() - 1)));
  EXPECT_TRUE(handler.WaitFor([](const auto& record) { return record.chunks.size() == 2; },
                              milliseconds(10'000)));
}

TEST(TcpIncomingChunkTest, StopWaitsForTheHandlerOnly) {
  TestHost host;
  std::atomic<bool> entered = false;
  std::atomic<bool> left = false;
  host.handler.before_chunk = [&] {
    entered = true;
    std::this_thread::sleep_for(milliseconds(50));
    left = true;
  };
  ASSERT_TRUE(host.Start());
  RawPeer peer = RawPeer::To(host.address());
  ASSERT_TRUE(peer.Write(
      FrameOf(codec::FrameMethod::kSnapshotChunk, codec::EncodeChunk(ChunkOf(0, 1, "x")))));
  while (!entered) std::this_thread::yield();
  host.transport->Stop();
  EXPECT_TRUE(left);
}

}  // namespace
}  // namespace drumbeat::transport
