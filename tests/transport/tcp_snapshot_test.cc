// SPDX-License-Identifier: Apache-2.0
#include "transport/tcp_snapshot.h"

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "transport/frames.h"
#include "transport/raw_peer.h"
#include "transport/recording_handler.h"

namespace drumbeat::transport {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Hands out `count` chunks, or fails at one of them.
class TestChunks : public ChunkSource {
 public:
  TestChunks(std::uint64_t count, std::size_t bytes, std::uint64_t fail_at = ~std::uint64_t{0})
      : count_(count), bytes_(bytes), fail_at_(fail_at) {
    ++alive;
  }
  ~TestChunks() override { --alive; }

  Result<std::optional<codec::Chunk>> Next() override {
    if (next_ == fail_at_) return Fail(ErrorCode::kStorage, "the disk is gone");
    if (next_ == count_) return std::optional<codec::Chunk>();
    codec::Chunk chunk = ChunkOf(next_, count_, std::string(bytes_, 'x'));
    ++next_;
    return std::optional<codec::Chunk>(std::move(chunk));
  }

  static inline std::atomic<int> alive = 0;

 private:
  const std::uint64_t count_;
  const std::size_t bytes_;
  const std::uint64_t fail_at_;
  std::uint64_t next_ = 0;
};

/// The outcome of one stream.
class Stream {
 public:
  Stream(TestHost& host, const std::string& address, std::unique_ptr<ChunkSource> chunks)
      : state_(std::make_shared<State>()) {
    host.transport->SendSnapshot(address, std::move(chunks), [state = state_](Result<void> result) {
      ++state->calls;
      if (state->calls == 1) state->result.set_value(std::move(result));
    });
  }
  Result<void> Wait() {
    std::future<Result<void>> future = state_->result.get_future();
    if (future.wait_for(kPatience) != std::future_status::ready) {
      return Fail(ErrorCode::kTimeout, "done was not called");
    }
    return future.get();
  }
  int calls() const { return state_->calls; }

 private:
  struct State {
    std::promise<Result<void>> result;
    std::atomic<int> calls = 0;
  };
  std::shared_ptr<State> state_;
};

class TcpSnapshotTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(sender_.Start()); }
  void TearDown() override {
    sender_.transport->Stop();
    EXPECT_EQ(TestChunks::alive, 0) << "sources are let go by the end of Stop()";
  }

  TestHost sender_;
};

TEST_F(TcpSnapshotTest, ChunksArriveInOrderAndTheEndIsConfirmed) {
  TestHost receiver;
  ASSERT_TRUE(receiver.Start());
  Stream stream(sender_, receiver.address(), std::make_unique<TestChunks>(5, 2u << 20));
  const Result<void> result = stream.Wait();
  EXPECT_TRUE(result) << result.error().message;
  const auto record = receiver.handler.Get();
  ASSERT_EQ(record.chunks.size(), 5u);
  for (std::uint64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(record.chunks[i].chunk_id, i);
    EXPECT_EQ(record.chunks[i].data.size(), 2u << 20);
  }
  EXPECT_TRUE(sender_.sink->lines().empty());
  EXPECT_EQ(stream.calls(), 1);
}

TEST_F(TcpSnapshotTest, MessagesGoOnBesideIt) {
  TestHost receiver;
  ASSERT_TRUE(receiver.Start());
  Stream stream(sender_, receiver.address(), std::make_unique<TestChunks>(20, 2u << 20));
  for (std::uint64_t i = 1; i <= 100; ++i) {
    sender_.SendNow(receiver.address(), HeartbeatOf(1, i));
    ASSERT_TRUE(receiver.handler.WaitForMessages(i));
  }
  EXPECT_TRUE(stream.Wait());
}

TEST_F(TcpSnapshotTest, AnInterruptionAtEachChunkIsReported) {
  constexpr std::uint64_t kChunks = 4;
  for (std::uint64_t refused = 0; refused < kChunks; ++refused) {
    TestHost receiver;
    receiver.handler.refuse_chunk = [refused](const codec::Chunk& chunk) {
      return chunk.chunk_id == refused;
    };
    ASSERT_TRUE(receiver.Start());
    Stream stream(sender_, receiver.address(), std::make_unique<TestChunks>(kChunks, 1u << 20));
    const Result<void> result = stream.Wait();
    ASSERT_FALSE(result) << refused;
    EXPECT_EQ(result.error().code, ErrorCode::kTerminated);
    EXPECT_EQ(receiver.handler.Get().chunks.size(), refused + 1);
    EXPECT_EQ(stream.calls(), 1);
  }
}

TEST_F(TcpSnapshotTest, ASourceThatFailsAtEachChunkIsReported) {
  TestHost receiver;
  ASSERT_TRUE(receiver.Start());
  for (std::uint64_t at = 0; at <= 3; ++at) {
    Stream stream(sender_, receiver.address(), std::make_unique<TestChunks>(3, 1000, at));
    const Result<void> result = stream.Wait();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message, "the disk is gone");
  }
}

// Neither fetching one nor encoding one may leave it without an end.
TEST_F(TcpSnapshotTest, AChunkForWhichThereIsNoMemoryEndsTheStream) {
  class ThrowingChunks : public TestChunks {
   public:
    explicit ThrowingChunks(bool at_once) : TestChunks(3, 1000), at_once_(at_once) {}
    Result<std::optional<codec::Chunk>> Next() override {
      if (at_once_) throw std::bad_alloc();
      auto chunk = TestChunks::Next();
      if (chunk && *chunk) (*chunk)->data = BytesOfTooMuch();
      return chunk;
    }

   private:
    const bool at_once_;
  };
  TestHost receiver;
  ASSERT_TRUE(receiver.Start());
  for (const bool at_once : {true, false}) {
    Stream stream(sender_, receiver.address(), std::make_unique<ThrowingChunks>(at_once));
    const Result<void> result = stream.Wait();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kTerminated);
    EXPECT_EQ(stream.calls(), 1);
  }
  Stream next(sender_, receiver.address(), std::make_unique<TestChunks>(3, 1000));
  EXPECT_TRUE(next.Wait());
}

