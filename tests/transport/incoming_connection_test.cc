// SPDX-License-Identifier: Apache-2.0
#include "transport/incoming_connection.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "transport/frames.h"

namespace drumbeat::transport {
namespace {

using Kind = Arrival::Kind;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kMaxFrame = 8u << 20;

/// What came of some bytes: the payloads, and how it ended.
struct Outcome {
  std::vector<std::string> payloads;
  Kind last = Kind::kNothing;
  std::string reason;
};

class IncomingConnectionTest : public testing::Test {
 protected:
  void Feed(std::string_view bytes) {
    while (true) {
      Arrival arrival = connection_.Take(bytes, now_);
      if (arrival.kind != Kind::kFrame) {
        outcome_.last = arrival.kind;
        outcome_.reason = arrival.reason;
        return;
      }
      outcome_.payloads.emplace_back(arrival.payload.view());
    }
  }
  /// As a shell does that reads payloads directly into their place.
  void FeedDirectly(std::string_view bytes) {
    const std::span<char> space = connection_.Space();
    const std::size_t placed = std::min(space.size(), bytes.size());
    if (placed > 0) {
      std::memcpy(space.data(), bytes.data(), placed);
      connection_.Filled(placed, now_);
    }
    Feed(bytes.substr(placed));
  }

  ReceiveBudget budget_{.limit = 4 * kMaxFrame, .used = 0};
  IncomingConnection connection_{{.max_frame_bytes = kMaxFrame}, budget_};
  Outcome outcome_;
  Time now_{std::chrono::hours(1)};
};

std::string Batch(std::uint64_t commit) { return BatchOf({HeartbeatOf(128, commit)}); }

TEST_F(IncomingConnectionTest, ManyFramesInOneRead) {
  std::string bytes;
  for (std::uint64_t i = 1; i <= 100; ++i) bytes += HeartbeatFrame(i);
  Feed(bytes);
  ASSERT_EQ(outcome_.payloads.size(), 100u);
  for (std::uint64_t i = 1; i <= 100; ++i) EXPECT_EQ(outcome_.payloads[i - 1], Batch(i));
  EXPECT_EQ(outcome_.last, Kind::kNothing);
  EXPECT_EQ(connection_.frames(), 100u);
  EXPECT_FALSE(connection_.InFrame());
  EXPECT_FALSE(connection_.deadline());
}

TEST_F(IncomingConnectionTest, AFrameSplitAtAnyByteIsTheSameFrame) {
  const std::string bytes = HeartbeatFrame(1) + HeartbeatFrame(2) + std::string(codec::kPoison);
  for (std::size_t first = 0; first <= bytes.size(); ++first) {
    for (std::size_t second = first; second <= bytes.size(); ++second) {
      ReceiveBudget budget{.limit = kMaxFrame, .used = 0};
      IncomingConnection connection({.max_frame_bytes = kMaxFrame}, budget);
      std::vector<std::string> payloads;
      Kind last = Kind::kNothing;
      for (std::string_view piece : {std::string_view(bytes).substr(0, first),
                                     std::string_view(bytes).substr(first, second - first),
                                     std::string_view(bytes).substr(second)}) {
        while (last != Kind::kPoison) {
          Arrival arrival = connection.Take(piece, now_);
          last = arrival.kind;
          ASSERT_NE(last, Kind::kBroken) << arrival.reason;
          if (last != Kind::kFrame) break;
          payloads.emplace_back(arrival.payload.view());
        }
      }
      ASSERT_EQ(payloads, (std::vector<std::string>{Batch(1), Batch(2)})) << first << " " << second;
      ASSERT_EQ(last, Kind::kPoison);
      ASSERT_EQ(budget.used, 0u);
    }
  }
}

TEST_F(IncomingConnectionTest, BytesOneByOneAndPlacedDirectly) {
  const std::string bytes = HeartbeatFrame(1) + HeartbeatFrame(2);
  for (const char& byte : bytes) FeedDirectly({&byte, 1});
  EXPECT_EQ(outcome_.payloads, (std::vector<std::string>{Batch(1), Batch(2)}));
}

TEST_F(IncomingConnectionTest, ALargePayloadGrowsWithWhatHasCome) {
  const std::string payload(5u << 20, 'x');
  const std::string bytes = FrameOf(codec::FrameMethod::kSnapshotChunk, payload);
  std::size_t fed = 0;
  while (fed < bytes.size()) {
    const std::size_t count = std::min<std::size_t>(100'000, bytes.size() - fed);
    FeedDirectly(std::string_view(bytes).substr(fed, count));
    fed += count;
    ASSERT_LE(budget_.used, std::max(IncomingConnection::kFirstBufferBytes, 2 * fed));
  }
  ASSERT_EQ(outcome_.payloads.size(), 1u);
  EXPECT_TRUE(outcome_.payloads[0] == payload);
  EXPECT_EQ(budget_.used, 0u);
}

TEST_F(IncomingConnectionTest, APromiseOfMuchTakesNoMemory) {
  Feed(HeaderOf(100, kMaxFrame));
  EXPECT_EQ(outcome_.last, Kind::kNothing);
  EXPECT_EQ(budget_.used, 0u);
  Feed("x");
  EXPECT_LE(budget_.used, IncomingConnection::kFirstBufferBytes);
}

TEST_F(IncomingConnectionTest, UnfinishedFramesShareABudget) {
  budget_.limit = 1u << 20;
  IncomingConnection other({.max_frame_bytes = kMaxFrame}, budget_);
  std::string_view half(outcome_.reason);
  const std::string bytes = HeaderOf(100, kMaxFrame) + std::string(700'000, 'x');
  half = bytes;
  EXPECT_EQ(other.Take(half, now_).kind, Kind::kNothing);
  Feed(bytes);
  EXPECT_EQ(outcome_.last, Kind::kBroken);
  // Small frames pass all the same.
  ReceiveBudget& same = budget_;
  IncomingConnection honest({.max_frame_bytes = kMaxFrame}, same);
  const std::string heartbeat = HeartbeatFrame(1);
  half = heartbeat;
  EXPECT_EQ(honest.Take(half, now_).kind, Kind::kFrame);
}

TEST_F(IncomingConnectionTest, SmallFramesInPiecesPassWhenOthersHaveTakenAllMemory) {
  ASSERT_TRUE(budget_.Take(budget_.limit));
  const std::string small = FrameOf(codec::FrameMethod::kMessageBatch,
                                    std::string(IncomingConnection::kFirstBufferBytes, 'x'));
  for (std::size_t i = 0; i < small.size(); i += 10'000) {
    i % 20'000 == 0 ? Feed(small.substr(i, 10'000)) : FeedDirectly(small.substr(i, 10'000));
  }
  EXPECT_EQ(outcome_.payloads.size(), 1u);
  EXPECT_EQ(outcome_.last, Kind::kNothing) << outcome_.reason;
  EXPECT_EQ(budget_.used, budget_.limit);
  const std::string larger = FrameOf(codec::FrameMethod::kMessageBatch,
                                     std::string(IncomingConnection::kFirstBufferBytes + 2, 'x'));
  Feed(larger.substr(0, larger.size() - 1));
  EXPECT_EQ(outcome_.last, Kind::kBroken);
}

TEST_F(IncomingConnectionTest, WhatAConnectionHeldIsFreeAfterIt) {
  {
    IncomingConnection other({.max_frame_bytes = kMaxFrame}, budget_);
    const std::string bytes = HeaderOf(100, kMaxFrame) + std::string(300'000, 'x');
    std::string_view rest = bytes;
    other.Take(rest, now_);
    EXPECT_GT(budget_.used, 300'000u);
  }
  EXPECT_EQ(budget_.used, 0u);
}

TEST_F(IncomingConnectionTest, BadFramesAreRefusedAtTheFirstByteThatTells) {
  const std::string good = HeartbeatFrame(1);
  std::string bad_payload = good;
  bad_payload.back() = static_cast<char>(bad_payload.back() ^ 1);
  const std::string bad[] = {
      "G",  // GET / HTTP/1.1
      "SSH-2.0-OpenSSH",
      std::string("\xae", 1) + "x",
      std::string("\0x", 2),
      std::string("\x16\x03\x01", 3),  // a TLS client
      HeaderOf(100, 0),
      HeaderOf(100, kMaxFrame + 1),
      HeaderOf(100, 1u << 31),
      HeaderOf(100, std::uint64_t{1} << 62),
      HeaderOf(100, std::uint64_t{1} << 63),
      HeaderOf(100, ~std::uint64_t{0}),
      HeaderOf(200, ~std::uint64_t{0}),
      HeaderOf(101, 10),
      HeaderOf(0, 10),
      HeaderOf(0xffff, 10),
      HeaderOf(100, 10, 0, 1),
      bad_payload,
  };
  for (const std::string& bytes : bad) {
    ReceiveBudget budget{.limit = kMaxFrame, .used = 0};
    IncomingConnection connection({.max_frame_bytes = kMaxFrame}, budget);
    std::string_view rest = bytes;
    const Arrival arrival = connection.Take(rest, now_);
    EXPECT_EQ(arrival.kind, Kind::kBroken) << testing::PrintToString(bytes);
    EXPECT_FALSE(arrival.reason.empty());
    EXPECT_EQ(budget.used, 0u);
  }
}

TEST_F(IncomingConnectionTest, UnderTlsThePayloadHasNoChecksum) {
  IncomingConnection connection({.max_frame_bytes = kMaxFrame, .check = codec::PayloadCheck::kNone},
                                budget_);
  const std::string bytes =
      FrameOf(codec::FrameMethod::kMessageBatch, Batch(1), codec::PayloadCheck::kNone);
  std::string_view rest = bytes;
  EXPECT_EQ(connection.Take(rest, now_).kind, Kind::kFrame);
  Feed(bytes);
  EXPECT_EQ(outcome_.last, Kind::kBroken) << "without TLS it must have one";
}

TEST_F(IncomingConnectionTest, PoisonIsKnownAnywhereBetweenFrames) {
  Feed(codec::kPoison);
  EXPECT_EQ(outcome_.last, Kind::kPoison);
}

TEST_F(IncomingConnectionTest, TheHeaderLimitIsAbsolute) {
  const std::string bytes = HeartbeatFrame(1);
  EXPECT_FALSE(connection_.deadline());
  const Time start = now_;
  for (std::size_t i = 0; i < codec::kFramePrefixBytes - 1; ++i) {
    Feed(std::string_view(bytes).substr(i, 1));
    EXPECT_EQ(connection_.deadline(), start + IncomingConnection::kHeaderLimit);
    now_ += milliseconds(100);
  }
}

TEST_F(IncomingConnectionTest, ThePayloadLimitIsAbsoluteForEachPiece) {
  const std::size_t size = 5u << 20;
  Feed(HeaderOf(200, size));
  const Time first = now_ + IncomingConnection::kPieceLimit;
  EXPECT_EQ(connection_.deadline(), first);
  std::size_t fed = 0;
  const std::string mebibyte(1u << 20, 'x');
  now_ += seconds(1);
  FeedDirectly("x");
  ++fed;
  EXPECT_EQ(connection_.deadline(), first) << "a byte now and then buys no time";
  while (fed < IncomingConnection::kPieceBytes) {
    const std::string_view piece =
        std::string_view(mebibyte).substr(0, IncomingConnection::kPieceBytes - fed);
    now_ += milliseconds(10);
    Feed(piece);
    fed += piece.size();
  }
  EXPECT_EQ(connection_.deadline(), now_ + IncomingConnection::kPieceLimit);
}

TEST_F(IncomingConnectionTest, EachFrameHasItsOwnTime) {
  Feed(HeartbeatFrame(1));
  now_ += std::chrono::hours(1);
  Feed(HeartbeatFrame(2).substr(0, 5));
  EXPECT_EQ(connection_.deadline(), now_ + IncomingConnection::kHeaderLimit);
}

}  // namespace
}  // namespace drumbeat::transport
