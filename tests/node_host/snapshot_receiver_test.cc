// SPDX-License-Identifier: Apache-2.0
#include "node_host/snapshot_receiver.h"

#include <atomic>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "codec/image_fixture.h"
#include "raft/message_check.h"
#include "storage/stores.h"
#include "storage/temp_folder.h"

namespace drumbeat::node_host {
namespace {

using Progress = SnapshotReceiver::Progress;

const ReplicaRef kReplica{.shard = ShardId(1), .replica = ReplicaId(2)};

std::string Image() { return codec::ImageOf(codec::EncodeSessions({}) + std::string(5000, 'x')); }

SnapshotReceiver::Situation At(std::uint64_t tick) {
  return {.now_tick = tick, .committed = {}, .leader = {}};
}

SnapshotReceiver::Situation LedBy(std::uint64_t leader) {
  return {.now_tick = 0, .committed = {}, .leader = ReplicaId(leader)};
}

/// The image of a snapshot in `count` chunks.
std::vector<codec::Chunk> Chunks(const std::string& image, std::uint64_t count,
                                 Index index = Index(100), ReplicaId from = ReplicaId(1)) {
  std::vector<codec::Chunk> chunks(count);
  const std::size_t step = image.size() / count + 1;
  for (std::uint64_t id = 0; id < count; ++id) {
    codec::Chunk& chunk = chunks[id];
    chunk.shard = kReplica.shard;
    chunk.to = kReplica.replica;
    chunk.from = from;
    chunk.chunk_id = id;
    chunk.chunk_count = count;
    chunk.index = index;
    chunk.term = Term(3);
    chunk.membership.config_change_id = 3;
    chunk.membership.voters[ReplicaId(1)] = "host1:1";
    chunk.membership.voters[ReplicaId(2)] = "host2:1";
    chunk.file_path = codec::ImageFileName(index);
    chunk.data = base::Bytes::Copy(std::string_view(image).substr(id * step, step));
  }
  return chunks;
}

class SnapshotReceiverTest : public testing::Test {
 protected:
  /// Adds all; the last answer, or the first refusal.
  Result<SnapshotReceiver::Step> AddAll(const std::vector<codec::Chunk>& chunks) {
    Result<SnapshotReceiver::Step> step = SnapshotReceiver::Step{};
    for (const codec::Chunk& chunk : chunks) {
      step = receiver_.Add(chunk, {.now_tick = 0, .committed = committed_, .leader = {}});
      if (!step) break;
    }
    return step;
  }
  Index Newest() {
    const auto newest = stores_.snapshots->Newest(kReplica);
    return newest && *newest ? (*newest)->index : Index(0);
  }
  bool Arrived() { return Newest() == Index(100); }

