// SPDX-License-Identifier: Apache-2.0
#include "storage/prepared_log.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <rocksdb/file_system.h>
#include <unistd.h>

#include "storage/posix_file.h"

namespace drumbeat::storage {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

constexpr std::uint64_t kAheadBytes = 256u << 10;
constexpr std::size_t kLargeWriteBytes = 16u << 10;

constexpr std::array<char, kAheadBytes> kZeros{};

IOStatus StatusOf(const std::string& path, int error_number) {
  // What to do is said at the end of RocksDB's message.
  const std::string text = path + ": " + std::generic_category().message(error_number);
  return MeansFull(error_number) ? IOStatus::NoSpace(text) : IOStatus::IOError(text);
}

/// One write-ahead log. RocksDB appends from one thread at a time and syncs from any.
class LogFile final : public rocksdb::FSWritableFile {
 public:
  LogFile(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  ~LogFile() override { CutZeros(); }

  using FSWritableFile::Append;
  IOStatus Append(const rocksdb::Slice& data, const IOOptions&, IODebugContext*) override {
    Prepare(data.size());
    const int failure = WriteFully(fd_.get(), {data.data(), data.size()}, size_);
    if (failure == 0) {
      size_ += data.size();
      return IOStatus::OK();
    }
    // RocksDB writes no more, and what got there is no record.
    Cut();
    return StatusOf(path_, failure);
  }
  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    return ::fdatasync(fd_.get()) == 0 ? IOStatus::OK() : StatusOf(path_, errno);
  }
  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    return ::fsync(fd_.get()) == 0 ? IOStatus::OK() : StatusOf(path_, errno);
  }
  bool IsSyncThreadSafe() const override { return true; }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Truncate(std::uint64_t size, const IOOptions&, IODebugContext*) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) return StatusOf(path_, errno);
    size_ = prepared_ = size;
    return IOStatus::OK();
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override {
    CutZeros();
    fd_ = Fd();
    return IOStatus::OK();
  }
  std::uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return size_; }
  // RocksDB's own way reserves blocks, which spares a sync nothing.
  void PrepareWrite(std::size_t, std::size_t, const IOOptions&, IODebugContext*) override {}

 private:
  /// Best effort: without it the write grows the file, as it otherwise would.
  void Prepare(std::size_t bytes) {
    if (gave_up_ || bytes > kLargeWriteBytes || size_ + bytes <= prepared_) return;
    if (WriteFully(fd_.get(), {kZeros.data(), kZeros.size()}, size_) == 0) {
      prepared_ = size_ + kAheadBytes;
      return;
    }
    // A full disk, above all: the space is for what must be written.
    gave_up_ = true;
    Cut();
  }

  void CutZeros() {
    if (fd_.ok() && prepared_ > size_) Cut();
  }

  /// If zeros stay, they follow the last record, as after a crash.
  void Cut() {
    (void)!::ftruncate(fd_.get(), static_cast<off_t>(size_));
    prepared_ = size_;
  }

  Fd fd_;
  const std::string path_;
  /// What was appended.
  std::uint64_t size_ = 0;
  /// Up to where the file was filled.
  std::uint64_t prepared_ = 0;
  bool gave_up_ = false;
};

class FileSystem final : public rocksdb::FileSystemWrapper {
 public:
  FileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}

  const char* Name() const override { return "drumbeat::storage::PreparedLogFileSystem"; }
  IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext* debug) override {
    if (!name.ends_with(".log")) {
      return FileSystemWrapper::NewWritableFile(name, options, result, debug);
    }
    Fd fd = OpenAt(AT_FDCWD, name, O_WRONLY | O_CREAT | O_TRUNC);
    if (!fd.ok()) return StatusOf(name, errno);
    *result = std::make_unique<LogFile>(std::move(fd), name);
    return IOStatus::OK();
  }
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> PreparedLogFileSystem() {
  return std::make_shared<FileSystem>();
}

}  // namespace drumbeat::storage
