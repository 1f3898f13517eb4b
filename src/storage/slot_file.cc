// SPDX-License-Identifier: Apache-2.0
#include "storage/slot_file.h"

#include <algorithm>
#include <cerrno>
#include <sys/file.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/byte_coding.h"
#include "base/crc.h"
#include "storage/advice.h"
#include "storage/posix_file.h"

namespace drumbeat::storage {
namespace {

constexpr std::string_view kMagic = "drumbeat";
constexpr std::uint32_t kFormat = 1;
constexpr std::size_t kHeaderBytes = 24;  // magic 8, format 4, length 4, sequence 8
constexpr std::size_t kCrcBytes = 4;
constexpr std::size_t kFirstSlotBytes = 4096;
constexpr std::size_t kMaxFileBytes = 1u << 30;

struct Slot {
  std::uint32_t format = 0;
  std::uint64_t sequence = 0;
  std::string content;
};

std::string EncodeSlot(std::uint64_t sequence, std::string_view content) {
  std::string bytes(kMagic);
  base::AppendLittle(bytes, kFormat);
  base::AppendLittle(bytes, static_cast<std::uint32_t>(content.size()));
  base::AppendLittle(bytes, sequence);
  bytes += content;
  base::AppendLittle(bytes, base::Crc32c(bytes));
  return bytes;
}

// Where the checksum stands does not depend on the format, so that a newer one is told from damage.
std::optional<Slot> DecodeSlot(std::string_view bytes) {
  base::ByteReader reader(bytes);
  if (reader.Take(kMagic.size()) != kMagic) return std::nullopt;
  Slot slot;
  slot.format = reader.Little<std::uint32_t>();
  const auto length = reader.Little<std::uint32_t>();
  slot.sequence = reader.Little<std::uint64_t>();
  slot.content = reader.Take(length);
  const auto crc = reader.Little<std::uint32_t>();
  if (!reader.ok() || base::Crc32c(bytes.substr(0, kHeaderBytes + length)) != crc) {
    return std::nullopt;
  }
  return slot;
}

class DoubleSlotFile : public SlotFile {
 public:
  DoubleSlotFile(std::filesystem::path directory, std::string name)
      : directory_(std::move(directory)),
        name_(std::move(name)),
        path_((directory_ / name_).string()) {}

  /// False when there is no file.
  Result<bool> Open() {
    fd_ = OpenAt(AT_FDCWD, path_, O_RDWR);
    if (!fd_.ok() && errno == ENOENT) return false;
    if (!fd_.ok()) {
      return std::unexpected(SystemError(ErrorCode::kStorage, "cannot open " + path_, errno));
    }
    if (Result<void> locked = Lock(); !locked) return std::unexpected(locked.error());
    const Result<std::string> bytes = ReadAll(fd_.get(), path_, kMaxFileBytes);
    if (!bytes) return std::unexpected(bytes.error());
    slot_bytes_ = bytes->size() / 2;
    std::optional<Slot> newest;
    for (const std::size_t begin : {std::size_t{0}, slot_bytes_}) {
      std::optional<Slot> slot = DecodeSlot(std::string_view(*bytes).substr(begin, slot_bytes_));
      if (slot && (!newest || slot->sequence > newest->sequence)) newest = std::move(slot);
    }
    if (!newest) {
      return Fail(ErrorCode::kDamaged, Advised(path_ + " is damaged", kHostAdvice));
    }
    if (newest->format > kFormat) {
      return Fail(ErrorCode::kNewerFormat,
                  Advised(path_ + " was written by a newer version of drumbeat (format " +
                              std::to_string(newest->format) + ")",
                          kNewerAdvice));
    }
    sequence_ = newest->sequence;
    content_ = std::move(newest->content);
    // Whoever wrote it may not have lived to sync it, or in vain: it is handed out durable.
    if (Result<void> kept = Rebuild(slot_bytes_, content_); !kept) {
      return std::unexpected(kept.error());
    }
    return true;
  }

  Result<void> Create() { return Rebuild(kFirstSlotBytes, {}); }

  const std::string& content() const override { return content_; }

  // After a failure nobody knows which slot is whole, or where the slots are: the next write might
  // end the last good one.
  Result<void> Write(std::string_view content) override {
    if (failed_) return std::unexpected(*failed_);
    const std::size_t needed = kHeaderBytes + content.size() + kCrcBytes;
    Result<void> written;
    if (needed > slot_bytes_) {
      written = Rebuild(std::max(needed, 2 * slot_bytes_), content);
    } else {
      written = WriteSlot(content);
    }
    if (!written) {
      failed_ = Error{ErrorCode::kWriteFailed, written.error().message};
      return std::unexpected(*failed_);
    }
    content_ = content;
    return {};
  }

 private:
  Result<void> WriteSlot(std::string_view content) {
    const std::uint64_t begin = (++sequence_ & 1) * slot_bytes_;
    Result<void> written = WriteAt(fd_.get(), path_, EncodeSlot(sequence_, content), begin);
    if (!written) return written;
    // The blocks are there already: nothing but data has to reach the disk.
    if (::fdatasync(fd_.get()) != 0) {
      return std::unexpected(SystemError(ErrorCode::kStorage, "cannot sync " + path_, errno));
    }
    return {};
  }

  Result<void> Rebuild(std::size_t slot_bytes, std::string_view content) {
    std::string bytes(2 * slot_bytes, '\0');
    const std::string slot = EncodeSlot(++sequence_, content);
    bytes.replace((sequence_ & 1) * slot_bytes, slot.size(), slot);
    slot_bytes_ = slot_bytes;
    if (Result<void> replaced = ReplaceFile(directory_, name_, bytes); !replaced) return replaced;
    fd_ = OpenAt(AT_FDCWD, path_, O_RDWR);
    if (fd_.ok()) return Lock();
    return std::unexpected(SystemError(ErrorCode::kStorage, "cannot open " + path_, errno));
  }

  Result<void> Lock() {
    if (::flock(fd_.get(), LOCK_EX | LOCK_NB) == 0) return {};
    if (errno == EWOULDBLOCK) return Fail(ErrorCode::kLocked, path_ + " is in use");
    return std::unexpected(SystemError(ErrorCode::kStorage, "cannot lock " + path_, errno));
  }

  const std::filesystem::path directory_;
  const std::string name_;
  const std::string path_;
  Fd fd_;
  std::size_t slot_bytes_ = 0;
  std::uint64_t sequence_ = 0;
  std::string content_;
  std::optional<Error> failed_;
};

}  // namespace

Result<std::unique_ptr<SlotFile>> OpenSlotFile(const std::filesystem::path& directory,
                                               const std::string& name) {
  auto file = std::make_unique<DoubleSlotFile>(directory, name);
  const Result<bool> there = file->Open();
  if (!there) return std::unexpected(there.error());
  if (!*there) return nullptr;
  return file;
}

Result<std::unique_ptr<SlotFile>> CreateSlotFile(const std::filesystem::path& directory,
                                                 const std::string& name) {
  auto file = std::make_unique<DoubleSlotFile>(directory, name);
  if (Result<void> made = file->Create(); !made) return std::unexpected(made.error());
  return file;
}

}  // namespace drumbeat::storage
