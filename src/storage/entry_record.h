// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "drumbeat/error.h"
#include "drumbeat/types.h"

#include "base/bytes.h"
#include "raft/entry.h"

// The packed record: the entries of one replica and one save under one key (FORMATS.md).
namespace drumbeat::storage {

/// A save makes a new record when one would grow beyond this; only a single large entry is more.
constexpr std::size_t kRecordBytes = 64u << 10;

/// When a record was written, counted in saves that replaced entries.
struct RecordEpochs {
  std::uint64_t own = 0;
  /// That of the record in force before it: a link, so that no record can go unnoticed.
  std::uint64_t before = 0;
};

/// Packs entries from the front of `entries` into `value`, which is emptied first, as the record
/// with key `key`. Returns how many, at least one.
std::size_t PackRecord(std::string& value, std::string_view key, const RecordEpochs& epochs,
                       std::span<const raft::Entry> entries);

/// A record that was stored: checksum and framing are good.
struct Record {
  RecordEpochs epochs;
  std::uint32_t count = 0;
  /// The packed entries.
  std::string_view entries;
};

/// Checks everything but the entries' own encoding; the result points into `value`. `key` is part
/// of what the checksum covers.
Result<Record> CheckRecord(std::string_view key, std::string_view value);

/// Decodes from a record that begins with index `first` the entries in [from, end), but stops
/// before one that would lift `size` (which counts EntrySize) above `max_bytes`, unless `out` is
/// empty. Returns false when it stopped. Entries share `value`'s buffer.
Result<bool> UnpackEntries(const base::Bytes& value, const Record& record, Index first, Index from,
                           Index end, std::uint64_t max_bytes, std::uint64_t& size,
                           std::vector<raft::Entry>& out);

}  // namespace drumbeat::storage
