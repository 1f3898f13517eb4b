// SPDX-License-Identifier: Apache-2.0
#include "storage/wal_scan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <optional>
#include <sys/stat.h>
#include <utility>
#include <vector>

#include <fcntl.h>

#include "base/byte_coding.h"
#include "base/crc.h"
#include "storage/posix_file.h"

namespace drumbeat::storage {
namespace {

constexpr std::size_t kSectorBytes = 512;

// Fragment types. The recyclable ones (5 to 8) never occur, as our logs are never recycled.
constexpr unsigned kFull = 1;
constexpr unsigned kFirst = 2;
constexpr unsigned kMiddle = 3;
constexpr unsigned kLast = 4;

bool AllZero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

bool KnownType(unsigned type) { return type >= kFull && type <= kLast; }
bool BeginsRecord(unsigned type) { return type == kFull || type == kFirst; }
bool EndsRecord(unsigned type) { return type == kFull || type == kLast; }

/// One fragment's header and whatever of its body is there.
struct Fragment {
  std::uint32_t masked_crc;
  std::size_t length;
  unsigned type;
  /// Type byte and body, as the checksum covers them; cut at the end of the block or file.
  std::string_view checked;

  bool Fits() const { return checked.size() == length + 1; }
  bool Intact() const {
    return KnownType(type) && Fits() && base::MaskCrc32c(base::Crc32c(checked)) == masked_crc;
  }
};

/// `block` holds at least a header at `at`.
Fragment Parse(std::string_view block, std::size_t at) {
  const char* header = block.data() + at;
  const std::size_t length = base::LoadLittle<std::uint16_t>(header + 4);
  return Fragment{.masked_crc = base::LoadLittle<std::uint32_t>(header),
                  .length = length,
                  .type = static_cast<unsigned char>(header[6]),
                  .checked = block.substr(at + kLogHeaderBytes - 1, length + 1)};
}

constexpr std::array<std::uint32_t, 256> MakeZeroByteSteps() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? 0x82f63b78u : 0u);
    table[i] = value;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kZeroByteSteps = MakeZeroByteSteps();

// CRC is linear: one flipped bit changes the checksum by an amount that depends only on its
// distance from the end. Walks from the last byte to the first and compares all eight.
bool OneBitOfBodyExplains(const Fragment& fragment) {
  const std::uint32_t difference =
      base::UnmaskCrc32c(fragment.masked_crc) ^ base::Crc32c(fragment.checked);
  std::array<std::uint32_t, 8> change{};
  for (unsigned bit = 0; bit < 8; ++bit) change[bit] = kZeroByteSteps[std::size_t{1} << bit];
  for (std::size_t i = 0; i < fragment.checked.size(); ++i) {
    for (std::uint32_t& one : change) {
      if (one == difference) return true;
      one = (one >> 8) ^ kZeroByteSteps[one & 0xff];
    }
  }
  return false;
}

bool OneBitOfLengthExplains(std::string_view block, std::size_t at, const Fragment& fragment) {
  for (unsigned bit = 0; bit < 16; ++bit) {
    Fragment other = fragment;
    other.length = fragment.length ^ (std::size_t{1} << bit);
    other.checked = block.substr(at + kLogHeaderBytes - 1, other.length + 1);
    if (other.Intact()) return true;
  }
  return false;
}

// A record that one flipped bit turned bad was whole once: damage, even where zeros in it look
// like a write that never got there.
bool OneFlippedBitExplains(std::string_view block, std::size_t at) {
  const Fragment fragment = Parse(block, at);
  if (OneBitOfLengthExplains(block, at, fragment)) return true;
  if (!fragment.Fits()) return false;
  const std::uint32_t computed = base::MaskCrc32c(base::Crc32c(fragment.checked));
  return std::popcount(computed ^ fragment.masked_crc) == 1 || OneBitOfBodyExplains(fragment);
}

/// Whether [begin, end) of the block is zero throughout one of the sectors that it touches.
bool HasZeroSector(std::string_view block, std::size_t begin, std::size_t end) {
  for (std::size_t at = begin; at < end;) {
    const std::size_t sector_end = std::min(end, (at / kSectorBytes + 1) * kSectorBytes);
    if (AllZero(block.substr(at, sector_end - at))) return true;
    at = sector_end;
  }
  return false;
}

class Judge {
 public:
  explicit Judge(LogBlocks& blocks) : blocks_(blocks) { judgement_.file_bytes = blocks.size(); }

