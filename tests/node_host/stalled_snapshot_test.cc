// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "codec/image_fixture.h"
#include "local_hosts.h"
#include "storage/forwarding_snapshot_store.h"

namespace drumbeat::node_host {
namespace {

/// The thread that let go of an unfinished image, once one has.
using Deleter = std::atomic<std::thread::id>;

class WatchedSink : public storage::ForwardingSnapshotSink {
 public:
  WatchedSink(std::unique_ptr<storage::SnapshotSink> sink, Deleter& deleter)
      : ForwardingSnapshotSink(std::move(sink)), deleter_(deleter) {}
  ~WatchedSink() override { deleter_ = std::this_thread::get_id(); }

 private:
  Deleter& deleter_;
};

using WatchedStore = storage::SinkWrappingStore<WatchedSink, Deleter>;

/// Threads as usual, but the test says when time passes.
class SteppedScheduler : public Scheduler {
 public:
  explicit SteppedScheduler(std::function<void()>& tick) : tick_(tick) {}
  std::unique_ptr<Task> Start(std::string name, std::function<void()> pass) override {
    return real_->Start(std::move(name), std::move(pass));
  }
  std::unique_ptr<Task> Every(std::string name, std::chrono::milliseconds,
                              std::function<void()> pass) override {
    tick_ = std::move(pass);
    return real_->Start(std::move(name), [] {});
  }
  bool OnTaskThread() const override { return real_->OnTaskThread(); }
  void Await(const std::function<bool()>& done) override { real_->Await(done); }
  std::chrono::steady_clock::time_point Now() const override { return real_->Now(); }
  std::uint64_t UnixNanoseconds() const override { return real_->UnixNanoseconds(); }

 private:
  std::function<void()>& tick_;
  std::unique_ptr<Scheduler> real_ = MakeThreadScheduler();
};

codec::Chunk FirstOfTwo() {
  codec::Chunk chunk;
  chunk.shard = ShardId(1);
  chunk.to = ReplicaId(1);
  chunk.from = ReplicaId(2);
  chunk.chunk_count = 2;
  chunk.index = Index(1000);
  chunk.term = Term(1);
  chunk.membership.config_change_id = 3;
  chunk.membership.voters = {{ReplicaId(1), "host1:1"}, {ReplicaId(2), "host2:1"}};
  chunk.data = base::Bytes::Copy(codec::ImageOf(codec::EncodeSessions({}) + "x").substr(0, 1100));
  return chunk;
}

/// A host with a replica, for which time passes when the test says so.
class SteppedHostTest : public testing::Test {
 protected:
  void Begin(std::chrono::milliseconds tick) {
    storage::Stores stores = disk_.Open();
    stores.snapshots = std::make_unique<WatchedStore>(std::move(stores.snapshots), deleter_);
    auto host = StartOneHost(board_, tick, std::make_unique<SteppedScheduler>(tick_),
                             std::move(stores), logging::Logger(log_, LogLevel::kInfo, "test"));
    ASSERT_TRUE(host.has_value());
    host_ = std::move(*host);
    const Result<void> started = StartFirstOfTwo(*host_);
    ASSERT_TRUE(started.has_value()) << started.error().message;
    ASSERT_TRUE(Eventually([&] { return board_.Deliver("host1:1", FirstOfTwo()); }));
  }

  Deleter deleter_;
  std::function<void()> tick_;
  Switchboard board_;
  StallingDisk disk_;
  const std::shared_ptr<QuietSink> log_ = std::make_shared<QuietSink>();
  std::unique_ptr<Host> host_;
};

using StalledSnapshotTest = SteppedHostTest;
using WarningTest = SteppedHostTest;

// A large file may take long to delete.
TEST_F(StalledSnapshotTest, ItsFilesAreNotDeletedByWhoeverTicks) {
  Begin(std::chrono::minutes(15));
  EXPECT_EQ(deleter_.load(), std::thread::id());
  for (int i = 0; i < 2; ++i) tick_();
  EXPECT_TRUE(Eventually([&] { return deleter_.load() != std::thread::id(); }));
  EXPECT_NE(deleter_.load(), std::this_thread::get_id());
}

// Whoever sends what is refused must not fill the disk with lines.
TEST_F(WarningTest, ThereIsOneInATickHoweverLongThatIs) {
  Begin(std::chrono::minutes(1));
  codec::Chunk foreign = FirstOfTwo();
  foreign.deployment_id = 9;
  for (int ticks = 1; ticks <= 3; ++ticks) {
    for (int i = 0; i < 100; ++i) EXPECT_FALSE(board_.Deliver("host1:1", foreign));
    EXPECT_EQ(log_->Count("refused a snapshot chunk"), ticks);
    tick_();
  }
}

}  // namespace
}  // namespace drumbeat::node_host
