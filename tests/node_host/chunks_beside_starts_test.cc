// SPDX-License-Identifier: Apache-2.0
//
// Snapshots that arrive while their replica is started, stopped and removed.
#include <any>
#include <atomic>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "local_hosts.h"
#include "storage/keys.h"
#include "storage/memory_kv.h"

namespace drumbeat::node_host {
namespace {

constexpr Term kTerm(7);

/// Replica 1 of two of a shard. The test is replica 2, which leads in term 7 and whose every
/// snapshot is ahead of the one before; their states are their indexes.
class ChunksBesideStartsTest : public testing::Test {
 protected:
  void SetUp() override {
    auto host = StartOneHost(board_, milliseconds(5), MakeThreadScheduler(), disk_.Open(),
                             logging::Logger(std::make_shared<QuietSink>(), LogLevel::kInfo, "t"));
    ASSERT_TRUE(host.has_value()) << host.error().message;
    host_ = std::move(*host);
    sender_ = std::jthread([this](const std::stop_token& stop) { SendSnapshots(stop); });
  }
  void TearDown() override { End(); }
  void End() {
    sender_ = {};
    host_->Close(milliseconds(0));
  }

  Result<void> Start() { return StartFirstOfTwo(*host_, shard()); }
  /// Starts it and waits until it has taken another snapshot, and shows the last one before.
  void Live() {
    const std::uint64_t before = arrived_;
    const Result<void> started = Start();
    ASSERT_TRUE(started.has_value()) << started.error().message;
    ASSERT_TRUE(Eventually([&] { return arrived_ > before && Shown() >= before; }))
        << "of " << before << " it shows " << Shown();
    ASSERT_TRUE(host_->StopShard(shard()).Get().has_value());
  }

  void SendSnapshots(const std::stop_token& stop) {
    for (std::uint64_t index = 1000; !stop.stop_requested(); ++index) {
      board_.Deliver("host1:1", "host2:1",
                     {.shard = shard(),
                      .from = ReplicaId(2),
                      .to = ReplicaId(1),
                      .term = kTerm,
                      .message = raft::Heartbeat{}});
      const auto [first, second] =
          Halves(SnapshotToFirst(shard(), Index(index), kTerm, std::to_string(index)));
      ++offered_;
      if (board_.Deliver("host1:1", first) && board_.Deliver("host1:1", second)) arrived_ = index;
    }
  }
  /// The index of the snapshot that the replica shows; 0: none.
  std::uint64_t Shown() {
    const auto text = host_->StaleRead(shard(), {});
    if (!text) return 0;
    const auto digits = std::any_cast<std::string>(*text);
    return digits.empty() ? 0 : std::stoull(digits);
  }

  ShardId shard() const { return ShardId(shard_); }

  Switchboard board_;
  StallingDisk disk_;
  std::unique_ptr<Host> host_;
  std::atomic<std::uint64_t> shard_{1};
  /// Snapshots that it began to send.
  std::atomic<std::uint64_t> offered_{0};
  /// The last one that was taken.
  std::atomic<std::uint64_t> arrived_{0};
  std::jthread sender_;
};

TEST_F(ChunksBesideStartsTest, WhatWasTakenIsThereAtTheNextStart) {
  for (int life = 1; life <= 30; ++life) ASSERT_NO_FATAL_FAILURE(Live()) << life;
}

TEST_F(ChunksBesideStartsTest, NothingIsLeftOfTheRemoved) {
  for (; shard_ <= 40; ++shard_) {
    ASSERT_NO_FATAL_FAILURE(Live()) << shard_;
    const Result<void> removed = host_->RemoveData({shard(), ReplicaId(1)});
    ASSERT_TRUE(removed.has_value()) << removed.error().message;
    const std::uint64_t offered = offered_;
    ASSERT_TRUE(Eventually([&] { return offered_ > offered + 1; }));
    EXPECT_EQ(Start().error().code, ErrorCode::kReplicaRemoved);
  }
  End();
  // Not through stores: they would drop what they find.
  EXPECT_TRUE(storage::OpenMemoryKv(disk_.disk())->RunKeys(storage::ImageKeys().range()).empty());
}

}  // namespace
}  // namespace drumbeat::node_host
