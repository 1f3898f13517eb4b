// SPDX-License-Identifier: Apache-2.0
#include "storage/table_plan.h"

#include <algorithm>
#include <span>

namespace drumbeat::storage {
namespace {

using Table = rocksdb::SstFileMetaData;
/// Tables that lie beside each other, by age in level 0, by key below it.
using Run = std::span<const Table>;

/// Tables below level 0 that are worth merging.
constexpr std::uint64_t kSmallBytes = 4u << 20;

bool Untouchable(const Table& table, const BadTables& bad) {
  return table.being_compacted || bad.contains(table.file_number);
}

/// Which tables of `level` can be merged, by position. Below level 0, RocksDB merges those that
/// share a key with their neighbour, as the end of a range that was deleted, only together.
std::vector<bool> Touchable(const rocksdb::LevelMetaData& level, const BadTables& bad) {
  std::vector<bool> touchable;
  for (const Table& table : level.files) touchable.push_back(!Untouchable(table, bad));
  if (level.level == 0) return touchable;
  const auto tied = [&](std::size_t i) {
    return level.files[i].largestkey >= level.files[i + 1].smallestkey;
  };
  for (std::size_t i = 0; i + 1 < touchable.size(); ++i) {
    if (!touchable[i] && tied(i)) touchable[i + 1] = false;
  }
  for (std::size_t i = touchable.size(); i-- > 1;) {
    if (!touchable[i] && tied(i - 1)) touchable[i - 1] = false;
  }
  return touchable;
}

/// The first run of more than `kept` tables, each of which can be merged and has up to `bytes`.
std::optional<Run> LongRun(const rocksdb::LevelMetaData& level, const BadTables& bad,
                           std::size_t kept, std::uint64_t bytes) {
  const std::vector<Table>& tables = level.files;
  const std::vector<bool> touchable = Touchable(level, bad);
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= tables.size(); ++i) {
    if (i < tables.size() && touchable[i] && tables[i].size <= bytes) continue;
    if (i - begin > kept) return Run(tables).subspan(begin, i - begin);
    begin = i + 1;
  }
  return std::nullopt;
}

Merge MergeOf(Run run, int level) {
  Merge merge{.tables = {}, .level = level};
  for (const Table& table : run) merge.tables.push_back(table.relative_filename);
  return merge;
}

/// Keys, both included.
struct Keys {
  std::string first;
  std::string last;
};

/// Adds to `keys` those of the tables of `level` that have some of them, and of the tables that
/// have some of these, and so on: RocksDB merges all of them. Returns which they are.
std::vector<const Table*> Widen(Keys& keys, const rocksdb::LevelMetaData& level) {
  std::vector<const Table*> outside;
  std::vector<const Table*> inside;
  for (const Table& table : level.files) outside.push_back(&table);
  const auto beside = [&](const Table* table) {
    return table->largestkey < keys.first || table->smallestkey > keys.last;
  };
  for (;;) {
    const auto added = std::ranges::partition(outside, beside);
    if (added.empty()) return inside;
    for (const Table* table : added) {
      keys.first = std::min(keys.first, table->smallestkey);
      keys.last = std::max(keys.last, table->largestkey);
      inside.push_back(table);
    }
    outside.erase(added.begin(), added.end());
  }
}

/// Where a run of level 0 goes: below, if nothing older stays behind in level 0 and nothing that
/// cannot be touched is in the way there.
int LevelFor(Run run, const rocksdb::ColumnFamilyMetaData& family, const BadTables& bad,
             const MergeLimits& limits) {
  if (run.back().file_number != family.levels.front().files.back().file_number) return 0;
  Keys keys{.first = std::ranges::min(run, {}, &Table::smallestkey).smallestkey,
            .last = std::ranges::max(run, {}, &Table::largestkey).largestkey};
  int lowest = 1;
  std::uint64_t bytes = 0;
  for (const rocksdb::LevelMetaData& level : std::span(family.levels).subspan(1)) {
    if (!level.files.empty()) lowest = level.level;
    for (const Table* table : Widen(keys, level)) {
      if (Untouchable(*table, bad)) return 0;
      bytes += table->size;
    }
  }
  std::uint64_t above = 0;
  for (const Table& table : run) above += table.size;
  return bytes <= std::max(limits.bytes_below, limits.times_below * above) ? lowest : 0;
}

}  // namespace

std::vector<Table> TablesOf(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family) {
  rocksdb::ColumnFamilyMetaData levels;
  db.GetColumnFamilyMetaData(family, &levels);
  std::vector<Table> tables;
  for (const rocksdb::LevelMetaData& level : levels.levels) {
    tables.insert(tables.end(), level.files.begin(), level.files.end());
  }
  return tables;
}

std::optional<Merge> NextMerge(const rocksdb::ColumnFamilyMetaData& family, const BadTables& bad,
                               const MergeLimits& limits) {
  for (const rocksdb::LevelMetaData& level : family.levels) {
    const std::uint64_t bytes = level.level == 0 ? limits.table_bytes : kSmallBytes;
    const std::optional<Run> run = LongRun(level, bad, limits.tables_kept, bytes);
    if (!run) continue;
    if (level.level > 0) return MergeOf(*run, level.level);
    return MergeOf(*run, LevelFor(*run, family, bad, limits));
  }
  return std::nullopt;
}

}  // namespace drumbeat::storage
