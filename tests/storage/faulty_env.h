// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include "storage/bad_sectors.h"
#include "storage/prepared_log.h"

namespace drumbeat::storage {

/// The file system that RocksDB has in a node host, which fails syncs and appends of chosen files
/// when told to, once, and counts syncs.
class FaultyFileSystem : public rocksdb::FileSystemWrapper {
 public:
  /// What fails next, of files that have `named` in their names.
  enum class Fault { kNone, kSync, kAppend, kAppendNoSpace, kAppendDamage };
  struct Plan {
    std::atomic<Fault> fault{Fault::kNone};
    /// Operations of that kind to let through first.
    std::atomic<int> skip{0};
    std::atomic<int> syncs{0};
    std::string named = ".log";
  };

  explicit FaultyFileSystem(std::shared_ptr<Plan> plan)
      : FileSystemWrapper(BadSectorsAsDamage(PreparedLogFileSystem())), plan_(std::move(plan)) {}

  const char* Name() const override { return "FaultyFileSystem"; }
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override {
    const auto status = FileSystemWrapper::NewWritableFile(name, options, result, debug);
    if (status.ok() && name.find(plan_->named) != std::string::npos) {
      *result = std::make_unique<File>(std::move(*result), plan_);
    }
    return status;
  }

 private:
  class File : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    File(std::unique_ptr<rocksdb::FSWritableFile> file, std::shared_ptr<Plan> plan)
        : FSWritableFileOwnerWrapper(std::move(file)), plan_(std::move(plan)) {}

    using FSWritableFileOwnerWrapper::Append;
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override {
      if (Due(Fault::kAppend)) return rocksdb::IOStatus::IOError("injected EIO");
      if (Due(Fault::kAppendDamage)) return rocksdb::IOStatus::Corruption("injected damage");
      if (Due(Fault::kAppendNoSpace)) return rocksdb::IOStatus::NoSpace("injected ENOSPC");
      return FSWritableFileOwnerWrapper::Append(data, options, debug);
    }
    rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
      ++plan_->syncs;
      if (Due(Fault::kSync)) return rocksdb::IOStatus::IOError("injected EIO");
      return FSWritableFileOwnerWrapper::Sync(options, debug);
    }

   private:
    bool Due(Fault kind) {
      if (plan_->fault != kind || plan_->skip-- > 0) return false;
      plan_->fault = Fault::kNone;
      return true;
    }
    std::shared_ptr<Plan> plan_;
  };

  std::shared_ptr<Plan> plan_;
};

}  // namespace drumbeat::storage
