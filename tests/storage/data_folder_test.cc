// SPDX-License-Identifier: Apache-2.0
#include "storage/data_folder.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>
#include <sys/stat.h>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/crc.h"
#include "storage/child_process.h"
#include "storage/folder_identity.h"
#include "storage/store_fixture.h"
#include "storage/system_calls.h"
#include "storage/temp_folder.h"

namespace drumbeat::storage {
namespace {

namespace fs = std::filesystem;

const FolderIdentity kIdentity{.raft_address = "localhost:63001", .deployment_id = 1};

class DataFolderTest : public testing::Test {
 protected:
  fs::path path() const { return folder_.path() / "a" / "b"; }

  Result<std::unique_ptr<DataFolder>> Open(const FolderIdentity& identity = kIdentity) {
    return DataFolder::OpenExisting(path(), identity);
  }
  Result<std::unique_ptr<DataFolder>> Create() { return DataFolder::Create(path(), kIdentity); }
  /// Creates and keeps; returns the host id.
  std::string MakeKept() {
    auto folder = Create();
    EXPECT_TRUE(folder.has_value()) << folder.error().message;
    EXPECT_TRUE(KeepStarted(**folder));
    return (*folder)->host_id();
  }
  /// As a start does once it has opened the stores.
  bool KeepStarted(DataFolder& folder) const {
    fs::create_directories(path() / "db");
    WriteFile(path() / "db" / "WITNESS", "x");
    return folder.Keep().has_value();
  }
  /// The refusal is one line that names the folder and says what to do.
  void ExpectRefused(const Result<std::unique_ptr<DataFolder>>& result, ErrorCode code,
                     const std::string& says) {
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, code) << result.error().message;
    const std::string& message = result.error().message;
    EXPECT_NE(message.find(says), std::string::npos) << message;
    EXPECT_NE(message.find(path().string()), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
  static unsigned Mode(const fs::path& file) {
    struct stat status{};
    EXPECT_EQ(::lstat(file.c_str(), &status), 0) << file;
    return status.st_mode & 07777;
  }

  TempFolder folder_;
};

TEST_F(DataFolderTest, ThereIsNoneAtFirst) {
  const auto folder = Open();
  ASSERT_TRUE(folder.has_value());
  EXPECT_EQ(*folder, nullptr);
  EXPECT_FALSE(fs::exists(path()));
}

TEST_F(DataFolderTest, AKeptFolderIsFoundAgainWithItsHostId) {
  const std::string host_id = MakeKept();
  EXPECT_EQ(host_id.size(), 36u);
  const auto folder = Open();
  ASSERT_TRUE(folder.has_value()) << folder.error().message;
  ASSERT_NE(*folder, nullptr);
  EXPECT_EQ((*folder)->host_id(), host_id);
  EXPECT_EQ((*folder)->path(), path());
}

TEST_F(DataFolderTest, NobodyElseMayLookIntoIt) {
  const mode_t before = ::umask(0);
  MakeKept();
  ::umask(before);
  EXPECT_EQ(Mode(path()), 0700u);
  EXPECT_EQ(Mode(path().parent_path()), 0700u);
  EXPECT_EQ(Mode(path() / "LOCK"), 0600u);
  EXPECT_EQ(Mode(path() / "IDENTITY"), 0600u);
}

TEST_F(DataFolderTest, AFolderThatIsNotKeptGoesWithItsParentsAndContent) {
  {
    auto folder = Create();
    ASSERT_TRUE(folder.has_value());
    fs::create_directories(path() / "db" / "db");
    WriteFile(path() / "db" / "db" / "000001.log", "x");
    fs::create_symlink(folder_.path(), path() / "link");
  }
  EXPECT_FALSE(fs::exists(folder_.path() / "a"));
  EXPECT_TRUE(fs::exists(folder_.path())) << "links are not followed";
}

TEST_F(DataFolderTest, ParentsThatOthersUseStay) {
  {
    auto folder = Create();
    ASSERT_TRUE(folder.has_value());
    WriteFile(path().parent_path() / "foreign", "x");
  }
  EXPECT_FALSE(fs::exists(path()));
  EXPECT_TRUE(fs::exists(path().parent_path() / "foreign"));
}

TEST_F(DataFolderTest, AnEmptyFolderIsAdoptedAndEmptiedAgain) {
  fs::create_directories(path());
  fs::permissions(path(), fs::perms::all);
  EXPECT_EQ(Open().value(), nullptr);
  {
    auto folder = Create();
    ASSERT_TRUE(folder.has_value()) << folder.error().message;
    EXPECT_EQ(Mode(path()), 0700u);
  }
  EXPECT_TRUE(fs::exists(path()));
  EXPECT_TRUE(fs::is_empty(path()));
  MakeKept();
}

TEST_F(DataFolderTest, OneThatCannotBeReadToItsEndIsRefusedAndLeftAsItIs) {
  const std::string host_id = MakeKept();
  for (const int names : {0, 3}) {
    const UnreadableFolder unreadable("/a/b", names);
    ExpectRefused(Open(), ErrorCode::kStorage, "cannot list");
    ExpectRefused(Create(), ErrorCode::kStorage, "cannot list");
    EXPECT_GT(unreadable.refused(), 0);
  }
  const auto folder = Open();
  ASSERT_TRUE(folder.has_value()) << folder.error().message;
  EXPECT_EQ((*folder)->host_id(), host_id);
}

// A program, or a start that was killed, may have made them a moment ago.
TEST_F(DataFolderTest, TheNamesOfTheFoldersAroundItAreMadeDurable) {
  fs::create_directories(path());
  const SyncRecorder synced;
  MakeKept();
  const std::vector<std::string> paths = synced.paths();
  for (const fs::path& around : {folder_.path() / "a", folder_.path()}) {
    EXPECT_NE(std::find(paths.begin(), paths.end(), around.string()), paths.end()) << around;
  }
}

TEST_F(DataFolderTest, ATrailingSlashChangesNothing) {
  MakeKept();
  const auto folder = DataFolder::OpenExisting(path() / "", kIdentity);
  ASSERT_TRUE(folder.has_value()) << folder.error().message;
  EXPECT_NE(*folder, nullptr);
}

TEST_F(DataFolderTest, TheSecondUserIsToldTheFirstOnesPid) {
  MakeKept();
  ChildProcess child([&](int out) {
    const auto folder = Open();
    const char state = folder && *folder ? 'y' : 'n';
    if (::write(out, &state, 1) != 1) return 1;
    ::pause();
    return 0;
  });
  ASSERT_EQ(child.Read(), "y");
  ExpectRefused(Open(), ErrorCode::kLocked, "process " + std::to_string(child.pid()));
  ExpectRefused(Create(), ErrorCode::kLocked, "process " + std::to_string(child.pid()));
  child.Kill();
  const auto folder = Open();
  ASSERT_TRUE(folder.has_value()) << folder.error().message;
  EXPECT_NE(*folder, nullptr);
}

TEST_F(DataFolderTest, TheLockAlsoHoldsWithinAProcessAndAgainstCreating) {
  const auto first = Create();
  ASSERT_TRUE(first.has_value());
  ExpectRefused(Open(), ErrorCode::kLocked, std::to_string(::getpid()));
  ExpectRefused(Create(), ErrorCode::kLocked, std::to_string(::getpid()));
  EXPECT_TRUE(fs::exists(path() / "IDENTITY")) << "a refused start takes nothing away";
}

TEST_F(DataFolderTest, AnotherOwnersFolderIsRefusedByName) {
  MakeKept();
  ExpectRefused(Open({.raft_address = "localhost:63002", .deployment_id = 1}), ErrorCode::kNotOwner,
                "belongs to localhost:63001, not to localhost:63002");
  ExpectRefused(Open({.raft_address = "localhost:63001", .deployment_id = 7}), ErrorCode::kNotOwner,
                "belongs to deployment 1, not to 7");
  EXPECT_TRUE(Open({.raft_address = " LOCALHOST:63001", .deployment_id = 1}).has_value());
}

TEST_F(DataFolderTest, AForeignFolderIsRefusedAndLeftAlone) {
  fs::create_directories(path());
  WriteFile(path() / "photo.jpg", "x");
  ExpectRefused(Open(), ErrorCode::kNotOwner, "photo.jpg");
  ExpectRefused(Create(), ErrorCode::kNotOwner, "photo.jpg");
  EXPECT_EQ(FilesBelow(path()), std::vector<fs::path>({"photo.jpg"}));
}

// Dragonboat, LevelDB and RocksDB have a LOCK, too, and RocksDB an IDENTITY.
TEST_F(DataFolderTest, AForeignFolderWithALockIsNotWrittenTo) {
  const std::vector<std::vector<fs::path>> folders = {
      {"LOCK", "NODEHOST.ID", "dragonboat.ds"},
      {"CURRENT", "LOCK", "MANIFEST-000004"},
      {"CURRENT", "IDENTITY", "LOCK", "MANIFEST-000004"},
      {"LOCK", "db/table", "letter"},
      {"db/table"}};
  const std::vector<std::string> named = {"NODEHOST.ID", "CURRENT", "CURRENT", "letter", "db"};
  for (std::size_t i = 0; i < folders.size(); ++i) {
    fs::remove_all(path());
    fs::create_directories(path() / "db");
    for (const fs::path& file : folders[i]) WriteFile(path() / file, "theirs");
    const std::string says = path().string() + " is not a data folder of drumbeat, it holds " +
                             named[i] + "; choose another folder";
    ExpectRefused(Open(), ErrorCode::kNotOwner, says);
    ExpectRefused(Create(), ErrorCode::kNotOwner, says);
    EXPECT_EQ(FilesBelow(path()), folders[i]);
    for (const fs::path& file : folders[i]) EXPECT_EQ(ReadFile(path() / file), "theirs") << file;
  }
}

TEST_F(DataFolderTest, AForeignNameIsToldOnOneLine) {
  fs::create_directories(path());
  WriteFile(path() / "a\nb", "x");
  ExpectRefused(Open(), ErrorCode::kNotOwner, "it holds a\\nb; ");
}

TEST_F(DataFolderTest, AFolderOfOursMayHoldOtherThings) {
  const std::string host_id = MakeKept();
  fs::create_directories(path() / "lost+found");
  EXPECT_EQ(Open().value()->host_id(), host_id);
  fs::create_directories(path() / "db");
  WriteFile(path() / "db" / "WITNESS", "x");
  WriteFile(path() / "IDENTITY", "x");
  ExpectRefused(Open(), ErrorCode::kDamaged, "IDENTITY is damaged");
  fs::remove(path() / "IDENTITY");
  ExpectRefused(Open(), ErrorCode::kDamaged, "IDENTITY is missing");
}

TEST_F(DataFolderTest, AFolderThatLostItsIdentityIsDamaged) {
  MakeKept();
  fs::create_directories(path() / "db");
  fs::remove(path() / "IDENTITY");
  ExpectRefused(Open(), ErrorCode::kDamaged, "IDENTITY is missing");
  ExpectRefused(Create(), ErrorCode::kDamaged, "IDENTITY is missing");
  EXPECT_TRUE(fs::exists(path() / "db"));
}

TEST_F(DataFolderTest, ANewerFormatIsRefusedByName) {
  MakeKept();
  std::string text = ReadFile(path() / "IDENTITY");
  text.replace(text.find("format 1"), 8, "format 2");
  text.resize(text.find("crc32c: "));
  // What only the newer version knows.
  text += "colour: blue\n";
  char checksum[32];
  std::snprintf(checksum, sizeof(checksum), "crc32c: %08x\n", base::Crc32c(text));
  WriteFile(path() / "IDENTITY", text + checksum);
  ExpectRefused(Open(), ErrorCode::kNewerFormat, "IDENTITY has format 2");
}

TEST_F(DataFolderTest, AnyFlippedBitOfTheIdentityIsDamage) {
  MakeKept();
  const std::string text = ReadFile(path() / "IDENTITY");
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string flipped = text;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << at % 8));
    WriteFile(path() / "IDENTITY", flipped);
    ExpectRefused(Open(), ErrorCode::kDamaged, "IDENTITY is damaged");
  }
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, text.size() - 1}) {
    WriteFile(path() / "IDENTITY", text.substr(0, length));
    ExpectRefused(Open(), ErrorCode::kDamaged, "IDENTITY is damaged");
  }
}