  Result<LogJudgement> Run() {
    for (std::uint64_t offset = 0; offset < blocks_.size(); offset += kLogBlockBytes) {
      const Result<std::string_view> block = blocks_.Block(offset);
      if (!block) return std::unexpected(block.error());
      const std::optional<std::size_t> stop = WalkBlock(*block, offset);
      if (stop) return JudgeFrom(*block, offset, *stop);
    }
    if (in_record_) return Torn(blocks_.size());
    judgement_.intact_bytes = blocks_.size();
    return judgement_;
  }

 private:
  /// Walks whole fragments; returns where the first other thing stands, if anywhere.
  std::optional<std::size_t> WalkBlock(std::string_view block, std::uint64_t offset) {
    std::size_t at = 0;
    while (block.size() - at >= kLogHeaderBytes) {
      const Fragment fragment = Parse(block, at);
      if (!fragment.Intact() || !InOrder(fragment.type)) return at;
      at += kLogHeaderBytes + fragment.length;
      in_record_ = fragment.type == kFirst || fragment.type == kMiddle;
      if (in_record_) continue;
      judgement_.has_record = true;
      judgement_.intact_bytes = offset + at;
    }
    // Fewer bytes than a header: padding at the end of a block, a torn header elsewhere.
    if (block.size() == at || at + kLogHeaderBytes > kLogBlockBytes) return std::nullopt;
    return at;
  }

  bool InOrder(unsigned type) const { return in_record_ == (type == kMiddle || type == kLast); }

  Result<LogJudgement> JudgeFrom(std::string_view block, std::uint64_t offset, std::size_t at) {
    judgement_.bad_at = offset + at;
    // Decided before the search below takes the block's place.
    const LogVerdict alone = JudgeAlone(block, at);
    const Result<bool> zero = ZeroFrom(offset, at);
    if (!zero) return std::unexpected(zero.error());
    if (*zero && !in_record_) return judgement_;
    if (*zero) return Torn(judgement_.bad_at);
    const Result<bool> followed = GoesOnAfter(offset, at);
    if (!followed) return std::unexpected(followed.error());
    if (*followed || alone == LogVerdict::kDamaged) {
      judgement_.verdict = LogVerdict::kDamaged;
      return judgement_;
    }
    return Torn(judgement_.bad_at);
  }

  /// What the bad fragment looks like, not knowing what follows it.
  LogVerdict JudgeAlone(std::string_view block, std::size_t at) const {
    if (block.size() - at < kLogHeaderBytes) return LogVerdict::kTorn;
    const Fragment fragment = Parse(block, at);
    if (fragment.Intact()) return LogVerdict::kDamaged;  // whole, but out of order
    if (OneFlippedBitExplains(block, at)) return LogVerdict::kDamaged;
    const std::size_t end = at + kLogHeaderBytes + fragment.length;
    const bool short_of_body = end > block.size() && end <= kLogBlockBytes;
    if (short_of_body) return LogVerdict::kTorn;
    // A header of zeros says nothing of the length: its own sector must be the lost one.
    const bool no_header = AllZero(block.substr(at, kLogHeaderBytes));
    const std::size_t own_sector_end = (at / kSectorBytes + 1) * kSectorBytes;
    const std::size_t extent = std::min(no_header ? own_sector_end : end, block.size());
    return HasZeroSector(block, at, extent) ? LogVerdict::kTorn : LogVerdict::kDamaged;
  }

  Result<bool> ZeroFrom(std::uint64_t offset, std::size_t at) {
    for (; offset < blocks_.size(); offset += kLogBlockBytes, at = 0) {
      const Result<std::string_view> block = blocks_.Block(offset);
      if (!block) return std::unexpected(block.error());
      if (!AllZero(block->substr(at))) return false;
    }
    return true;
  }

  /// Whether the log goes on behind the bad fragment: then what went bad was not its last write.
  Result<bool> GoesOnAfter(std::uint64_t offset, std::size_t at) {
    const Result<bool> joined = RecordBehind(offset, at);
    if (!joined || *joined) return joined;
    return WholeRecordAtTheEnd(offset, at);
  }

  // Headers say where a record ends, be its checksums as they may. In a torn one, too: what a user
  // put into it ends there.
  Result<bool> RecordBehind(std::uint64_t offset, std::size_t at) {
    bool record_ended = false;
    for (; offset < blocks_.size(); offset += kLogBlockBytes, at = 0) {
      const Result<std::string_view> block = blocks_.Block(offset);
      if (!block) return std::unexpected(block.error());
      while (block->size() >= at + kLogHeaderBytes) {
        const Fragment fragment = Parse(*block, at);
        if (record_ended) return BeginsRecord(fragment.type) && fragment.Intact();
        if (!KnownType(fragment.type) || !fragment.Fits()) return false;
        record_ended = EndsRecord(fragment.type);
        at += kLogHeaderBytes + fragment.length;
      }
    }
    return false;
  }

