// SPDX-License-Identifier: Apache-2.0
#include "storage/slot_file.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/byte_coding.h"
#include "base/crc.h"
#include "storage/store_fixture.h"
#include "storage/system_calls.h"
#include "storage/temp_folder.h"

namespace drumbeat::storage {
namespace {

class SlotFileTest : public testing::Test {
 protected:
  std::filesystem::path path() const { return folder_.path() / "SLOTS"; }
  Result<std::unique_ptr<SlotFile>> Open() { return OpenSlotFile(folder_.path(), "SLOTS"); }
  std::string Reread() {
    auto file = Open();
    return file ? (*file)->content() : "error: " + file.error().message;
  }

  TempFolder folder_;
};

TEST_F(SlotFileTest, AMissingFileIsNoError) {
  const auto file = Open();
  ASSERT_TRUE(file.has_value());
  EXPECT_EQ(*file, nullptr);
}

TEST_F(SlotFileTest, TheLastContentIsReadBack) {
  auto file = CreateSlotFile(folder_.path(), "SLOTS").value();
  EXPECT_EQ(file->content(), "");
  // Grows beyond its slots in between.
  for (const std::size_t length : {10, 20, 4000, 5000, 100'000, 3, 0, 99}) {
    const std::string content(length, static_cast<char>('a' + length % 26));
    ASSERT_TRUE(file->Write(content).has_value());
    EXPECT_EQ(file->content(), content);
    file.reset();
    EXPECT_EQ(Reread(), content);
    file = Open().value();
  }
}

// Who wrote it may have been killed before its sync.
TEST_F(SlotFileTest, WhatIsReadBackIsDurable) {
  ASSERT_TRUE(CreateSlotFile(folder_.path(), "SLOTS").value()->Write("x").has_value());
  const SyncRecorder recorder;
  const auto file = Open().value();
  EXPECT_EQ(file->content(), "x");
  const std::vector<std::string> synced = recorder.paths();
  ASSERT_EQ(synced.size(), 2u) << "the file and its name";
  EXPECT_NE(synced.front().find("SLOTS"), std::string::npos) << synced.front();
}

TEST_F(SlotFileTest, ItIsOpenOnlyOnce) {
  auto file = CreateSlotFile(folder_.path(), "SLOTS").value();
  const auto second = Open();
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kLocked);
  ASSERT_TRUE(file->Write(std::string(20'000, 'x')).has_value());
  EXPECT_FALSE(Open().has_value()) << "also after it has grown into a new file";
}

// A write that is cut short at any byte leaves the content before it.
TEST_F(SlotFileTest, ATornWriteLeavesTheContentBefore) {
  auto file = CreateSlotFile(folder_.path(), "SLOTS").value();
  ASSERT_TRUE(file->Write("before").has_value());
  const std::string before = ReadFile(path());
  ASSERT_TRUE(file->Write("after it").has_value());
  const std::string after = ReadFile(path());
  file.reset();
  for (std::size_t cut = 0; cut <= 40; ++cut) {
    std::string torn = before;
    std::size_t changed = 0;
    for (std::size_t i = 0; i < torn.size() && changed < cut; ++i) {
      if (torn[i] == after[i]) continue;
      torn[i] = after[i];
      ++changed;
    }
    WriteFile(path(), torn);
    const std::string content = Reread();
    EXPECT_EQ(content, torn == after ? "after it" : "before") << cut;
  }
}

// As on a full disk. Whoever writes on, because nobody told it yet, must not end what is there.
TEST_F(SlotFileTest, AWriteThatFailedIsTheLast) {
  const std::filesystem::path in_the_way = folder_.path() / "SLOTS.tmp";
  for (const char* content : {"one", "another"}) {  // in either slot
    auto file = Open().value();
    if (file == nullptr) file = CreateSlotFile(folder_.path(), "SLOTS").value();
    ASSERT_TRUE(file->Write(content).has_value());
    std::filesystem::create_directory(in_the_way);
    const std::string larger(5000, 'x');
    for (const std::string& next : {larger, larger, std::string("small")}) {
      const Result<void> written = file->Write(next);
      ASSERT_FALSE(written.has_value());
      EXPECT_EQ(written.error().code, ErrorCode::kWriteFailed);
    }
    EXPECT_EQ(file->content(), content);
    file.reset();
    std::filesystem::remove(in_the_way);
    EXPECT_EQ(Reread(), content);
    ASSERT_TRUE(Open().value()->Write("one more").has_value());
  }
}

TEST_F(SlotFileTest, WhenNeitherSlotIsWholeItIsDamaged) {
  {
    ASSERT_TRUE(CreateSlotFile(folder_.path(), "SLOTS").value()->Write("x").has_value());
  }
  for (const std::string& bytes : {std::string(), std::string(8192, '\0'), std::string(3, 'x')}) {
    WriteFile(path(), bytes);
    const auto file = Open();
    ASSERT_FALSE(file.has_value());
    EXPECT_EQ(file.error().code, ErrorCode::kDamaged);
    EXPECT_NE(file.error().message.find(path().string()), std::string::npos);
  }
}

TEST_F(SlotFileTest, ANewerFormatIsRefusedByName) {
  std::string slot = "drumbeat";
  base::AppendLittle(slot, std::uint32_t{2});
  base::AppendLittle(slot, std::uint32_t{3});
  base::AppendLittle(slot, std::uint64_t{9});
  slot += "new";
  base::AppendLittle(slot, base::Crc32c(slot));
  slot.resize(4096, '\0');
  WriteFile(path(), slot + std::string(4096, '\0'));
  const auto file = Open();
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().code, ErrorCode::kNewerFormat);
  EXPECT_NE(file.error().message.find(path().string()), std::string::npos);
}

}  // namespace
}  // namespace drumbeat::storage
