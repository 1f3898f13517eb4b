// SPDX-License-Identifier: Apache-2.0
#include "storage/bad_sectors.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <rocksdb/file_system.h>

#include "storage/store_fixture.h"
#include "storage/system_calls.h"
#include "storage/temp_folder.h"

namespace drumbeat::storage {
namespace {

class BadSectorsTest : public testing::Test {
 protected:
  std::string path() const { return (folder_.path() / "1.sst").string(); }

  rocksdb::IOStatus Open(std::unique_ptr<rocksdb::FSRandomAccessFile>& file) const {
    return files_->NewRandomAccessFile(path(), {}, &file, nullptr);
  }
  rocksdb::IOStatus Read() const {
    std::unique_ptr<rocksdb::FSRandomAccessFile> file;
    const rocksdb::IOStatus opened = Open(file);
    if (!opened.ok()) return opened;
    std::array<char, 100> buffer{};
    rocksdb::Slice read;
    return file->Read(0, buffer.size(), {}, &read, buffer.data(), nullptr);
  }

  TempFolder folder_;
  const std::shared_ptr<rocksdb::FileSystem> files_ =
      BadSectorsAsDamage(rocksdb::FileSystem::Default());
};

TEST_F(BadSectorsTest, WhatTheDiskLostIsDamage) {
  WriteFile(path(), std::string(1000, 'x'));
  EXPECT_TRUE(Read().ok());
  for (const int error : {EIO, EUCLEAN, EBADMSG, ENODATA, EILSEQ}) {
    const BadSector sector(".sst", 0, error);
    const rocksdb::IOStatus status = Read();
    EXPECT_TRUE(status.IsCorruption()) << status.ToString();
    EXPECT_NE(status.ToString().find(path()), std::string::npos) << status.ToString();
  }
}

TEST_F(BadSectorsTest, WhatTheSystemLacksIsNoDamage) {
  WriteFile(path(), std::string(1000, 'x'));
  for (const int error : {ENOMEM, EACCES, ENFILE, ESTALE}) {
    const BadSector sector(".sst", 0, error);
    EXPECT_TRUE(Read().IsIOError()) << std::strerror(error);
  }
}

TEST_F(BadSectorsTest, AFileThatCannotBeOpenedIsNoDamage) {
  std::unique_ptr<rocksdb::FSRandomAccessFile> file;
  EXPECT_TRUE(Open(file).IsIOError()) << "it is not there";
  std::filesystem::create_symlink(path(), path());
  EXPECT_TRUE(Open(file).IsIOError()) << "a link to itself";
}

}  // namespace
}  // namespace drumbeat::storage
