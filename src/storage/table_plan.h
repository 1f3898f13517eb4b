// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/metadata.h>

// Used inside this folder only: it names RocksDB's types.
namespace drumbeat::storage {

/// All tables of `family`, level by level.
std::vector<rocksdb::SstFileMetaData> TablesOf(rocksdb::DB& db,
                                               rocksdb::ColumnFamilyHandle* family);

/// The numbers of a family's tables that cannot be read, which no merge may touch.
using BadTables = std::set<std::uint64_t>;

struct MergeLimits {
  /// So many tables beside each other may stay as they are.
  std::size_t tables_kept = 0;
  /// Larger tables of level 0 are left alone.
  std::uint64_t table_bytes = 0;
  /// Level 0 goes into the levels below when what it overlaps there is no more than this, or than
  /// so many times its own bytes; else into one table of level 0.
  std::uint64_t bytes_below = 0;
  std::uint64_t times_below = 0;
};

/// Tables to merge, as names, and the level that the result goes to.
struct Merge {
  std::vector<std::string> tables;
  int level = 0;
};

/// The next merge that is due in `family`, if any. What comes out of it is due to be merged again
/// only after as many tables were added.
std::optional<Merge> NextMerge(const rocksdb::ColumnFamilyMetaData& family, const BadTables& bad,
                               const MergeLimits& limits);

}  // namespace drumbeat::storage
