// SPDX-License-Identifier: Apache-2.0
#include "storage/bad_sectors.h"

#include <string>
#include <utility>

#include <rocksdb/file_system.h>

namespace drumbeat::storage {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class Table final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  explicit Table(std::unique_ptr<rocksdb::FSRandomAccessFile> file)
      : FSRandomAccessFileOwnerWrapper(std::move(file)) {}

  IOStatus Read(std::uint64_t offset, std::size_t size, const IOOptions& options,
                rocksdb::Slice* result, char* scratch, IODebugContext* debug) const override {
    IOStatus status =
        FSRandomAccessFileOwnerWrapper::Read(offset, size, options, result, scratch, debug);
    if (!status.IsIOError()) return status;
    return IOStatus::Corruption(status.ToString());
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
    if (!status.IsIOError()) return status;
    return IOStatus::Corruption(status.ToString());
  }
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> BadSectorsAsDamage(
    const std::shared_ptr<rocksdb::FileSystem>& files) {
  return std::make_shared<FileSystem>(files);
}

}  // namespace drumbeat::storage