TEST_F(TcpSnapshotTest, NobodyThere) {
  std::string address;
  {
    RawListener gone;
    address = gone.address();
  }
  Stream stream(sender_, address, std::make_unique<TestChunks>(1, 10));
  const Result<void> result = stream.Wait();
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("Connection refused"), std::string::npos)
      << result.error().message;
  Stream again(sender_, address, std::make_unique<TestChunks>(1, 10));
  const Result<void> refused = again.Wait();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("not reached just now"), std::string::npos);
  Stream nonsense(sender_, "nonsense", std::make_unique<TestChunks>(1, 10));
  ASSERT_EQ(nonsense.Wait().error().code, ErrorCode::kInvalidAddress);
}

TEST_F(TcpSnapshotTest, AReceiverThatEndsWithoutConfirmingIsAFailure) {
  RawListener listener;
  Stream stream(sender_, listener.address(), std::make_unique<TestChunks>(1, 10));
  RawPeer peer = listener.Accept(seconds(10));
  ASSERT_TRUE(peer.ok());
  const std::string frame =
      FrameOf(codec::FrameMethod::kSnapshotChunk, codec::EncodeChunk(ChunkOf(0, 1, "xxxxxxxxxx")));
  const std::string expected = frame + std::string(codec::kPoison);
  EXPECT_EQ(peer.ReadExactly(expected.size(), seconds(10)), expected);
  peer.Close();
  EXPECT_FALSE(stream.Wait());
}

TEST_F(TcpSnapshotTest, AReceiverThatStopsReadingIsGivenUp) {
  RawListener listener(4096);
  Stream stream(sender_, listener.address(), std::make_unique<TestChunks>(50, 2u << 20));
  RawPeer peer = listener.Accept(seconds(10));
  ASSERT_TRUE(peer.ok());
  const Result<void> result = stream.Wait();
  ASSERT_FALSE(result);
}

TEST_F(TcpSnapshotTest, StopEndsStreamsWithAnAnswer) {
  RawListener listener;
  std::vector<Stream> streams;
  for (int i = 0; i < 5; ++i) {
    streams.emplace_back(sender_, listener.address(), std::make_unique<TestChunks>(50, 2u << 20));
  }
  RawPeer peer = listener.Accept(seconds(10));
  const auto start = std::chrono::steady_clock::now();
  sender_.transport->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(2));
  for (Stream& stream : streams) {
    EXPECT_EQ(stream.calls(), 1);
    EXPECT_EQ(stream.Wait().error().code, ErrorCode::kClosed);
  }
  Stream late(sender_, listener.address(), std::make_unique<TestChunks>(1, 10));
  EXPECT_EQ(late.Wait().error().code, ErrorCode::kClosed);
}

TEST(TcpSnapshotLimitsTest, NoMoreStreamsThanAllowed) {
  TcpOptions options;
  options.max_snapshots_out = 2;
  TestHost sender(options);
  ASSERT_TRUE(sender.Start());
  RawListener listener;
  Stream first(sender, listener.address(), std::make_unique<TestChunks>(50, 2u << 20));
  Stream second(sender, listener.address(), std::make_unique<TestChunks>(50, 2u << 20));
  Stream third(sender, listener.address(), std::make_unique<TestChunks>(50, 2u << 20));
  EXPECT_EQ(third.Wait().error().code, ErrorCode::kBusy);
  EXPECT_EQ(first.calls() + second.calls(), 0);
}

TEST(TcpSnapshotLimitsTest, TheRateIsLimited) {
  TcpOptions options;
  options.snapshot_send_bytes_per_second = 1'000'000;
  TestHost sender(options);
  TestHost receiver;
  ASSERT_TRUE(sender.Start());
  ASSERT_TRUE(receiver.Start());
  const auto start = std::chrono::steady_clock::now();
  Stream stream(sender, receiver.address(), std::make_unique<TestChunks>(5, 100'000));
  EXPECT_TRUE(stream.Wait());
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(390));
}

// One after the other: chunks that wait do not all go at the same moment.
TEST(TcpSnapshotLimitsTest, SeveralStreamsShareTheRate) {
  TcpOptions options;
  options.snapshot_send_bytes_per_second = 1'000'000;
  TestHost sender(options);
  TestHost receiver;
  std::mutex mutex;
  std::vector<std::chrono::steady_clock::time_point> arrivals;
  receiver.handler.before_chunk = [&] {
    const std::lock_guard lock(mutex);
    arrivals.push_back(std::chrono::steady_clock::now());
  };
  ASSERT_TRUE(sender.Start());
  ASSERT_TRUE(receiver.Start());
  const auto start = std::chrono::steady_clock::now();
  std::deque<Stream> streams;
  for (int i = 0; i < 4; ++i) {
    streams.emplace_back(sender, receiver.address(), std::make_unique<TestChunks>(2, 100'000));
  }
  for (Stream& stream : streams) EXPECT_TRUE(stream.Wait());
  const std::lock_guard lock(mutex);
  ASSERT_EQ(arrivals.size(), 8u);
  for (std::size_t i = 0; i < arrivals.size(); ++i) {
    EXPECT_GE(arrivals[i] - start, i * milliseconds(99)) << i;
  }
}

}  // namespace
}  // namespace drumbeat::transport
