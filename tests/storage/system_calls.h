// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

#include <dirent.h>

// This test program's own write, pwrite, pread, readdir, rename, statvfs, fsync and fdatasync stand
// before the C library's, also for RocksDB. One of these at a time says what they do beside their
// work.
namespace drumbeat::storage {

/// Told of every write and sync, once it is done.
class FileWatcher {
 public:
  FileWatcher();
  virtual ~FileWatcher();
  FileWatcher(const FileWatcher&) = delete;
  FileWatcher& operator=(const FileWatcher&) = delete;

  virtual void Wrote(const std::string& path) = 0;
  virtual void Synced(const std::string& path) = 0;
};

/// Notes the paths of what is synced.
class SyncRecorder : public FileWatcher {
 public:
  std::vector<std::string> paths() const {
    const std::lock_guard lock(mutex_);
    return paths_;
  }
  void Wrote(const std::string&) override {}
  void Synced(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    paths_.push_back(path);
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> paths_;
};

/// A system in which every second read or write of a file is interrupted, and the others get no
/// further than `bytes`.
class SlowFiles {
 public:
  explicit SlowFiles(std::size_t bytes);
  ~SlowFiles();
  /// Reads and writes until now.
  int reads() const { return reads_; }
  int writes() const { return writes_; }

  /// Cuts `count`; false when this call is interrupted.
  bool Admit(std::atomic<int>& calls, std::size_t& count) const;
  std::atomic<int> reads_{0};
  std::atomic<int> writes_{0};

 private:
  const std::size_t bytes_;
};

/// A system that lets nothing be written to files that end in `suffix`.
class RefusedWrites {
 public:
  RefusedWrites(std::string suffix, int error);
  ~RefusedWrites();
  int refused() const { return refused_; }

  bool Refuses(int fd);
  int error() const { return error_; }

 private:
  const std::string suffix_;
  const int error_;
  std::atomic<int> refused_{0};
};

/// A disk on which one sync below `folder` fails, the one behind the first `skip`.
class FailingSync {
 public:
  FailingSync(std::string folder, int skip);
  ~FailingSync();
  /// What it was that failed; empty: nothing yet.
  std::string failed() const {
    const std::lock_guard lock(mutex_);
    return failed_;
  }

  bool Fails(int fd);

 private:
  const std::string folder_;
  std::atomic<int> skip_;
  mutable std::mutex mutex_;
  std::string failed_;
};

/// A disk on which one renaming to a file called `name` fails, the one behind the first `skip`.
class FailingRename {
 public:
  FailingRename(std::string name, int skip);
  ~FailingRename();
  bool failed() const { return failed_; }

  bool Fails(const std::string& to);

 private:
  const std::string name_;
  std::atomic<int> skip_;
  std::atomic<bool> failed_{false};
};

/// A disk that has room for `bytes` more in files that end in `suffix`.
class FullAfter {
 public:
  FullAfter(std::string suffix, std::size_t bytes);
  ~FullAfter();
  int refused() const { return refused_; }

  /// Cuts `count`; false when there is no room.
  bool Admit(int fd, std::size_t& count);

 private:
  const std::string suffix_;
  std::atomic<std::size_t> left_;
  std::atomic<int> refused_{0};
};

/// A disk that says that so many bytes are free.
class LittleSpace {
 public:
  explicit LittleSpace(std::size_t bytes);
  ~LittleSpace();
  std::size_t bytes() const { return bytes_; }

 private:
  const std::size_t bytes_;
};

/// A disk that cannot read folders that end in `suffix` beyond their first `names`, of which two
/// are the folder's own and the one around it.
class UnreadableFolder {
 public:
  explicit UnreadableFolder(std::string suffix, int names, int error = EIO);
  ~UnreadableFolder();
  int refused() const { return refused_; }

  bool Refuses(DIR* folder);
  int error() const { return error_; }

 private:
  const std::string suffix_;
  const int names_;
  const int error_;
  int read_ = 0;
  std::atomic<int> refused_{0};
};

/// A disk that cannot read one sector of files that end in `suffix`.
class BadSector {
 public:
  static constexpr long kBytes = 512;

  explicit BadSector(std::string suffix, long begin = 0, int error = EIO);
  ~BadSector();
  int refused() const { return refused_; }

  bool Refuses(int fd, long offset, std::size_t count);
  int error() const { return error_; }

 private:
  const std::string suffix_;
  const long begin_;
  const int error_;
  std::atomic<int> refused_{0};
};

}  // namespace drumbeat::storage
