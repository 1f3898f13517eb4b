// SPDX-License-Identifier: Apache-2.0
#include "storage/system_calls.h"

#include <algorithm>
#include <cerrno>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <utility>

#include <dlfcn.h>
#include <unistd.h>

namespace drumbeat::storage {
namespace {

std::atomic<FileWatcher*> watcher{nullptr};
std::atomic<SlowFiles*> slow{nullptr};
std::atomic<RefusedWrites*> refused{nullptr};
std::atomic<FullAfter*> full{nullptr};
std::atomic<FailingSync*> failing_sync{nullptr};
std::atomic<FailingRename*> failing_rename{nullptr};
std::atomic<LittleSpace*> little_space{nullptr};
std::atomic<BadSector*> bad_sector{nullptr};
std::atomic<UnreadableFolder*> unreadable{nullptr};

std::string PathOf(int fd) {
  char path[4096];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = ::readlink(link.c_str(), path, sizeof(path));
  return {path, size > 0 ? static_cast<std::size_t>(size) : 0};
}

/// Whether a write may go on, with how much; sets errno if not.
bool MayWrite(int fd, std::size_t& count) {
  RefusedWrites* const refuses = refused.load();
  if (refuses != nullptr && refuses->Refuses(fd)) {
    errno = refuses->error();
    return false;
  }
  FullAfter* const fills = full.load();
  if (fills != nullptr && !fills->Admit(fd, count)) {
    errno = ENOSPC;
    return false;
  }
  SlowFiles* const slows = slow.load();
  return slows == nullptr || slows->Admit(slows->writes_, count);
}

ssize_t Written(int fd, ssize_t result) {
  FileWatcher* const watches = watcher.load();
  if (watches != nullptr && result > 0) watches->Wrote(PathOf(fd));
  return result;
}

int Sync(int fd, long call) {
  FailingSync* const fails = failing_sync.load();
  if (fails != nullptr && fails->Fails(fd)) {
    errno = EIO;
    return -1;
  }
  const int result = static_cast<int>(::syscall(call, fd));
  FileWatcher* const watches = watcher.load();
  if (watches != nullptr && result == 0) watches->Synced(PathOf(fd));
  return result;
}

}  // namespace

FileWatcher::FileWatcher() { watcher = this; }
FileWatcher::~FileWatcher() { watcher = nullptr; }

SlowFiles::SlowFiles(std::size_t bytes) : bytes_(bytes) { slow = this; }
SlowFiles::~SlowFiles() { slow = nullptr; }

bool SlowFiles::Admit(std::atomic<int>& calls, std::size_t& count) const {
  if (++calls % 2 == 0) {
    errno = EINTR;
    return false;
  }
  count = std::min(count, bytes_);
  return true;
}

RefusedWrites::RefusedWrites(std::string suffix, int error)
    : suffix_(std::move(suffix)), error_(error) {
  storage::refused = this;
}
RefusedWrites::~RefusedWrites() { storage::refused = nullptr; }

bool RefusedWrites::Refuses(int fd) {
  if (!PathOf(fd).ends_with(suffix_)) return false;
  ++refused_;
  return true;
}

FailingSync::FailingSync(std::string folder, int skip) : folder_(std::move(folder)), skip_(skip) {
  failing_sync = this;
}
FailingSync::~FailingSync() { failing_sync = nullptr; }

bool FailingSync::Fails(int fd) {
  std::string path = PathOf(fd);
  if (!path.starts_with(folder_)) return false;
  if (skip_-- != 0) return false;
  const std::lock_guard lock(mutex_);
  failed_ = std::move(path);
  return true;
}

FailingRename::FailingRename(std::string name, int skip) : name_(std::move(name)), skip_(skip) {
  failing_rename = this;
}
FailingRename::~FailingRename() { failing_rename = nullptr; }

bool FailingRename::Fails(const std::string& to) {
  if (!to.ends_with("/" + name_) || skip_-- != 0) return false;
  failed_ = true;
  return true;
}

FullAfter::FullAfter(std::string suffix, std::size_t bytes)
    : suffix_(std::move(suffix)), left_(bytes) {
  full = this;
}
FullAfter::~FullAfter() { full = nullptr; }

bool FullAfter::Admit(int fd, std::size_t& count) {
  if (!PathOf(fd).ends_with(suffix_)) return true;
  count = std::min(count, left_.load());
  left_ -= count;
  if (count > 0) return true;
  ++refused_;
  return false;
}

LittleSpace::LittleSpace(std::size_t bytes) : bytes_(bytes) { little_space = this; }
LittleSpace::~LittleSpace() { little_space = nullptr; }

BadSector::BadSector(std::string suffix, long begin, int error)
    : suffix_(std::move(suffix)), begin_(begin), error_(error) {
  bad_sector = this;
}
BadSector::~BadSector() { bad_sector = nullptr; }

bool BadSector::Refuses(int fd, long offset, std::size_t count) {
  if (offset >= begin_ + kBytes || offset + static_cast<long>(count) <= begin_) return false;
  if (!PathOf(fd).ends_with(suffix_)) return false;
  ++refused_;
  return true;
}

UnreadableFolder::UnreadableFolder(std::string suffix, int names, int error)
    : suffix_(std::move(suffix)), names_(names), error_(error) {
  unreadable = this;
}
UnreadableFolder::~UnreadableFolder() { unreadable = nullptr; }

bool UnreadableFolder::Refuses(DIR* folder) {
  if (!PathOf(::dirfd(folder)).ends_with(suffix_)) return false;
  if (::telldir(folder) == 0) read_ = 0;
  if (++read_ <= names_) return false;
  ++refused_;
  return true;
}

}  // namespace drumbeat::storage

