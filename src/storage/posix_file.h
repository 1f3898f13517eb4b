// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

#include "drumbeat/error.h"

namespace drumbeat::storage {

/// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();

  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// Whether it stands for a disk that is full, or one's share of it.
bool MeansFull(int error_number);

/// `what` and the reason that `error_number` stands for, on one line, with a full disk's remedy.
Error SystemError(ErrorCode code, std::string_view what, int error_number);

/// Opens relative to `directory` (or AT_FDCWD); never follows a link at the end, never inherited.
Fd OpenAt(int directory, const std::string& name, int flags, mode_t mode = 0600);

/// All of an open file, refused with kDamaged when it is longer than `max_bytes`.
Result<std::string> ReadAll(int fd, std::string_view path, std::size_t max_bytes);
/// Exactly `length` bytes at `offset`; fewer only at the end of the file.
Result<std::string> ReadAt(int fd, std::string_view path, std::uint64_t offset, std::size_t length);
/// Loops over interruptions and short writes. 0 or the error number.
int WriteFully(int fd, std::string_view bytes, std::uint64_t offset);
/// The same, with an error that names `path`.
Result<void> WriteAt(int fd, std::string_view path, std::string_view bytes, std::uint64_t offset);
Result<void> SyncFile(int fd, std::string_view path);
Result<void> SyncDirectory(const std::filesystem::path& path);
/// Makes a directory, unless there is one, and its name durable: not every file system carries it
/// with the syncs of what is in it. Mode 0700.
Result<void> MakeDirectory(const std::filesystem::path& directory);

/// The names of what is in a directory, sorted. 0 or the error number. The loop over
/// std::filesystem::directory_iterator throws where a directory cannot be read to its end.
int ReadNames(const std::filesystem::path& directory, std::vector<std::string>& names);
/// The same, with an error that names `directory`.
Result<std::vector<std::string>> ListDirectory(const std::filesystem::path& directory);

/// Makes `directory/name` hold `content`, durably, in one step: a crash leaves the old file (or
/// none) or the new one, and at most a `<name>.tmp` beside it. Mode 0600.
Result<void> ReplaceFile(const std::filesystem::path& directory, const std::string& name,
                         std::string_view content);

}  // namespace drumbeat::storage