  // Where headers are lost, records are looked for. Bytes of the torn one may look like some, be it
  // that a later piece of it got to the disk before its first ones, be it that a user stores logs:
  // only one behind which nothing but zeros follow counts. What is whole in front of a second bad
  // place is not seen, therefore: the witness knows of it.
  Result<bool> WholeRecordAtTheEnd(std::uint64_t offset, std::size_t at) {
    const Result<std::uint64_t> end = EndOfBytes(offset);
    if (!end) return std::unexpected(end.error());
    // Where in this block a record goes on, and whether one does in the next.
    std::vector<bool> within(kLogBlockBytes);
    bool within_next = false;
    for (++at; offset < blocks_.size(); offset += kLogBlockBytes, at = 0) {
      const Result<std::string_view> block = blocks_.Block(offset);
      if (!block) return std::unexpected(block.error());
      within.assign(kLogBlockBytes, false);
      within[0] = std::exchange(within_next, false);
      for (; at + kLogHeaderBytes <= block->size(); ++at) {
        const auto type = static_cast<unsigned char>((*block)[at + kLogHeaderBytes - 1]);
        if (!KnownType(type) || (!BeginsRecord(type) && !within[at])) continue;
        const Fragment fragment = Parse(*block, at);
        if (!fragment.Intact()) continue;
        const std::size_t behind = at + kLogHeaderBytes + fragment.length;
        if (EndsRecord(type)) {
          if (offset + behind >= *end) return true;
        } else if (behind + kLogHeaderBytes > kLogBlockBytes) {
          within_next = true;
        } else {
          within[behind] = true;
        }
      }
    }
    return false;
  }

  /// Where only zeros follow.
  Result<std::uint64_t> EndOfBytes(std::uint64_t offset) {
    std::uint64_t end = offset;
    for (; offset < blocks_.size(); offset += kLogBlockBytes) {
      const Result<std::string_view> block = blocks_.Block(offset);
      if (!block) return std::unexpected(block.error());
      const std::size_t last = block->find_last_not_of('\0');
      if (last != std::string_view::npos) end = offset + last + 1;
    }
    return end;
  }

  LogJudgement Torn(std::uint64_t bad_at) {
    judgement_.verdict = LogVerdict::kTorn;
    judgement_.bad_at = bad_at;
    return judgement_;
  }

  LogBlocks& blocks_;
  LogJudgement judgement_;
  /// Between the first and the last fragment of a record.
  bool in_record_ = false;
};

class FileBlocks : public LogBlocks {
 public:
  FileBlocks(Fd fd, std::string path, std::uint64_t size)
      : fd_(std::move(fd)), path_(std::move(path)), size_(size) {}

  std::uint64_t size() const override { return size_; }

  Result<std::string_view> Block(std::uint64_t offset) override {
    if (offset < begin_ || offset - begin_ >= window_.size()) {
      Result<std::string> read = ReadAt(fd_.get(), path_, offset, kWindowBytes);
      if (!read) return std::unexpected(read.error());
      window_ = std::move(*read);
      begin_ = offset;
    }
    return std::string_view(window_).substr(static_cast<std::size_t>(offset - begin_),
                                            kLogBlockBytes);
  }

 private:
  static constexpr std::size_t kWindowBytes = 32 * kLogBlockBytes;

  Fd fd_;
  std::string path_;
  std::uint64_t size_;
  std::string window_;
  std::uint64_t begin_ = 0;
};

}  // namespace

Result<LogJudgement> JudgeLog(LogBlocks& blocks) { return Judge(blocks).Run(); }

Result<LogJudgement> JudgeLogFile(const std::filesystem::path& path) {
  Fd fd = OpenAt(AT_FDCWD, path.string(), O_RDONLY);
  struct stat status{};
  if (!fd.ok() || ::fstat(fd.get(), &status) != 0) {
    return std::unexpected(SystemError(ErrorCode::kStorage, "cannot read " + path.string(), errno));
  }
  FileBlocks blocks(std::move(fd), path.string(), static_cast<std::uint64_t>(status.st_size));
  return JudgeLog(blocks);
}

}  // namespace drumbeat::storage
