// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "drumbeat/error.h"

namespace drumbeat::storage {

/// What a log file of RocksDB's (write-ahead log, manifest) looks like from outside.
enum class LogVerdict : std::uint8_t {
  kIntact,   ///< Every record is whole; zeros may follow.
  kTorn,     ///< The last write did not get to the disk in full, as after a power cut.
  kDamaged,  ///< Anything else: bytes that were once written in full are bad now.
};

struct LogJudgement {
  LogVerdict verdict = LogVerdict::kIntact;
  /// Where the whole records end: what a torn file is to be cut to.
  std::uint64_t intact_bytes = 0;
  std::uint64_t file_bytes = 0;
  /// Where the trouble was found, unless kIntact.
  std::uint64_t bad_at = 0;
  bool has_record = false;
};

/// A file of `size` bytes of which whole blocks can be read.
class LogBlocks {
 public:
  virtual ~LogBlocks() = default;
  virtual std::uint64_t size() const = 0;
  /// The block that begins at `offset`, a multiple of kLogBlockBytes; shorter only at the end.
  virtual Result<std::string_view> Block(std::uint64_t offset) = 0;
};

/// RocksDB's log format: blocks of 32 KiB, in them fragments of records, each with a header of
/// masked CRC-32C (4), length (2) and type (1); the checksum covers type and body.
constexpr std::size_t kLogBlockBytes = 32768;
constexpr std::size_t kLogHeaderBytes = 7;

/// Reads a log from its start and tells a torn tail from damage.
///
/// Torn: a bad last record, with no whole one where its headers say that it ends nor any at the end
/// of what is not zero, that is cut short by the end of the file or has nothing but zeros in its
/// part of some 512-byte sector, and that no single flipped bit explains. The sector rule is a
/// heuristic: disks write sectors whole, and a sector that never got there reads as zeros where a
/// file grows. A disk that zeroes what it once held looks the same; that is what the witness is
/// for.
Result<LogJudgement> JudgeLog(LogBlocks& blocks);
Result<LogJudgement> JudgeLogFile(const std::filesystem::path& path);

}  // namespace drumbeat::storage
