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

/// The first run of more than `kept` tables, each of which can be merged and has up to `bytes`.
std::optional<Run> LongRun(const std::vector<Table>& tables, const BadTables& bad, std::size_t kept,
                           std::uint64_t bytes) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= tables.size(); ++i) {
    if (i < tables.size() && !Untouchable(tables[i], bad) && tables[i].size <= bytes) continue;
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

/// Where a run of level 0 goes: below, if nothing older stays behind in level 0 and nothing that
/// cannot be touched is in the way there.
int LevelFor(Run run, const rocksdb::ColumnFamilyMetaData& family, const BadTables& bad,
             std::uint64_t bytes_below) {
  if (run.back().file_number != family.levels.front().files.back().file_number) return 0;
  const auto smallest = std::ranges::min_element(run, {}, &Table::smallestkey);
  const auto largest = std::ranges::max_element(run, {}, &Table::largestkey);
  int lowest = 1;
  std::uint64_t bytes = 0;
  for (const rocksdb::LevelMetaData& level : std::span(family.levels).subspan(1)) {
    if (!level.files.empty()) lowest = level.level;
    for (const Table& table : level.files) {
      if (table.largestkey < smallest->smallestkey || table.smallestkey > largest->largestkey) {
        continue;
      }
      if (Untouchable(table, bad)) return 0;
      bytes += table.size;
    }
  }
  return bytes <= bytes_below ? lowest : 0;
}

}  // namespace

std::optional<Merge> NextMerge(const rocksdb::ColumnFamilyMetaData& family, const BadTables& bad,
                               const MergeLimits& limits) {
  for (const rocksdb::LevelMetaData& level : family.levels) {
    const std::uint64_t bytes = level.level == 0 ? limits.table_bytes : kSmallBytes;
    const std::optional<Run> run = LongRun(level.files, bad, limits.tables_kept, bytes);
    if (!run) continue;
    if (level.level > 0) return MergeOf(*run, level.level);
    return MergeOf(*run, LevelFor(*run, family, bad, limits.bytes_below));
  }
  return std::nullopt;
}

}  // namespace drumbeat::storage