extern "C" ssize_t write(int fd, const void* bytes, size_t count) {
  if (!drumbeat::storage::MayWrite(fd, count)) return -1;
  return drumbeat::storage::Written(fd, ::syscall(SYS_write, fd, bytes, count));
}

extern "C" ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) {
  if (!drumbeat::storage::MayWrite(fd, count)) return -1;
  return drumbeat::storage::Written(fd, ::syscall(SYS_pwrite64, fd, bytes, count, offset));
}

extern "C" ssize_t pread(int fd, void* bytes, size_t count, off_t offset) {
  drumbeat::storage::BadSector* const bad = drumbeat::storage::bad_sector.load();
  if (bad != nullptr && bad->Refuses(fd, offset, count)) {
    errno = bad->error();
    return -1;
  }
  drumbeat::storage::SlowFiles* const slows = drumbeat::storage::slow.load();
  if (slows != nullptr && !slows->Admit(slows->reads_, count)) return -1;
  return ::syscall(SYS_pread64, fd, bytes, count, offset);
}

extern "C" int statvfs(const char* path, struct statvfs* disk) noexcept {
  using Call = int (*)(const char*, struct statvfs*);
  static const auto real = reinterpret_cast<Call>(::dlsym(RTLD_NEXT, "statvfs"));
  const int result = real(path, disk);
  drumbeat::storage::LittleSpace* const little = drumbeat::storage::little_space.load();
  if (result == 0 && little != nullptr) disk->f_bavail = little->bytes() / disk->f_frsize;
  return result;
}

extern "C" dirent* readdir(DIR* folder) {
  drumbeat::storage::UnreadableFolder* const bad = drumbeat::storage::unreadable.load();
  if (bad != nullptr && bad->Refuses(folder)) {
    errno = bad->error();
    return nullptr;
  }
  using Call = dirent* (*)(DIR*);
  static const auto real = reinterpret_cast<Call>(::dlsym(RTLD_NEXT, "readdir"));
  return real(folder);
}

extern "C" int rename(const char* from, const char* to) noexcept {
  drumbeat::storage::FailingRename* const fails = drumbeat::storage::failing_rename.load();
  if (fails != nullptr && fails->Fails(to)) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_rename, from, to));
}

extern "C" int fsync(int fd) { return drumbeat::storage::Sync(fd, SYS_fsync); }

extern "C" int fdatasync(int fd) { return drumbeat::storage::Sync(fd, SYS_fdatasync); }
