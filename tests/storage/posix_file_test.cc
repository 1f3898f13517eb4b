// SPDX-License-Identifier: Apache-2.0
#include "storage/posix_file.h"

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "storage/system_calls.h"
#include "storage/temp_folder.h"

namespace drumbeat::storage {
namespace {

std::string Content(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// B-41, S-19: the new content is on the disk before it has the name, and the name before anybody
// relies on it.
TEST(ReplaceFileTest, TheFolderIsSyncedBehindTheFile) {
  const TempFolder folder;
  const auto real = std::filesystem::canonical(folder.path());
  for (const std::string content : {"one", "two"}) {
    const SyncRecorder synced;
    const Result<void> replaced = ReplaceFile(real, "FILE", content);
    ASSERT_TRUE(replaced.has_value()) << replaced.error().message;
    EXPECT_EQ(synced.paths(),
              (std::vector<std::string>{(real / "FILE.tmp").string(), real.string()}));
    EXPECT_EQ(Content(real / "FILE"), content);
  }
}

// S-19: without it, all that is in the folder may be gone, however often it was synced.
TEST(MakeDirectoryTest, TheNameIsSynced) {
  const TempFolder folder;
  const auto real = std::filesystem::canonical(folder.path());
  // The second time for a start that was killed in between.
  for (int run = 0; run < 2; ++run) {
    const SyncRecorder synced;
    const Result<void> made = MakeDirectory(real / "db");
    ASSERT_TRUE(made.has_value()) << made.error().message;
    EXPECT_EQ(synced.paths(), std::vector<std::string>{real.string()});
    EXPECT_TRUE(std::filesystem::is_directory(real / "db"));
  }
  const Result<void> made = MakeDirectory(real / "none" / "db");
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, ErrorCode::kStorage);
  EXPECT_NE(made.error().message.find((real / "none" / "db").string()), std::string::npos);
}

// S-16.
TEST(ReplaceFileTest, ShortAndInterruptedWritesAreGoneOnWith) {
  const TempFolder folder;
  {
    const SlowFiles slow(1);
    const Result<void> replaced = ReplaceFile(folder.path(), "FILE", std::string(100, 'x'));
    ASSERT_TRUE(replaced.has_value()) << replaced.error().message;
    EXPECT_GE(slow.writes(), 199);
  }
  EXPECT_EQ(Content(folder.path() / "FILE"), std::string(100, 'x'));
}

TEST(ReplaceFileTest, WhatIsInTheWayIsNotFollowed) {
  const TempFolder folder;
  std::filesystem::create_symlink("/dev/null", folder.path() / "FILE.tmp");
  ASSERT_TRUE(ReplaceFile(folder.path(), "FILE", "mine").has_value());
  EXPECT_EQ(Content(folder.path() / "FILE"), "mine");
  EXPECT_FALSE(std::filesystem::is_symlink(folder.path() / "FILE"));
}

TEST(ReplaceFileTest, WhereItCannotBeMadeTheOldOneStays) {
  const TempFolder folder;
  ASSERT_TRUE(ReplaceFile(folder.path(), "FILE", "old").has_value());
  std::filesystem::create_directory(folder.path() / "FILE.tmp");
  EXPECT_FALSE(ReplaceFile(folder.path(), "FILE", "new").has_value());
  EXPECT_EQ(Content(folder.path() / "FILE"), "old");
}

}  // namespace
}  // namespace drumbeat::storage
