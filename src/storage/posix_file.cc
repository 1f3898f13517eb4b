// SPDX-License-Identifier: Apache-2.0
#include "storage/posix_file.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <sys/stat.h>
#include <system_error>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

namespace drumbeat::storage {

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

bool MeansFull(int error_number) { return error_number == ENOSPC || error_number == EDQUOT; }

Error SystemError(ErrorCode code, std::string_view what, int error_number) {
  std::string text = std::string(what) + ": " + std::generic_category().message(error_number);
  if (MeansFull(error_number)) text += "; free some space";
  return Error{.code = code, .message = std::move(text)};
}

Fd OpenAt(int directory, const std::string& name, int flags, mode_t mode) {
  int fd;
  do {
    fd = ::openat(directory, name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, mode);
  } while (fd < 0 && errno == EINTR);
  return Fd(fd);
}

Result<std::string> ReadAt(int fd, std::string_view path, std::uint64_t offset,
                           std::size_t length) {
  std::string bytes(length, '\0');
  std::size_t done = 0;
  while (done < length) {
    const ssize_t got =
        ::pread(fd, bytes.data() + done, length - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return std::unexpected(
          SystemError(ErrorCode::kStorage, "cannot read " + std::string(path), errno));
    }
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

Result<std::string> ReadAll(int fd, std::string_view path, std::size_t max_bytes) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) {
    return std::unexpected(
        SystemError(ErrorCode::kStorage, "cannot read " + std::string(path), errno));
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > max_bytes) {
    return Fail(ErrorCode::kDamaged, std::string(path) + " is damaged: it is far too long");
  }
  return ReadAt(fd, path, 0, static_cast<std::size_t>(size));
}

int WriteFully(int fd, std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return 0;
}

Result<void> WriteAt(int fd, std::string_view path, std::string_view bytes, std::uint64_t offset) {
  const int failure = WriteFully(fd, bytes, offset);
  if (failure == 0) return {};
  return std::unexpected(
      SystemError(ErrorCode::kStorage, "cannot write " + std::string(path), failure));
}

Result<void> SyncFile(int fd, std::string_view path) {
  if (::fsync(fd) != 0) {
    return std::unexpected(
        SystemError(ErrorCode::kStorage, "cannot sync " + std::string(path), errno));
  }
  return {};
}

Result<void> SyncDirectory(const std::filesystem::path& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.ok()) {
    return std::unexpected(SystemError(ErrorCode::kStorage, "cannot open " + path.string(), errno));
  }
  return SyncFile(fd.get(), path.string());
}

Result<void> MakeDirectory(const std::filesystem::path& directory) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return std::unexpected(
        SystemError(ErrorCode::kStorage, "cannot create " + directory.string(), errno));
  }
  // Also of one that is there: whoever made it may have been killed before this.
  const std::filesystem::path parent = directory.parent_path();
  return SyncDirectory(parent.empty() ? "." : parent);
}

int ReadNames(const std::filesystem::path& directory, std::vector<std::string>& names) {
  const auto close = [](DIR* open) { ::closedir(open); };
  const std::unique_ptr<DIR, decltype(close)> open(::opendir(directory.c_str()));
  if (open == nullptr) return errno;
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(open.get());
    if (entry == nullptr && errno != 0) return errno;
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return 0;
}

Result<std::vector<std::string>> ListDirectory(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  const int failure = ReadNames(directory, names);
  if (failure == 0) return names;
  return std::unexpected(
      SystemError(ErrorCode::kStorage, "cannot list " + directory.string(), failure));
}

Result<void> ReplaceFile(const std::filesystem::path& directory, const std::string& name,
                         std::string_view content) {
  const std::filesystem::path target = directory / name;
  const std::filesystem::path aside = directory / (name + ".tmp");
  ::unlink(aside.c_str());
  {
    const Fd fd = OpenAt(AT_FDCWD, aside.string(), O_WRONLY | O_CREAT | O_EXCL);
    if (!fd.ok()) {
      return std::unexpected(
          SystemError(ErrorCode::kStorage, "cannot create " + aside.string(), errno));
    }
    Result<void> written = WriteAt(fd.get(), aside.string(), content, 0);
    if (written) written = SyncFile(fd.get(), aside.string());
    if (!written) {
      ::unlink(aside.c_str());
      return written;
    }
  }
  if (::rename(aside.c_str(), target.c_str()) != 0) {
    const Error error = SystemError(ErrorCode::kStorage, "cannot create " + target.string(), errno);
    ::unlink(aside.c_str());
    return std::unexpected(error);
  }
  return SyncDirectory(directory);
}

}  // namespace drumbeat::storage