// The worked example of FORMATS.md.
TEST_F(DataFolderTest, TheExampleOfTheFormatHolds) {
  EXPECT_EQ(
      EncodeIdentity({.identity = kIdentity, .host_id = "3b1c8a3e-5d0c-4e7a-9f43-0c5d6d3b2a10"}),
      "drumbeat data folder, format 1\n"
      "raft address: localhost:63001\n"
      "deployment id: 1\n"
      "host id: 3b1c8a3e-5d0c-4e7a-9f43-0c5d6d3b2a10\n"
      "crc32c: a54dd88e\n");
}

// It has voted, and nobody would know any more.
TEST_F(DataFolderTest, AFolderThatLostItsStoresIsDamaged) {
  MakeKept();
  EXPECT_TRUE(Open().has_value());
  fs::remove_all(path() / "db");
  ExpectRefused(Open(), ErrorCode::kDamaged, "WITNESS is missing");
  fs::create_directories(path() / "db");
  ExpectRefused(Open(), ErrorCode::kDamaged, "WITNESS is missing");
  fs::rename(path() / "IDENTITY", path() / "aside");
  fs::remove(path() / "db");
  fs::rename(path() / "aside", folder_.path() / "aside");
  ExpectRefused(Open(), ErrorCode::kDamaged, "IDENTITY is missing");
  ExpectRefused(Create(), ErrorCode::kDamaged, "IDENTITY is missing");
  fs::rename(folder_.path() / "aside", path() / "IDENTITY");
  // One of a version that did not note it yet.
  fs::remove(path() / "STARTED");
  EXPECT_TRUE(Open().has_value());
}

