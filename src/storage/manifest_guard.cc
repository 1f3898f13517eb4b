// SPDX-License-Identifier: Apache-2.0
#include "storage/manifest_guard.h"

#include <string>
#include <utility>

#include <rocksdb/file_system.h>

namespace drumbeat::storage {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class Manifest final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  Manifest(std::unique_ptr<rocksdb::FSWritableFile> file, std::shared_ptr<ManifestGuard> guard)
      : FSWritableFileOwnerWrapper(std::move(file)), guard_(std::move(guard)) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  IODebugContext* debug) override {
    return Noted(FSWritableFileOwnerWrapper::Append(data, options, debug));
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& verification,
                  IODebugContext* debug) override {
    return Noted(FSWritableFileOwnerWrapper::Append(data, options, verification, debug));
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return Noted(FSWritableFileOwnerWrapper::Sync(options, debug));
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Noted(FSWritableFileOwnerWrapper::Fsync(options, debug));
  }

 private:
  IOStatus Noted(IOStatus status) {
    if (!status.ok()) guard_->Fail();
    return status;
  }

  const std::shared_ptr<ManifestGuard> guard_;
};

class FileSystem final : public rocksdb::FileSystemWrapper {
 public:
  FileSystem(const std::shared_ptr<rocksdb::FileSystem>& files,
             std::shared_ptr<ManifestGuard> guard)
      : FileSystemWrapper(files), guard_(std::move(guard)) {}

  const char* Name() const override { return "drumbeat::storage::GuardManifest"; }
  IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext* debug) override {
    IOStatus status = FileSystemWrapper::NewWritableFile(name, options, result, debug);
    if (status.ok() && name.find("/MANIFEST-") != std::string::npos) {
      *result = std::make_unique<Manifest>(std::move(*result), guard_);
    }
    return status;
  }
  IOStatus DeleteFile(const std::string& name, const IOOptions& options,
                      IODebugContext* debug) override {
    if (!guard_->failed()) return FileSystemWrapper::DeleteFile(name, options, debug);
    return IOStatus::IOError(name + " stays", "the list of tables could not be written");
  }

 private:
  const std::shared_ptr<ManifestGuard> guard_;
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> GuardManifest(
    const std::shared_ptr<rocksdb::FileSystem>& files, std::shared_ptr<ManifestGuard> guard) {
  return std::make_shared<FileSystem>(files, std::move(guard));
}

}  // namespace drumbeat::storage
