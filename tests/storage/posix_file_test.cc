// SPDX-License-Identifier: Apache-2.0
#include "storage/posix_file.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/syscall.h>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "temp_folder.h"

namespace {

/// What was synced, while a test records it.
std::vector<std::string>* synced = nullptr;
/// Calls of pwrite, while a test lets the system be slow: every second one is interrupted, the
/// others write a byte.
int* slow_writes = nullptr;

}  // namespace

// These stand before the C library's in this program.
extern "C" ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) {
  if (slow_writes != nullptr) {
    if (++*slow_writes % 2 == 0) {
      errno = EINTR;
      return -1;
    }
    count = std::min<size_t>(count, 1);
  }
  return ::syscall(SYS_pwrite64, fd, bytes, count, offset);
}

extern "C" int fsync(int fd) {
  if (synced != nullptr) {
    char path[4096];
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    const ssize_t size = ::readlink(link.c_str(), path, sizeof(path));
    synced->emplace_back(path, size > 0 ? static_cast<std::size_t>(size) : 0);
  }
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

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
    std::vector<std::string> order;
    synced = &order;
    const Result<void> replaced = ReplaceFile(real, "FILE", content);
    synced = nullptr;
    ASSERT_TRUE(replaced.has_value()) << replaced.error().message;
    EXPECT_EQ(order, (std::vector<std::string>{(real / "FILE.tmp").string(), real.string()}));
    EXPECT_EQ(Content(real / "FILE"), content);
  }
}

// S-16.
TEST(ReplaceFileTest, ShortAndInterruptedWritesAreGoneOnWith) {
  const TempFolder folder;
  int calls = 0;
  slow_writes = &calls;
  const Result<void> replaced = ReplaceFile(folder.path(), "FILE", std::string(100, 'x'));
  slow_writes = nullptr;
  ASSERT_TRUE(replaced.has_value()) << replaced.error().message;
  EXPECT_GE(calls, 199);
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