// S-19: every state that a first start can be cut short in.
TEST_F(DataFolderTest, AFirstStartThatWasCutShortIsBegunAgain) {
  MakeKept();
  const std::string identity = ReadFile(path() / "IDENTITY");
  const auto rebuild = [&](const auto& fill) {
    fs::remove_all(folder_.path() / "a");
    fs::create_directories(path());
    fs::permissions(path(), fs::perms::owner_all);
    fill();
    const auto opened = Open();
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    EXPECT_EQ(*opened, nullptr);
    const std::string host_id = MakeKept();
    EXPECT_EQ(Open().value()->host_id(), host_id);
  };
  rebuild([] {});
  rebuild([&] { WriteFile(path() / "LOCK", ""); });
  rebuild([&] { WriteFile(path() / "LOCK", "12345\n"); });
  for (std::size_t written = 0; written <= identity.size(); written += 7) {
    rebuild([&] {
      WriteFile(path() / "LOCK", "12345\n");
      WriteFile(path() / "IDENTITY.tmp", identity.substr(0, written));
    });
  }
}

TEST_F(DataFolderTest, AFileInItsPlaceIsRefused) {
  fs::create_directories(path().parent_path());
  WriteFile(path(), "x");
  ExpectRefused(Open(), ErrorCode::kStorage, "is a file");
  ExpectRefused(Create(), ErrorCode::kStorage, "is a file");
  EXPECT_EQ(ReadFile(path()), "x");
}

