// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "contract/store_harness.h"
#include "contract/store_samples.h"

// What every SnapshotStore must do. Instantiate with StoreKinds.
namespace drumbeat::storage {

/// Bytes that differ from chunk to chunk and image to image.
inline std::string Pattern(std::uint64_t seed, std::size_t length) {
  std::string bytes(length, '\0');
  std::uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  for (char& byte : bytes) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<char>(state >> 56);
  }
  return bytes;
}

class SnapshotStoreContract : public testing::TestWithParam<StoreKind> {
 protected:
  void SetUp() override {
    harness_ = GetParam().make();
    Reopen();
  }
  void Reopen() {
    stores_ = {};
    Result<Stores> opened = harness_->Open();
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    stores_ = std::move(*opened);
  }
  void CrashAndReopen() {
    harness_->Crash();
    Reopen();
  }
  SnapshotStore& snapshots() { return *stores_.snapshots; }

  Result<void> Store(const ReplicaRef& replica, std::uint64_t index, const std::string& image) {
    Result<std::unique_ptr<SnapshotSink>> sink = snapshots().Create(replica);
    if (!sink) return std::unexpected(sink.error());
    for (std::size_t at = 0; at < image.size(); at += 100'000) {
      Result<void> appended = (*sink)->Append(std::string_view(image).substr(at, 100'000));
      if (!appended) return appended;
    }
    return (*sink)->Commit(MakeRecord(index, 1, image.size()));
  }
  std::string ReadImage(const ReplicaRef& replica, std::uint64_t index) {
    Result<std::unique_ptr<SnapshotReader>> reader = snapshots().Open(replica, Index(index));
    return reader ? ReadWhole(**reader) : "error: " + reader.error().message;
  }
  std::uint64_t NewestIndex(const ReplicaRef& replica) {
    const auto newest = snapshots().Newest(replica);
    EXPECT_TRUE(newest.has_value()) << newest.error().message;
    return newest && newest->has_value() ? (*newest)->index.value() : 0;
  }

  std::unique_ptr<StoreHarness> harness_;
  Stores stores_;
};

TEST_P(SnapshotStoreContract, AtFirstThereIsNone) {
  EXPECT_EQ(snapshots().Newest(Replica(1, 1)).value(), std::nullopt);
  const auto reader = snapshots().Open(Replica(1, 1), Index(1));
  ASSERT_FALSE(reader.has_value());
  EXPECT_EQ(reader.error().code, ErrorCode::kNotFound);
}

TEST_P(SnapshotStoreContract, ImagesOfAllSizesComeBackAlsoAfterReopening) {
  const std::size_t chunk = 256u << 10;
  const std::vector<std::size_t> sizes = {0,         1,         1060,          chunk - 1, chunk,
                                          chunk + 1, 2 * chunk, 2 * chunk + 7, 3'000'000};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const Result<void> stored = Store(Replica(i + 1, 2), 10 + i, Pattern(i, sizes[i]));
    ASSERT_TRUE(stored.has_value()) << stored.error().message;
  }
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const auto newest = snapshots().Newest(Replica(i + 1, 2));
      ASSERT_TRUE(newest.has_value() && newest->has_value());
      EXPECT_EQ(**newest, MakeRecord(10 + i, 1, sizes[i]));
      EXPECT_TRUE(ReadImage(Replica(i + 1, 2), 10 + i) == Pattern(i, sizes[i])) << sizes[i];
    }
    CrashAndReopen();
  }
}

