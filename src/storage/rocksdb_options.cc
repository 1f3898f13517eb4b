// SPDX-License-Identifier: Apache-2.0
#include "storage/rocksdb_options.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/table.h>

#include "base/descriptors.h"
#include "logging/logger.h"

namespace drumbeat::storage {
namespace {

/// Takes what RocksDB would put into its LOG file, which would grow without being read: warnings
/// and errors go to our log at debug level (what matters of them comes back as a Status).
class QuietLog : public rocksdb::Logger {
 public:
  explicit QuietLog(logging::Logger logger)
      : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL), logger_(std::move(logger)) {}

  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    if (!logger_.Enabled(LogLevel::kDebug)) return;
    std::array<char, 512> line{};
    std::vsnprintf(line.data(), line.size(), format, arguments);
    logger_.Debug(line.data());
  }

 private:
  logging::Logger logger_;
};

constexpr std::size_t kBuffers = 4;
constexpr std::size_t kMinBufferBytes = 1u << 20;
/// Kept open; others are opened when they are read.
constexpr std::size_t kMaxTables = 512;

}  // namespace

const char* ColumnFamilyName(Space space) {
  switch (space) {
    case Space::kState: return "default";
    case Space::kEntries: return "entries";
    case Space::kImages: return "images";
  }
  return "";
}

rocksdb::DBOptions MakeDbOptions(const RocksDbKvOptions& options, const logging::Logger& logger) {
  rocksdb::DBOptions db;
  db.env = options.env;
  db.create_if_missing = true;
  db.create_missing_column_families = true;
  db.info_log = std::make_shared<QuietLog>(logger);

  // What our own scan found torn is cut off before; whatever else is bad must not pass.
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  db.paranoid_checks = true;
  db.track_and_verify_wals_in_manifest = true;
  // A failed sync is final: no attempt of its own to go on.
  db.max_bgerror_resume_count = 0;
  db.manual_wal_flush = false;
  // 7.8 takes any other value back silently, and old records in reused files defeat the scan.
  db.recycle_log_file_num = 0;

  // One writer at a time with large batches is the whole load.
  db.allow_concurrent_memtable_write = false;
  db.enable_pipelined_write = false;
  db.enable_write_thread_adaptive_yield = false;
  db.max_background_jobs = 2;
  db.bytes_per_sync = 1u << 20;

  // Most entries are cut off before their buffer is flushed: the log is the better place for them.
  db.avoid_flush_during_shutdown = true;
  // But what is replayed may never have been synced, or in vain: it goes into tables before
  // anything of it is handed out.
  db.avoid_flush_during_recovery = false;
  db.max_total_wal_size = 4 * options.memory_bytes;
  // Else the state's buffer, which hardly ever fills, would keep every log since its last flush.
  db.atomic_flush = true;
  // Each snapshot adds to it, and it is read at the next opening: by default it grows to 1 GiB.
  db.max_manifest_file_size = options.max_manifest_bytes;

  db.max_open_files =
      static_cast<int>(std::min(kMaxTables, base::ShareOutDescriptors().store_files));
  db.skip_stats_update_on_db_open = true;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  return db;
}

rocksdb::ColumnFamilyOptions MakeSpaceOptions(Space space, std::size_t memory_bytes) {
  rocksdb::ColumnFamilyOptions family;
  family.compression = rocksdb::kNoCompression;
  family.level0_file_num_compaction_trigger = 8;
  family.level0_slowdown_writes_trigger = 20;
  // Whoever changes options waits for the writer, and one that is stopped waits for the next merge:
  // so that TableMerger can take the merging over, tables slow writes down and never stop them.
  family.level0_stop_writes_trigger = 1 << 30;
  family.hard_pending_compaction_bytes_limit = 0;
  // They are flushed together: that of the state is one more each time, however little is in it.
  family.max_write_buffer_number = kBuffers;
  switch (space) {
    case Space::kEntries:
      family.write_buffer_size = std::max(memory_bytes / kBuffers, kMinBufferBytes);
      break;
    case Space::kState:
      // The same few keys over and over: a flush leaves next to nothing of a full buffer.
      family.write_buffer_size = std::max(memory_bytes / 16, kMinBufferBytes);
      break;
    case Space::kImages:
      // Filled with ready files only, each of one image, which are dropped as files.
      family.write_buffer_size = kMinBufferBytes;
      family.disable_auto_compactions = true;
      break;
  }

  rocksdb::BlockBasedTableOptions table;
  // Read once, in order, by followers that lag and at start: nothing worth caching.
  table.block_cache = rocksdb::NewLRUCache(1u << 20, 0);
  table.format_version = 5;
  table.block_size = 16u << 10;
  // So far the system reads ahead, if it can. A read of so much would fail as a whole, for what
  // lies behind the block that is asked for.
  table.max_auto_readahead_size = 1u << 20;
  if (space == Space::kState) {
    // Each record has a block of its own, which is read for this record only: what is bad of one
    // replica is none of the others'.
    table.block_size = 1;
    table.index_type = rocksdb::BlockBasedTableOptions::kBinarySearchWithFirstKey;
  }
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return family;
}

}  // namespace drumbeat::storage
