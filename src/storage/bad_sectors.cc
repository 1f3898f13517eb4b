// SPDX-License-Identifier: Apache-2.0
#include "storage/bad_sectors.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <rocksdb/file_system.h>

namespace drumbeat::storage {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

/// Whether the disk or the file system lost what was asked for. RocksDB keeps nothing of the error
/// but its text.
bool Lost(const IOStatus& status) {
  constexpr std::array kLosses = {EIO, EUCLEAN, EBADMSG, ENODATA, EILSEQ};
  if (!status.IsIOError()) return false;
  const std::string text = status.ToString();
  return std::ranges::any_of(kLosses, [&](int error) {
    return text.ends_with(": " + std::generic_category().message(error));
  });
}

class Table final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  explicit Table(std::unique_ptr<rocksdb::FSRandomAccessFile> file)
      : FSRandomAccessFileOwnerWrapper(std::move(file)) {}

  IOStatus Read(std::uint64_t offset, std::size_t size, const IOOptions& options,
                rocksdb::Slice* result, char* scratch, IODebugContext* debug) const override {
    IOStatus status =
        FSRandomAccessFileOwnerWrapper::Read(offset, size, options, result, scratch, debug);
    return Lost(status) ? IOStatus::Corruption(status.ToString()) : status;
  }
};

class FileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit FileSystem(const std::shared_ptr<rocksdb::FileSystem>& files)
      : FileSystemWrapper(files) {}

  const char* Name() const override { return "drumbeat::storage::BadSectorsAsDamage"; }
  IOStatus NewRandomAccessFile(const std::string& name, const rocksdb::FileOptions& options,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                               IODebugContext* debug) override {
    IOStatus status = FileSystemWrapper::NewRandomAccessFile(name, options, result, debug);
    if (status.ok()) *result = std::make_unique<Table>(std::move(*result));
    return status;
  }
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> BadSectorsAsDamage(
    const std::shared_ptr<rocksdb::FileSystem>& files) {
  return std::make_shared<FileSystem>(files);
}

}  // namespace drumbeat::storage
