// SPDX-License-Identifier: Apache-2.0
//
// B-51: a host that ends while a snapshot arrives, on the real store.
#include <any>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "codec/image_fixture.h"
#include "local_hosts.h"
#include "storage/rocksdb_stores.h"
#include "storage/temp_folder.h"

namespace drumbeat::node_host {
namespace {

namespace fs = std::filesystem;
constexpr ShardId kShard(1);
constexpr std::size_t kChunks = 4;
constexpr Index kIndex(1000);

class SnapshotRestartTest : public testing::Test {
 protected:
  /// Replica 1 of two, on what `folder` holds.
  void Begin(const fs::path& folder) {
    const logging::Logger logger(std::make_shared<QuietSink>(), LogLevel::kInfo, "test");
    auto stores =
        storage::OpenRocksDbStores({.directory = folder, .memory_bytes = 4u << 20}, logger);
    ASSERT_TRUE(stores.has_value()) << stores.error().message;
    auto host = StartOneHost(board_, std::chrono::hours(1), MakeThreadScheduler(),
                             std::move(*stores), logger);
    ASSERT_TRUE(host.has_value()) << host.error().message;
    host_ = std::move(*host);
    const Result<void> started = StartFirstOfTwo(*host_);
    ASSERT_TRUE(started.has_value()) << started.error().message;
    ASSERT_TRUE(Eventually([&] { return Info().ready; }));
  }
  void End() {
    host_->Close(milliseconds(0));
    host_.reset();
  }
  ReplicaInfo Info() { return host_->GetReplicaInfo(kShard).value(); }
  std::string Text() { return std::any_cast<std::string>(host_->StaleRead(kShard, {}).value()); }
  bool Deliver(const codec::Chunk& chunk) { return board_.Deliver("host1:1", chunk); }

  static std::vector<codec::Chunk> Chunks(const std::string& text) {
    const std::string image = codec::ImageOf(codec::EncodeSessions({}) + text);
    const std::size_t step = image.size() / kChunks + 1;
    std::vector<codec::Chunk> chunks(kChunks);
    for (std::size_t i = 0; i < kChunks; ++i) {
      chunks[i].shard = kShard;
      chunks[i].from = ReplicaId(2);
      chunks[i].to = ReplicaId(1);
      chunks[i].chunk_id = i;
      chunks[i].chunk_count = kChunks;
      chunks[i].index = kIndex;
      chunks[i].term = Term(3);
      chunks[i].membership.config_change_id = 3;
      chunks[i].membership.voters = {{ReplicaId(1), "host1:1"}, {ReplicaId(2), "host2:1"}};
      chunks[i].data = base::Bytes::Copy(std::string_view(image).substr(i * step, step));
    }
    return chunks;
  }

  const storage::TempFolder temporary_;
  Switchboard board_;
  std::unique_ptr<Host> host_;
};

TEST_F(SnapshotRestartTest, TheNextOneIsTakenWhereverOneBrokeOff) {
  const std::string text(3u << 20, 't');
  const std::vector<codec::Chunk> chunks = Chunks(text);
  for (std::size_t arrived = 1; arrived < kChunks; ++arrived) {
    for (const bool killed : {false, true}) {
      SCOPED_TRACE(std::to_string(arrived) + (killed ? ", killed" : ", closed"));
      const fs::path root = temporary_.path() / (std::to_string(arrived) + (killed ? "k" : "c"));
      fs::path folder = root / "stores";
      fs::create_directories(folder);
      ASSERT_NO_FATAL_FAILURE(Begin(folder));
      for (std::size_t i = 0; i < arrived; ++i) ASSERT_TRUE(Deliver(chunks[i]));
      EXPECT_FALSE(fs::is_empty(folder / "staging"));
      if (killed) {
        // What a process leaves that does nothing more.
        fs::copy(folder, root / "left", fs::copy_options::recursive);
        folder = root / "left";
      }
      End();

      ASSERT_NO_FATAL_FAILURE(Begin(folder));
      EXPECT_EQ(Info().snapshot_index, Index(0));
      EXPECT_FALSE(Deliver(chunks[arrived])) << "its beginning was lost";
      for (const codec::Chunk& chunk : chunks) ASSERT_TRUE(Deliver(chunk));
      EXPECT_TRUE(Eventually([&] { return Info().snapshot_index == kIndex && Text() == text; }));
      EXPECT_TRUE(fs::is_empty(folder / "staging"));
      End();

      ASSERT_NO_FATAL_FAILURE(Begin(folder));
      EXPECT_EQ(Info().snapshot_index, kIndex);
      EXPECT_TRUE(Eventually([&] { return Text() == text; }));
      End();
    }
  }
}

}  // namespace
}  // namespace drumbeat::node_host