TEST_F(DataFolderTest, ASymbolicLinkInItsPlaceIsRefused) {
  fs::create_directories(path().parent_path());
  fs::create_directories(folder_.path() / "elsewhere");
  fs::create_directory_symlink(folder_.path() / "elsewhere", path());
  ExpectRefused(Open(), ErrorCode::kStorage, "is a symbolic link");
  ExpectRefused(Create(), ErrorCode::kStorage, "is a symbolic link");
  EXPECT_TRUE(fs::is_empty(folder_.path() / "elsewhere"));
}

TEST_F(DataFolderTest, ALinkInPlaceOfItsFilesIsNotFollowed) {
  MakeKept();
  WriteFile(folder_.path() / "victim", "precious");
  fs::remove(path() / "LOCK");
  fs::create_symlink(folder_.path() / "victim", path() / "LOCK");
  EXPECT_FALSE(Open().has_value());
  EXPECT_EQ(ReadFile(folder_.path() / "victim"), "precious");
}

TEST_F(DataFolderTest, AFolderInUseThatOthersMayWriteToIsRefused) {
  MakeKept();
  fs::permissions(path(), fs::perms::group_write, fs::perm_options::add);
  ExpectRefused(Open(), ErrorCode::kStorage, "chmod 700");
}

TEST_F(DataFolderTest, AFolderOfAnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make a folder of another user's";
  MakeKept();
  ASSERT_EQ(::chown(path().c_str(), 12345, 12345), 0);
  ExpectRefused(Open(), ErrorCode::kStorage, "belongs to user 12345");
}