  const std::shared_ptr<storage::MemoryDisk> disk_ =
      std::make_shared<storage::MemoryDisk>(storage::MemoryDisk::Crashes::kNever);
  storage::Stores stores_ = storage::OpenMemoryStores(disk_, [] {
                              return std::chrono::steady_clock::time_point();
                            }).value();
  SnapshotReceiver receiver_{*stores_.snapshots, 1, 2};
  Index committed_;
};

TEST_F(SnapshotReceiverTest, ChunksInOrderMakeTheImage) {
  const std::string image = Image();
  for (std::uint64_t count : {1, 2, 7}) {
    SnapshotReceiver receiver(*stores_.snapshots, 1, 2);
    (void)stores_.snapshots->Remove(kReplica);
    Result<SnapshotReceiver::Step> step;
    for (const codec::Chunk& chunk : Chunks(image, count)) {
      step = receiver.Add(chunk, {});
      ASSERT_TRUE(step.has_value()) << step.error().message;
    }
    EXPECT_EQ(step->progress, Progress::kComplete);
    EXPECT_EQ(step->snapshot.index, Index(100));
    EXPECT_EQ(step->snapshot.image_bytes, image.size());
    ASSERT_TRUE(Arrived());
    const auto stored = stores_.snapshots->Open(kReplica, Index(100));
    ASSERT_TRUE(stored.has_value());
    EXPECT_EQ(codec::ReadAll(**stored), image);
  }
}

TEST_F(SnapshotReceiverTest, AStreamThatWasNotAnnouncedEndsWithItsLastChunk) {
  std::vector<codec::Chunk> chunks = Chunks(Image(), 3);
  chunks[0].chunk_count = chunks[1].chunk_count = 0;
  chunks[2].chunk_count = codec::kLastChunkCount;
  const auto step = AddAll(chunks);
  ASSERT_TRUE(step.has_value());
  EXPECT_EQ(step->progress, Progress::kComplete);
}

// W-22: whatever is wrong, nothing of it is ever a snapshot.
TEST_F(SnapshotReceiverTest, NoPartOfAStreamMayBeWrong) {
  const std::vector<std::pair<std::string, std::function<void(std::vector<codec::Chunk>&)>>> kinds =
      {{"another deployment", [](auto& c) { c[0].deployment_id = 9; }},
       {"another version", [](auto& c) { c[0].bin_version = 1; }},
       {"an external file", [](auto& c) { c[1].has_file_info = true; }},
       {"index 0", [](auto& c) { c[0].index = Index(0); }},
       {"term 0", [](auto& c) { c[0].term = Term(0); }},
       {"no members", [](auto& c) { c[0].membership = {}; }},
       {"no change id", [](auto& c) { c[0].membership.config_change_id = 0; }},
       {"the first is missing", [](auto& c) { c.erase(c.begin()); }},
       {"one is missing", [](auto& c) { c.erase(c.begin() + 1); }},
       {"one comes twice", [](auto& c) { c.insert(c.begin() + 1, c[1]); }},
       {"the sender changes", [](auto& c) { c[1].from = ReplicaId(3); }},
       {"ends early", [](auto& c) { c[1].chunk_count = codec::kLastChunkCount; }},
       {"a flipped bit",
        [](auto& c) {
          std::string bytes(c[1].data.view());
          bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
          c[1].data = base::Bytes::Copy(bytes);
        }},
       {"empty", [](auto& c) {
          for (auto& chunk : c) chunk.data = {};
        }}};
  for (const auto& [name, spoil] : kinds) {
    SCOPED_TRACE(name);
    std::vector<codec::Chunk> chunks = Chunks(Image(), 3);
    spoil(chunks);
    EXPECT_FALSE(AddAll(chunks).has_value());
    EXPECT_FALSE(Arrived());
  }
  // The next whole one gets through all the same.
  EXPECT_TRUE(AddAll(Chunks(Image(), 3)).has_value());
  EXPECT_TRUE(Arrived());
}

TEST_F(SnapshotReceiverTest, TheFirstChunkBeginsAnew) {
  const std::vector<codec::Chunk> chunks = Chunks(Image(), 3);
  ASSERT_TRUE(receiver_.Add(chunks[0], {}).has_value());
  ASSERT_TRUE(receiver_.Add(chunks[1], {}).has_value());
  EXPECT_TRUE(AddAll(chunks).has_value());
  EXPECT_TRUE(Arrived());
}

// It is read behind the start of the stream that its sender has begun on another connection.
TEST_F(SnapshotReceiverTest, WhatADeadConnectionLeftEndsNoOther) {
  const std::vector<codec::Chunk> chunks = Chunks(Image(), 4);
  for (const std::size_t dead : {0u, 1u}) ASSERT_TRUE(receiver_.Add(chunks[dead], {}).has_value());
  ASSERT_TRUE(receiver_.Add(chunks[0], {}).has_value());
  EXPECT_FALSE(receiver_.Add(chunks[2], {}).has_value());
  for (const std::size_t next : {1u, 2u, 3u})
    ASSERT_TRUE(receiver_.Add(chunks[next], {}).has_value()) << next;
  EXPECT_TRUE(Arrived());
}

// N-16, B-53.
TEST_F(SnapshotReceiverTest, AStreamThatBreaksOffAnywhereLeavesNothingAndMayBeginAgain) {
  Index before;
  for (std::size_t cut = 0; cut < 5; ++cut) {
    const std::vector<codec::Chunk> chunks = Chunks(Image(), 5, Index(10 + cut));
    for (std::size_t i = 0; i < cut; ++i) ASSERT_TRUE(receiver_.Add(chunks[i], {}).has_value());
    EXPECT_EQ(Newest(), before);
    ASSERT_TRUE(AddAll(chunks).has_value());
    before = Index(10 + cut);
    EXPECT_EQ(Newest(), before);
    EXPECT_FALSE(receiver_.Add(chunks.back(), {}).has_value()) << "the last chunk again";
  }
}

// Such a one would be durable although the Raft ignores it, and a restart would begin behind it.
TEST_F(SnapshotReceiverTest, AnIndexOrTermBeyondAllBoundsIsRefused) {
  for (const std::uint64_t number : {raft::kCountLimit, ~std::uint64_t{0}}) {
    std::vector<codec::Chunk> chunks = Chunks(Image(), 1, Index(number));
    EXPECT_FALSE(AddAll(chunks).has_value());
    chunks = Chunks(Image(), 1);
    chunks[0].term = Term(number);
    EXPECT_FALSE(AddAll(chunks).has_value());
  }
  EXPECT_EQ(Newest(), Index(0));
  EXPECT_TRUE(AddAll(Chunks(Image(), 1, Index(raft::kCountLimit - 1))).has_value());
}

// B-48. A leader that missed the end of a stream sends the same again, for ever if it is refused.
TEST_F(SnapshotReceiverTest, AnOlderOneOrTheSameEndsWithTheNewest) {
  ASSERT_TRUE(AddAll(Chunks(Image(), 3)).has_value());
  for (const Index index : {Index(100), Index(99)}) {
    const auto step = AddAll(Chunks(Image(), 3, index));
    ASSERT_TRUE(step.has_value()) << step.error().message;
    EXPECT_EQ(step->progress, Progress::kComplete);
    EXPECT_EQ(step->snapshot.index, Index(100));
    EXPECT_TRUE(Arrived());
  }
}

TEST_F(SnapshotReceiverTest, OneThatTheLogCoversIsNotKept) {
  committed_ = Index(100);
  const auto step = AddAll(Chunks(Image(), 3));
  ASSERT_TRUE(step.has_value()) << step.error().message;
  EXPECT_EQ(step->progress, Progress::kComplete);
  EXPECT_EQ(step->snapshot.index, Index(100));
  EXPECT_EQ(Newest(), Index(0));
  EXPECT_TRUE(AddAll(Chunks(Image(), 3, Index(101))).has_value());
  EXPECT_EQ(Newest(), Index(101));
}

TEST_F(SnapshotReceiverTest, OnlySoManyAtOnceAndStalledOnesMakeRoom) {
  std::vector<codec::Chunk> first = Chunks(Image(), 2);
  for (std::uint64_t i = 0; i < 2; ++i) {
    first[0].to = ReplicaId(2 + i);
    ASSERT_TRUE(receiver_.Add(first[0], At(5)).has_value());
  }
  first[0].to = ReplicaId(9);
  EXPECT_EQ(receiver_.Add(first[0], At(5)).error().code, ErrorCode::kBusy);
  EXPECT_TRUE(receiver_.Expire(5).empty());
  EXPECT_FALSE(receiver_.Add(first[0], At(6)).has_value());
  EXPECT_EQ(receiver_.Expire(6).size(), 2u);
  EXPECT_TRUE(receiver_.Add(first[0], At(7)).has_value());
}

// Nobody says that a connection has ended, and its leader has a newer one by the next attempt.
TEST_F(SnapshotReceiverTest, BrokenStreamsOfAReplicaKeepOnePlace) {
  for (std::uint64_t i = 0; i < 5; ++i) {
    ASSERT_TRUE(receiver_.Add(Chunks(Image(), 2, Index(50 + i))[0], {}).has_value()) << i;
  }
  codec::Chunk elsewhere = Chunks(Image(), 2)[0];
  elsewhere.shard = ShardId(2);
  EXPECT_TRUE(receiver_.Add(elsewhere, {}).has_value());
  EXPECT_TRUE(AddAll(Chunks(Image(), 2)).has_value());
  EXPECT_TRUE(Arrived());
}

TEST_F(SnapshotReceiverTest, ALateChunkOfAnOlderStreamEndsNothing) {
  std::vector<codec::Chunk> late = Chunks(Image(), 3, Index(99));
  ASSERT_TRUE(receiver_.Add(late[0], {}).has_value());
  std::vector<codec::Chunk> chunks = Chunks(Image(), 3, Index(100), ReplicaId(3));
  ASSERT_TRUE(receiver_.Add(chunks[0], LedBy(3)).has_value());
  EXPECT_FALSE(receiver_.Add(late[1], LedBy(3)).has_value());
  late[2].index = Index(100);
  EXPECT_FALSE(receiver_.Add(late[2], LedBy(3)).has_value());
  late[2].deployment_id = 9;
  EXPECT_FALSE(receiver_.Add(late[2], LedBy(3)).has_value());
  EXPECT_TRUE(receiver_.Add(chunks[1], LedBy(3)).has_value());
  EXPECT_TRUE(receiver_.Add(chunks[2], LedBy(3)).has_value());
  EXPECT_TRUE(Arrived());
}

TEST_F(SnapshotReceiverTest, OnlyTheLeaderReplacesWhatAnotherMemberSends) {
  std::vector<codec::Chunk> chunks = Chunks(Image(), 2);
  ASSERT_TRUE(receiver_.Add(chunks[0], {}).has_value());
  std::vector<codec::Chunk> others = Chunks(Image(), 2, Index(100), ReplicaId(3));
  EXPECT_EQ(receiver_.Add(others[0], {}).error().code, ErrorCode::kBusy);
  EXPECT_EQ(receiver_.Add(others[0], LedBy(1)).error().code, ErrorCode::kBusy);
  EXPECT_TRUE(receiver_.Add(others[0], LedBy(3)).has_value());
  EXPECT_FALSE(receiver_.Add(chunks[1], LedBy(3)).has_value());
  EXPECT_TRUE(receiver_.Add(others[1], LedBy(3)).has_value());
  EXPECT_TRUE(Arrived());
}

TEST_F(SnapshotReceiverTest, AReplicaThatEndsGivesItsPlaceBack) {
  std::vector<codec::Chunk> chunks = Chunks(Image(), 2);
  ASSERT_TRUE(receiver_.Add(chunks[0], {}).has_value());
  EXPECT_TRUE(receiver_.Drop({kReplica.shard, ReplicaId(3)}).empty());
  EXPECT_EQ(receiver_.Drop(kReplica).size(), 1u);
  EXPECT_TRUE(receiver_.Drop(kReplica).empty());
  EXPECT_FALSE(receiver_.Add(chunks[1], {}).has_value());
}

// The thread that ticks and the one that brings chunks meet here; ThreadSanitizer watches them.
TEST_F(SnapshotReceiverTest, AStreamGoesOnWhileStalledOnesAreLookedFor) {
  std::atomic<bool> over = false;
  std::thread ticker([&] {
    while (!over) EXPECT_TRUE(receiver_.Expire(0).empty());
  });
  const auto step = AddAll(Chunks(Image(), 100));
  over = true;
  ticker.join();
  ASSERT_TRUE(step.has_value()) << step.error().message;
  EXPECT_TRUE(Arrived());
}

// W-23.
TEST_F(SnapshotReceiverTest, TheSendersFileNamesAreNeverPaths) {
  const storage::TempFolder folder;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::create_directories(folder.path() / "inner");
  std::filesystem::current_path(folder.path() / "inner");
  const std::vector<std::string> names = {"../../x",
                                          "../x",
                                          "x",
                                          "./x",
                                          "",
                                          "..",
                                          (folder.path() / "absolute").string(),
                                          std::string("a\0b", 3),
                                          std::string(5000, 'n'),
                                          "snapshot.metadata",
                                          codec::ImageFileName(Index(100))};
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    (void)stores_.snapshots->Remove(kReplica);
    std::vector<codec::Chunk> chunks = Chunks(Image(), 2);
    for (codec::Chunk& chunk : chunks) chunk.file_path = name;
    EXPECT_TRUE(AddAll(chunks).has_value());
    EXPECT_TRUE(Arrived());
  }
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    found.insert(entry.path().filename());
  }
  std::filesystem::current_path(before);
  EXPECT_EQ(found, std::set<std::string>{"inner"});
}

}  // namespace
}  // namespace drumbeat::node_host
