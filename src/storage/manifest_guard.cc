// SPDX-License-Identifier: Apache-2.0
#include "storage/manifest_guard.h"

#include <string>
#include <string_view>
#include <utility>

#include <rocksdb/file_system.h>

namespace drumbeat::storage {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

std::string_view NameOf(std::string_view path) { return path.substr(path.rfind('/') + 1); }

IOStatus Noted(const std::shared_ptr<ManifestGuard>& guard, IOStatus status) {
  if (!status.ok()) guard->Fail();
  return status;
}

/// What RocksDB would do by itself behind the failure, at a full disk for example.
IOStatus Over() {
  return IOStatus::IOError("nothing is written any more", "the list of tables failed");
}

/// A manifest, or what becomes CURRENT.
class ListFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  ListFile(std::unique_ptr<rocksdb::FSWritableFile> file, std::shared_ptr<ManifestGuard> guard)
      : FSWritableFileOwnerWrapper(std::move(file)), guard_(std::move(guard)) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  IODebugContext* debug) override {
    if (guard_->failed()) return Over();
    return Appended(FSWritableFileOwnerWrapper::Append(data, options, debug), options, debug);
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& verification,
                  IODebugContext* debug) override {
    if (guard_->failed()) return Over();
    return Appended(FSWritableFileOwnerWrapper::Append(data, options, verification, debug), options,
                    debug);
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* debug) override {
    return Noted(guard_, FSWritableFileOwnerWrapper::Flush(options, debug));
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    if (guard_->failed()) return Over();
    synced_ = true;
    return Noted(guard_, FSWritableFileOwnerWrapper::Sync(options, debug));
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    if (guard_->failed()) return Over();
    synced_ = true;
    return Noted(guard_, FSWritableFileOwnerWrapper::Fsync(options, debug));
  }
  // It only makes the next sync cheaper, which says whether all is well.
  IOStatus RangeSync(std::uint64_t, std::uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }

 private:
  // Before its first sync nothing names it.
  IOStatus Appended(IOStatus status, const IOOptions& options, IODebugContext* debug) {
    if (status.ok() && synced_) status = FSWritableFileOwnerWrapper::Sync(options, debug);
    return Noted(guard_, std::move(status));
  }

  const std::shared_ptr<ManifestGuard> guard_;
  bool synced_ = false;
};

class Directory final : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(std::unique_ptr<rocksdb::FSDirectory> directory, std::shared_ptr<ManifestGuard> guard)
      : FSDirectoryWrapper(std::move(directory)), guard_(std::move(guard)) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Noted(guard_, FSDirectoryWrapper::Fsync(options, debug));
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& what) override {
    return Noted(guard_, FSDirectoryWrapper::FsyncWithDirOptions(options, debug, what));
  }

 private:
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
    if (guard_->failed()) return Over();
    IOStatus status = FileSystemWrapper::NewWritableFile(name, options, result, debug);
    const std::string_view last = NameOf(name);
    const bool current = last.ends_with(".dbtmp") && !last.starts_with("OPTIONS-");
    if (current && !status.ok()) guard_->Fail();
    if (status.ok() && (current || last.starts_with("MANIFEST-"))) {
      *result = std::make_unique<ListFile>(std::move(*result), guard_);
    }
    return status;
  }
  // Only to sync tables that are about to enter, which is done: one that could not be would stay
  // behind, as RocksDB does not know yet that it is there.
  IOStatus ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                              std::unique_ptr<rocksdb::FSWritableFile>* result,
                              IODebugContext* debug) override {
    if (NameOf(name).ends_with(".sst")) return IOStatus::NotSupported(name, "is synced already");
    return FileSystemWrapper::ReopenWritableFile(name, options, result, debug);
  }
  IOStatus NewDirectory(const std::string& name, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* result,
                        IODebugContext* debug) override {
    IOStatus status = FileSystemWrapper::NewDirectory(name, options, result, debug);
    if (status.ok()) *result = std::make_unique<Directory>(std::move(*result), guard_);
    return status;
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* debug) override {
    if (guard_->failed()) return Over();
    IOStatus status = FileSystemWrapper::RenameFile(from, to, options, debug);
    return NameOf(to) == "CURRENT" ? Noted(guard_, std::move(status)) : status;
  }
  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions& options,
                    IODebugContext* debug) override {
    if (guard_->failed()) return Over();
    return FileSystemWrapper::LinkFile(from, to, options, debug);
  }
  IOStatus DeleteFile(const std::string& name, const IOOptions& options,
                      IODebugContext* debug) override {
    if (!MustStay(name)) return FileSystemWrapper::DeleteFile(name, options, debug);
    return IOStatus::IOError(name + " stays", "the list of tables may name it");
  }

 private:
  bool MustStay(const std::string& name) {
    if (guard_->failed()) return true;
    if (!NameOf(name).starts_with("MANIFEST-")) return false;
    std::string current;
    const std::string folder = name.substr(0, name.size() - NameOf(name).size());
    const IOStatus read = rocksdb::ReadFileToString(target(), folder + "CURRENT", &current);
    return read.ok() && current == std::string(NameOf(name)) + "\n";
  }

  const std::shared_ptr<ManifestGuard> guard_;
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> GuardManifest(
    const std::shared_ptr<rocksdb::FileSystem>& files, std::shared_ptr<ManifestGuard> guard) {
  return std::make_shared<FileSystem>(files, std::move(guard));
}

}  // namespace drumbeat::storage