TEST_F(DataFolderTest, WithoutPermissionNothingIsMade) {
  fs::create_directories(path().parent_path());
  fs::permissions(folder_.path(), fs::perms::all);
  fs::permissions(path().parent_path(), fs::perms::owner_read | fs::perms::owner_exec |
                                            fs::perms::others_read | fs::perms::others_exec);
  // Root may do anything: another user tries.
  ChildProcess child([&](int out) {
    if (::geteuid() == 0 && ::setuid(65534) != 0) return 2;
    const auto folder = Create();
    const std::string text = folder ? "made" : folder.error().message;
    return ::write(out, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1;
  });
  EXPECT_EQ(child.ReadAll(), "cannot create data folder " + path().string() +
                                 ": Permission denied; check its permissions or choose another "
                                 "folder");
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_FALSE(fs::exists(path()));
}

TEST_F(DataFolderTest, AFirstStartOnAFullDiskLeavesNoFolder) {
  for (const int error : {ENOSPC, EDQUOT}) {
    for (const std::string name : {"/LOCK", "/IDENTITY.tmp"}) {
      const RefusedWrites full(name, error);
      ExpectRefused(Create(), ErrorCode::kStorage, "; free some space");
      EXPECT_EQ(full.refused(), 1);
      EXPECT_FALSE(fs::exists(folder_.path() / "a")) << name;
    }
  }
  MakeKept();
}

TEST_F(DataFolderTest, AFullDiskTakesNoLockAwayThatWasThere) {
  const std::string host_id = MakeKept();
  {
    const RefusedWrites full("/LOCK", ENOSPC);
    ExpectRefused(Open(), ErrorCode::kStorage, "; free some space");
  }
  EXPECT_TRUE(fs::exists(path() / "LOCK"));
  EXPECT_EQ(Open().value()->host_id(), host_id);
}

TEST_F(DataFolderTest, TwoFirstStartsAtOnceMakeOneFolder) {
  const auto start = [&](int out) {
    const auto folder = Create();
    const std::string text =
        folder ? "made" : std::to_string(static_cast<int>(folder.error().code));
    if (folder && !KeepStarted(**folder)) return 1;
    return ::write(out, text.data(), text.size()) < 0 ? 1 : 0;
  };
  for (int round = 0; round < 10; ++round) {
    fs::remove_all(folder_.path() / "a");
    ChildProcess first(start);
    ChildProcess second(start);
    const std::string outcomes[] = {first.ReadAll(), second.ReadAll()};
    EXPECT_TRUE(outcomes[0] == "made" || outcomes[1] == "made")
        << outcomes[0] << " " << outcomes[1];
    const auto folder = Open();
    ASSERT_TRUE(folder.has_value()) << folder.error().message;
    EXPECT_NE(*folder, nullptr);
  }
}

}  // namespace
}  // namespace drumbeat::storage
