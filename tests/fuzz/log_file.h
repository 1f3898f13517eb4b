// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_coding.h"
#include "base/crc.h"
#include "storage/wal_scan.h"

namespace drumbeat::fuzz {

/// A log file in memory.
class LogBytes : public storage::LogBlocks {
 public:
  explicit LogBytes(std::string_view bytes) : bytes_(bytes) {}
  std::uint64_t size() const override { return bytes_.size(); }
  Result<std::string_view> Block(std::uint64_t offset) override {
    return bytes_.substr(offset, storage::kLogBlockBytes);
  }

 private:
  std::string_view bytes_;
};

/// Writes a log as RocksDB does (storage/FORMATS.md), and knows what is where.
class LogWriter {
 public:
  void Add(std::string_view record) {
    bool first = true;
    do {
      const std::size_t left = Left();
      if (left < storage::kLogHeaderBytes) {
        paddings_.push_back(bytes_.size());
        bytes_.append(left, '\0');
        continue;
      }
      const std::string_view piece = record.substr(0, left - storage::kLogHeaderBytes);
      record.remove_prefix(piece.size());
      AddFragment(piece, first ? (record.empty() ? 1 : 2) : (record.empty() ? 4 : 3));
      first = false;
    } while (!record.empty() || first);
    ends_.push_back(bytes_.size());
  }

  const std::string& bytes() const { return bytes_; }
  std::size_t EndOfLastRecordBefore(std::size_t at) const {
    const auto behind = std::upper_bound(ends_.begin(), ends_.end(), at);
    return behind == ends_.begin() ? 0 : *(behind - 1);
  }
  /// Whether the byte at `at` fills up a block and means nothing.
  bool IsPadding(std::size_t at) const {
    return std::any_of(paddings_.begin(), paddings_.end(), [at](std::size_t begin) {
      return at >= begin && at / storage::kLogBlockBytes == begin / storage::kLogBlockBytes;
    });
  }

 private:
  std::size_t Left() const {
    return storage::kLogBlockBytes - bytes_.size() % storage::kLogBlockBytes;
  }
  void AddFragment(std::string_view piece, int type) {
    std::string checked(1, static_cast<char>(type));
    checked += piece;
    base::AppendLittle(bytes_, base::MaskCrc32c(base::Crc32c(checked)));
    base::AppendLittle(bytes_, static_cast<std::uint16_t>(piece.size()));
    bytes_ += checked;
  }

  std::string bytes_;
  std::vector<std::size_t> ends_;
  std::vector<std::size_t> paddings_;
};

}  // namespace drumbeat::fuzz
