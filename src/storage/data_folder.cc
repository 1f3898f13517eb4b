// SPDX-License-Identifier: Apache-2.0
#include "storage/data_folder.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <utility>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/random.h"
#include "logging/logger.h"
#include "storage/advice.h"
#include "storage/folder_identity.h"
#include "storage/posix_file.h"

namespace drumbeat::storage {
namespace {

constexpr const char* kLockName = "LOCK";
constexpr const char* kIdentityName = "IDENTITY";
constexpr const char* kIdentityAside = "IDENTITY.tmp";
constexpr const char* kStartedName = "STARTED";
constexpr const char* kStartedAside = "STARTED.tmp";
constexpr const char* kWitnessPath = "db/WITNESS";
constexpr std::size_t kMaxIdentityBytes = 64u << 10;
constexpr std::size_t kPidBytes = 32;

using Path = std::filesystem::path;

std::string Title(const Path& folder) { return "data folder " + folder.string(); }

/// `what` of the folder failed; the reason brings its remedy.
std::unexpected<Error> Refused(const Path& folder, std::string_view what, int error_number) {
  Error error =
      SystemError(ErrorCode::kStorage, std::string(what) + " " + Title(folder), error_number);
  if (!MeansFull(error_number)) error.message += "; check its permissions or choose another folder";
  return std::unexpected(std::move(error));
}

Path WithoutTrailingSlash(const Path& folder) {
  return folder.has_filename() ? folder : folder.parent_path();
}

/// The folder itself, opened without following a link. Not ok when there is none.
Result<Fd> OpenFolder(const Path& folder) {
  Fd fd = OpenAt(AT_FDCWD, folder.string(), O_RDONLY | O_DIRECTORY);
  if (fd.ok() || errno == ENOENT) return fd;
  const int reason = errno;
  struct stat status{};
  if (::lstat(folder.c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) {
    return Fail(ErrorCode::kStorage,
                folder.string() + (S_ISLNK(status.st_mode) ? " is a symbolic link" : " is a file") +
                    ", not a data folder; move it away or choose another folder");
  }
  return Refused(folder, "cannot open", reason);
}

/// Of a folder in use others must not be able to change a thing; an empty one is about to be closed
/// to them.
enum class FolderUse : std::uint8_t { kInUse, kEmpty };

Result<void> CheckOwnership(const Path& folder, int fd, FolderUse use) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return Refused(folder, "cannot examine", errno);
  if (status.st_uid != ::geteuid()) {
    return Fail(ErrorCode::kStorage, Title(folder) + " belongs to user " +
                                         std::to_string(status.st_uid) +
                                         "; run as that user or change its owner");
  }
  if (use == FolderUse::kInUse && (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Fail(ErrorCode::kStorage,
                Title(folder) + " is writable by other users; run chmod 700 " + folder.string());
  }
  return {};
}

Result<std::vector<std::string>> List(const Path& folder) {
  std::vector<std::string> names;
  const int failure = ReadNames(folder, names);
  if (failure != 0) return Refused(folder, "cannot list", failure);
  return names;
}

bool Contains(const std::vector<std::string>& names, const char* name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool Exists(int folder, const char* name) {
  return ::faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

Result<IdentityRecord> ReadIdentity(const Path& folder, int folder_fd) {
  const std::string name = (folder / kIdentityName).string();
  const Fd fd = OpenAt(folder_fd, kIdentityName, O_RDONLY);
  if (!fd.ok())
    return std::unexpected(SystemError(ErrorCode::kStorage, "cannot open " + name, errno));
  const Result<std::string> text = ReadAll(fd.get(), name, kMaxIdentityBytes);
  if (!text) return std::unexpected(text.error());
  return DecodeIdentity(name, *text);
}

/// The first name that we give to nothing.
std::optional<std::string> FirstForeign(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const auto ours = {kLockName,    kIdentityName, kIdentityAside,
                       kStartedName, kStartedAside, kStoresName};
    if (std::find(ours.begin(), ours.end(), name) == ours.end()) return name;
  }
  return std::nullopt;
}

/// Whether what is in the folder says that it is ours, whatever else somebody put there. A LOCK
/// does not, nor any IDENTITY: other stores have such, too.
bool IsMarked(const Path& folder, int folder_fd) {
  if (Exists(folder_fd, kWitnessPath)) return true;
  const Result<IdentityRecord> record = ReadIdentity(folder, folder_fd);
  return record || record.error().code == ErrorCode::kNewerFormat;
}

/// kNotOwner for a folder of somebody else's. Comes before the lock, which writes into the folder.
Result<void> CheckOurs(const Path& folder, int folder_fd, const std::vector<std::string>& names) {
  std::optional<std::string> foreign = FirstForeign(names);
  // Others have a `db`, too. Beside a LOCK it may be that of a start at this moment, which makes
  // the LOCK first and deletes it last.
  const bool locked = Contains(names, kLockName) || Exists(folder_fd, kLockName);
  if (!foreign && !locked && Contains(names, kStoresName)) foreign = kStoresName;
  if (!foreign || IsMarked(folder, folder_fd)) return {};
  return Fail(ErrorCode::kNotOwner, folder.string() +
                                        " is not a data folder of drumbeat, it holds " +
                                        logging::Escape(*foreign) + "; choose another folder");
}

/// Whether a start may begin in a locked folder that has no IDENTITY.
Result<void> CheckAdoptable(const Path& folder, int folder_fd,
                            const std::vector<std::string>& names) {
  if (Result<void> ours = CheckOurs(folder, folder_fd, names); !ours) return ours;
  const bool used = Contains(names, kStoresName) || Contains(names, kStartedName);
  if (!FirstForeign(names) && !used) return {};
  return Fail(ErrorCode::kDamaged, (folder / kIdentityName).string() +
                                       " is missing; restore it from a backup of the data folder");
}

std::unexpected<Error> Locked(const Path& folder, int lock) {
  std::array<char, kPidBytes> pid{};
  const ssize_t length = ::pread(lock, pid.data(), pid.size() - 1, 0);
  std::string_view text(pid.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
  text = text.substr(0, text.find_first_not_of("0123456789"));
  const std::string who = text.empty() ? "another process" : "process " + std::string(text);
  return Fail(ErrorCode::kLocked,
              Title(folder) + " is in use by " + who + "; stop it first or choose another folder");
}

bool SameFile(int fd, int folder, const char* name) {
  struct stat opened{};
  struct stat named{};
  return ::fstat(fd, &opened) == 0 && ::fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

struct LockFile {
  Fd fd;
  /// By this call.
  bool made = false;
};

/// Not ok when it cannot be opened, or was deleted while this went on: errno says which.
LockFile OpenLock(int folder_fd) {
  Fd made = OpenAt(folder_fd, kLockName, O_RDWR | O_CREAT | O_EXCL);
  if (made.ok() || errno != EEXIST) return {.fd = std::move(made), .made = true};
  return {.fd = OpenAt(folder_fd, kLockName, O_RDWR), .made = false};
}

/// Whoever made the folders around ours, a program just now or a start that was killed, may not
/// have made their names durable. Those of other file systems, and what we may not read, are not
/// ours.
Result<void> SyncAround(const Path& folder) {
  std::error_code failure;
  struct stat own{};
  struct stat around{};
  if (::stat(folder.c_str(), &own) != 0) return Refused(folder, "cannot examine", errno);
  for (Path at = std::filesystem::absolute(folder, failure); at.has_relative_path();) {
    at = at.parent_path();
    if (::stat(at.c_str(), &around) != 0 || around.st_dev != own.st_dev) break;
    if (::access(at.c_str(), R_OK) != 0) continue;
    if (Result<void> synced = SyncDirectory(at); !synced) return synced;
  }
  return {};
}

/// 0 or the error number.
int WritePid(int lock) {
  if (::ftruncate(lock, 0) != 0) return errno;
  return WriteFully(lock, std::to_string(::getpid()) + "\n", 0);
}

/// Takes the lock and writes our pid into it. flock goes with the open file, so that it also keeps
/// out a second host in this process, and is gone with the process however it ends.
Result<Fd> Lock(const Path& folder, int folder_fd) {
  for (;;) {
    LockFile lock = OpenLock(folder_fd);
    if (!lock.fd.ok() && !lock.made && errno == ENOENT) continue;
    if (!lock.fd.ok()) return Refused(folder, "cannot lock", errno);
    const int fd = lock.fd.get();
    int failed;
    do {
      failed = ::flock(fd, LOCK_EX | LOCK_NB);
    } while (failed != 0 && errno == EINTR);
    if (failed != 0 && errno == EWOULDBLOCK) return Locked(folder, fd);
    if (failed != 0) return Refused(folder, "cannot lock", errno);
    // Whoever held it may have deleted it before letting go.
    if (!SameFile(fd, folder_fd, kLockName)) continue;
    const int failure = WritePid(fd);
    if (failure == 0) return std::move(lock.fd);
    // It would keep the folder from being taken away.
    if (lock.made) ::unlinkat(folder_fd, kLockName, 0);
    return Refused(folder, "cannot lock", failure);
  }
}

class PosixDataFolder : public DataFolder {
 public:
  explicit PosixDataFolder(Path folder) : folder_(std::move(folder)) {}
  ~PosixDataFolder() override {
    if (undo_) Undo();
  }

  Result<void> Keep() override;
  const Path& path() const override { return folder_; }
  const std::string& host_id() const override { return host_id_; }

  /// False when there is nothing to open.
  Result<bool> OpenExisting(const FolderIdentity& identity);
  Result<void> Create(const FolderIdentity& identity);

 private:
  Result<void> MakeFolders();
  Result<void> Adopt(const FolderIdentity& identity);
  void Undo();

  const Path folder_;
  std::string host_id_;
  bool undo_ = false;
  /// It is on the disk that there must be stores.
  bool started_ = false;
  /// Folders that were made, outermost first.
  std::vector<Path> made_;
  /// The lock was taken: what is in the folder is ours.
  Fd lock_;
};

Result<bool> PosixDataFolder::OpenExisting(const FolderIdentity& identity) {
  const Result<Fd> fd = OpenFolder(folder_);
  if (!fd) return std::unexpected(fd.error());
  if (!fd->ok()) return false;
  const Result<std::vector<std::string>> names = List(folder_);
  if (!names) return std::unexpected(names.error());
  if (names->empty()) return false;
  const bool known = Contains(*names, kIdentityName);
  if (Result<void> ours = CheckOurs(folder_, fd->get(), *names); !ours) {
    return std::unexpected(ours.error());
  }
  const FolderUse use = known ? FolderUse::kInUse : FolderUse::kEmpty;
  if (Result<void> owned = CheckOwnership(folder_, fd->get(), use); !owned) {
    return std::unexpected(owned.error());
  }
  Result<Fd> lock = Lock(folder_, fd->get());
  if (!lock) return std::unexpected(lock.error());
  lock_ = std::move(*lock);
  if (!Exists(fd->get(), kIdentityName)) {
    // It may have been listed while it was being made, or undone.
    const Result<std::vector<std::string>> now = List(folder_);
    if (!now) return std::unexpected(now.error());
    if (Result<void> fit = CheckAdoptable(folder_, fd->get(), *now); !fit) {
      return std::unexpected(fit.error());
    }
    return false;
  }
  const Result<IdentityRecord> record = ReadIdentity(folder_, fd->get());
  if (!record) return std::unexpected(record.error());
  const Result<void> same = CompareIdentity(folder_.string(), record->identity, identity);
  if (!same) return std::unexpected(same.error());
  host_id_ = record->host_id;
  started_ = Exists(fd->get(), kStartedName);
  if (started_ && !Exists(fd->get(), kWitnessPath)) {
    const std::string what = (folder_ / kWitnessPath).string() + " is missing";
    return Fail(ErrorCode::kDamaged, Advised(what, kHostAdvice));
  }
  return true;
}

// Without it a start that finds no stores cannot tell a first one that was cut short from loss.
Result<void> PosixDataFolder::Keep() {
  if (!started_) {
    const Result<void> noted = ReplaceFile(folder_, kStartedName, "there must be stores in db\n");
    if (!noted) return noted;
    started_ = true;
  }
  undo_ = false;
  return {};
}

Result<void> PosixDataFolder::Create(const FolderIdentity& identity) {
  for (const char c : identity.raft_address) {
    if (static_cast<unsigned char>(c) < 0x20) {
      return Fail(ErrorCode::kInvalidArgument, "the raft address has a control character");
    }
  }
  undo_ = true;
  if (Result<void> made = MakeFolders(); !made) return made;
  return Adopt(identity);
}

Result<void> PosixDataFolder::MakeFolders() {
  std::vector<Path> missing;
  std::error_code failure;
  for (Path at = folder_; !at.empty(); at = at.parent_path()) {
    if (std::filesystem::exists(std::filesystem::symlink_status(at, failure))) break;
    missing.push_back(at);
    if (at == at.parent_path()) break;
  }
  for (auto at = missing.rbegin(); at != missing.rend(); ++at) {
    if (::mkdir(at->c_str(), 0700) != 0) {
      if (errno == EEXIST) continue;
      return Refused(folder_, "cannot create", errno);
    }
    made_.push_back(*at);
    // The umask may have taken more away than asked for.
    if (::chmod(at->c_str(), 0700) != 0) return Refused(folder_, "cannot create", errno);
  }
  return {};
}

Result<void> PosixDataFolder::Adopt(const FolderIdentity& identity) {
  const Result<Fd> fd = OpenFolder(folder_);
  if (!fd) return std::unexpected(fd.error());
  if (!fd->ok()) return Refused(folder_, "cannot open", ENOENT);
  const Result<std::vector<std::string>> names = List(folder_);
  if (!names) return std::unexpected(names.error());
  if (Result<void> ours = CheckOurs(folder_, fd->get(), *names); !ours) return ours;
  const Result<void> owned = CheckOwnership(folder_, fd->get(), FolderUse::kEmpty);
  if (!owned) return owned;
  Result<Fd> lock = Lock(folder_, fd->get());
  if (!lock) return std::unexpected(lock.error());
  // Now that nobody else can be at work in it, it must be as it looked.
  const Result<std::vector<std::string>> now = List(folder_);
  if (!now) {
    // Nothing but the lock is known to be ours.
    if (!Contains(*names, kLockName)) ::unlinkat(fd->get(), kLockName, 0);
    return std::unexpected(now.error());
  }
  if (Contains(*now, kIdentityName)) {
    return Fail(ErrorCode::kStorage, Title(folder_) +
                                         " was created by another process just now; "
                                         "start again");
  }
  if (Result<void> fit = CheckAdoptable(folder_, fd->get(), *now); !fit) return fit;
  lock_ = std::move(*lock);
  if (::fchmod(fd->get(), 0700) != 0) return Refused(folder_, "cannot protect", errno);
  if (Result<void> synced = SyncAround(folder_); !synced) return synced;
  host_id_ = base::MakeUuid();
  return ReplaceFile(folder_, kIdentityName,
                     EncodeIdentity({.identity = identity, .host_id = host_id_}));
}

// Only what this start made: all of the folder's content once it was locked and empty, and the
// folders themselves while nobody else has put anything into them.
void PosixDataFolder::Undo() {
  std::error_code ignored;
  if (lock_.ok()) {
    const Result<std::vector<std::string>> names = List(folder_);
    for (const std::string& name : names ? *names : std::vector<std::string>()) {
      // The lock goes last: until then nobody else may begin here.
      if (name != kLockName) std::filesystem::remove_all(folder_ / name, ignored);
    }
    std::filesystem::remove(folder_ / kLockName, ignored);
  }
  for (auto at = made_.rbegin(); at != made_.rend(); ++at) ::rmdir(at->c_str());
}

}  // namespace

Result<std::unique_ptr<DataFolder>> DataFolder::OpenExisting(const std::filesystem::path& path,
                                                             const FolderIdentity& identity) {
  auto folder = std::make_unique<PosixDataFolder>(WithoutTrailingSlash(path));
  const Result<bool> opened = folder->OpenExisting(identity);
  if (!opened) return std::unexpected(opened.error());
  if (!*opened) return nullptr;
  return folder;
}

Result<std::unique_ptr<DataFolder>> DataFolder::Create(const std::filesystem::path& path,
                                                       const FolderIdentity& identity) {
  auto folder = std::make_unique<PosixDataFolder>(WithoutTrailingSlash(path));
  if (Result<void> created = folder->Create(identity); !created) {
    return std::unexpected(created.error());
  }
  return folder;
}

}  // namespace drumbeat::storage