TEST_P(SnapshotStoreContract, TheHeadIsRewrittenAtTheEnd) {
  auto sink = snapshots().Create(Replica(1, 1)).value();
  EXPECT_FALSE(sink->Rewrite("too early").has_value());
  const std::string body = Pattern(5, 700'000);
  ASSERT_TRUE(sink->Append(std::string(1024, '\0')).has_value());
  ASSERT_TRUE(sink->Append(body).has_value());
  ASSERT_TRUE(sink->Rewrite(std::string(1024, 'h')).has_value());
  ASSERT_TRUE(sink->Commit(MakeRecord(3, 1)).has_value());
  EXPECT_TRUE(ReadImage(Replica(1, 1), 3) == std::string(1024, 'h') + body);
}

TEST_P(SnapshotStoreContract, ANewerOneReplacesTheOlder) {
  ASSERT_TRUE(Store(Replica(1, 1), 10, Pattern(1, 600'000)).has_value());
  ASSERT_TRUE(Store(Replica(1, 1), 20, Pattern(2, 600'000)).has_value());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(NewestIndex(Replica(1, 1)), 20u);
    EXPECT_TRUE(ReadImage(Replica(1, 1), 20) == Pattern(2, 600'000));
    const auto older = snapshots().Open(Replica(1, 1), Index(10));
    ASSERT_FALSE(older.has_value());
    EXPECT_EQ(older.error().code, ErrorCode::kNotFound);
    Reopen();
  }
}

TEST_P(SnapshotStoreContract, OneThatIsNotNewerIsRefused) {
  ASSERT_TRUE(Store(Replica(1, 1), 10, "ten").has_value());
  for (const std::uint64_t index : {10u, 9u}) {
    const Result<void> stored = Store(Replica(1, 1), index, "other");
    ASSERT_FALSE(stored.has_value());
    EXPECT_EQ(stored.error().code, ErrorCode::kNothingToDo);
  }
  EXPECT_EQ(ReadImage(Replica(1, 1), 10), "ten");
  EXPECT_TRUE(Store(Replica(1, 1), 11, "eleven").has_value());
}

TEST_P(SnapshotStoreContract, OneThatIsDroppedHalfWayLeavesNothing) {
  ASSERT_TRUE(Store(Replica(1, 1), 10, "ten").has_value());
  {
    auto sink = snapshots().Create(Replica(1, 1)).value();
    ASSERT_TRUE(sink->Append(Pattern(3, 1'000'000)).has_value());
  }
  EXPECT_EQ(NewestIndex(Replica(1, 1)), 10u);
  CrashAndReopen();
  EXPECT_EQ(NewestIndex(Replica(1, 1)), 10u);
  EXPECT_EQ(ReadImage(Replica(1, 1), 10), "ten");
}

TEST_P(SnapshotStoreContract, SeveralMayBeUnderWayAtOnce) {
  auto first = snapshots().Create(Replica(1, 1)).value();
  auto second = snapshots().Create(Replica(1, 1)).value();
  auto other = snapshots().Create(Replica(1, 2)).value();
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(first->Append(Pattern(1, 90'000)).has_value());
    ASSERT_TRUE(second->Append(Pattern(2, 90'000)).has_value());
    ASSERT_TRUE(other->Append(Pattern(3, 90'000)).has_value());
  }
  ASSERT_TRUE(second->Commit(MakeRecord(5, 1)).has_value());
  ASSERT_TRUE(first->Commit(MakeRecord(6, 1)).has_value());
  ASSERT_TRUE(other->Commit(MakeRecord(1, 1)).has_value());
  Reopen();
  EXPECT_EQ(NewestIndex(Replica(1, 1)), 6u);
  EXPECT_EQ(ReadImage(Replica(1, 1), 6).substr(0, 90'000), Pattern(1, 90'000));
  EXPECT_EQ(ReadImage(Replica(1, 2), 1).substr(0, 90'000), Pattern(3, 90'000));
}

TEST_P(SnapshotStoreContract, AnImageStaysReadableWhileNewerOnesArrive) {
  const std::string old_image = Pattern(1, 2'000'000);
  ASSERT_TRUE(Store(Replica(1, 1), 10, old_image).has_value());
  auto reader = snapshots().Open(Replica(1, 1), Index(10)).value();
  std::vector<char> start(1000);
  ASSERT_EQ(reader->Read(start).value(), 1000u);
  ASSERT_TRUE(Store(Replica(1, 1), 20, Pattern(2, 2'000'000)).has_value());
  ASSERT_TRUE(Store(Replica(1, 1), 30, Pattern(3, 2'000'000)).has_value());
  EXPECT_TRUE(std::string(start.begin(), start.end()) + ReadWhole(*reader) == old_image);
  reader.reset();
  EXPECT_EQ(NewestIndex(Replica(1, 1)), 30u);
}

TEST_P(SnapshotStoreContract, ReadersAndWritersAtOnceSeeWholeImages) {
  const auto image = [](std::uint64_t index) { return Pattern(index, 400'000 + index * 1000); };
  ASSERT_TRUE(Store(Replica(1, 1), 1, image(1)).has_value());
  std::atomic<bool> done{false};
  std::atomic<int> whole{0};
  std::thread reader([&] {
    while (!done) {
      const auto newest = snapshots().Newest(Replica(1, 1));
      const std::uint64_t index = newest.value()->index.value();
      auto opened = snapshots().Open(Replica(1, 1), Index(index));
      if (!opened) {
        // Replaced between the two calls.
        EXPECT_EQ(opened.error().code, ErrorCode::kNotFound);
        continue;
      }
      EXPECT_TRUE(ReadWhole(**opened, 100'000) == image(index)) << index;
      ++whole;
    }
  });
  for (std::uint64_t index = 2; index <= 25; ++index) {
    EXPECT_TRUE(Store(Replica(1, 1), index, image(index)).has_value());
  }
  while (whole == 0) std::this_thread::yield();
  done = true;
  reader.join();
}

TEST_P(SnapshotStoreContract, RemovingAReplicaDropsItsImagesOnly) {
  ASSERT_TRUE(Store(Replica(1, 1), 10, Pattern(1, 500'000)).has_value());
  ASSERT_TRUE(Store(Replica(1, 2), 10, Pattern(2, 500'000)).has_value());
  ASSERT_TRUE(snapshots().Remove(Replica(1, 1)).has_value());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(NewestIndex(Replica(1, 1)), 0u);
    EXPECT_EQ(NewestIndex(Replica(1, 2)), 10u);
    EXPECT_TRUE(ReadImage(Replica(1, 2), 10) == Pattern(2, 500'000));
    Reopen();
  }
}

TEST_P(SnapshotStoreContract, ImagesOfAReplicaThatWasRemovedForEverGoAtTheNextStart) {
  ASSERT_TRUE(Store(Replica(1, 1), 10, "left behind").has_value());
  ASSERT_TRUE(stores_.log->Remove(Replica(1, 1)).has_value());
  Reopen();
  EXPECT_EQ(NewestIndex(Replica(1, 1)), 0u);
}

}  // namespace drumbeat::storage
