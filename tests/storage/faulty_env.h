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

/// The file system that RocksDB has in a node host, which fails syncs, appends and reads of chosen
/// files when told to, once, and counts syncs.
class FaultyFileSystem : public rocksdb::FileSystemWrapper {
 public:
  /// What fails next, of files that have `named` in their names.
  enum class Fault { kNone, kSync, kAppend, kAppendNoSpace, kAppendDamage, kRead, kOpen };
  struct Plan {
    std::atomic<Fault> fault{Fault::kNone};
    /// Operations of that kind to let through first.
    std::atomic<int> skip{0};
    std::atomic<int> syncs{0};
    std::string named = ".log";

    bool Due(Fault kind) {
      if (fault != kind || skip-- > 0) return false;
      fault = Fault::kNone;
      return true;
    }
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
  rocksdb::IOStatus NewRandomAccessFile(const std::string& name,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                        rocksdb::IODebugContext* debug) override {
    const bool chosen = name.find(plan_->named) != std::string::npos;
    if (chosen && (plan_->Due(Fault::kRead) || plan_->Due(Fault::kOpen))) {
      return NoDescriptors(name);
    }
    const auto status = FileSystemWrapper::NewRandomAccessFile(name, options, result, debug);
    if (status.ok() && chosen) *result = std::make_unique<Table>(std::move(*result), plan_);
    return status;
  }

 private:
  static rocksdb::IOStatus NoDescriptors(const std::string& name) {
    return rocksdb::IOStatus::IOError("While open a file for random read: " + name,
                                      "Too many open files");
  }

  class File : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    File(std::unique_ptr<rocksdb::FSWritableFile> file, std::shared_ptr<Plan> plan)
        : FSWritableFileOwnerWrapper(std::move(file)), plan_(std::move(plan)) {}

    using FSWritableFileOwnerWrapper::Append;
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override {
      if (plan_->Due(Fault::kAppend)) return rocksdb::IOStatus::IOError("injected EIO");
      if (plan_->Due(Fault::kAppendDamage)) return rocksdb::IOStatus::Corruption("injected damage");
      if (plan_->Due(Fault::kAppendNoSpace)) return rocksdb::IOStatus::NoSpace("injected ENOSPC");
      return FSWritableFileOwnerWrapper::Append(data, options, debug);
    }
    rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
      ++plan_->syncs;
      if (plan_->Due(Fault::kSync)) return rocksdb::IOStatus::IOError("injected EIO");
      return FSWritableFileOwnerWrapper::Sync(options, debug);
    }

   private:
    std::shared_ptr<Plan> plan_;
  };

  class Table : public rocksdb::FSRandomAccessFileOwnerWrapper {
   public:
    Table(std::unique_ptr<rocksdb::FSRandomAccessFile> file, std::shared_ptr<Plan> plan)
        : FSRandomAccessFileOwnerWrapper(std::move(file)), plan_(std::move(plan)) {}

    rocksdb::IOStatus Read(std::uint64_t offset, std::size_t size,
                           const rocksdb::IOOptions& options, rocksdb::Slice* result, char* scratch,
                           rocksdb::IODebugContext* debug) const override {
      if (plan_->Due(Fault::kRead)) return NoDescriptors("a table");
      return FSRandomAccessFileOwnerWrapper::Read(offset, size, options, result, scratch, debug);
    }

   private:
    std::shared_ptr<Plan> plan_;
  };

  std::shared_ptr<Plan> plan_;
};

}  // namespace drumbeat::storage
