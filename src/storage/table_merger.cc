// SPDX-License-Identifier: Apache-2.0
#include "storage/table_merger.h"

#include <algorithm>
#include <limits>
#include <system_error>
#include <utility>

#include <rocksdb/convenience.h>
#include <rocksdb/sst_file_reader.h>

#include "base/thread.h"
#include "storage/advice.h"

namespace drumbeat::storage {
namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();
/// Every opening leaves a table in each family. A start is not to take long for it.
constexpr MergeLimits kAtOpening{
    .tables_kept = 16, .table_bytes = 4u << 20, .bytes_below = 64u << 20, .times_below = 0};
/// About as often as RocksDB would. What lies below is written again only with much that is new.
constexpr MergeLimits kAroundDamage{
    .tables_kept = 7, .table_bytes = kNoLimit, .bytes_below = 256u << 20, .times_below = 4};
constexpr std::uint64_t kTableBytes = 64u << 20;

/// Somebody else works on these tables, or has merged or dropped them, or the database is closing.
bool Passing(const rocksdb::Status& status) {
  return status.IsAborted() || status.IsBusy() || status.IsInvalidArgument() ||
         status.IsNotFound() || status.IsIncomplete() || status.IsShutdownInProgress();
}

rocksdb::Status Verify(const rocksdb::Options& options, const rocksdb::SstFileMetaData& table) {
  rocksdb::SstFileReader reader(options);
  const rocksdb::Status status = reader.Open(table.directory + "/" + table.relative_filename);
  return status.ok() ? reader.VerifyChecksum() : status;
}

}  // namespace

TableMerger::TableMerger(std::string name, const logging::Logger& logger)
    : name_(std::move(name)), logger_(logger) {}

// -- What RocksDB tells --------------------------------------------------------------------------

void TableMerger::OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) {
  const bool merging = reason == rocksdb::BackgroundErrorReason::kCompaction;
  if (merging && error->IsCorruption()) *error = rocksdb::Status::OK();
}

void TableMerger::OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& job) {
  const bool own = job.compaction_reason == rocksdb::CompactionReason::kManualCompaction;
  if (own || !job.status.IsCorruption()) return;
  const base::MutexLock lock(mutex_);
  damaged_.insert(job.cf_id);
  due_.insert(job.cf_id);
  Wake();
}

void TableMerger::OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo& job) {
  const base::MutexLock lock(mutex_);
  if (!damaged_.contains(job.cf_id)) return;
  due_.insert(job.cf_id);
  Wake();
}

// -- When it works -------------------------------------------------------------------------------

rocksdb::Status TableMerger::Start(rocksdb::DB& db,
                                   const std::vector<rocksdb::ColumnFamilyHandle*>& families) {
  db_ = &db;
  for (rocksdb::ColumnFamilyHandle* handle : families) {
    Family& family = families_[handle->GetID()];
    family.handle = handle;
    const rocksdb::Status status = MergeAll(family, kAtOpening);
    if (!status.ok()) return status;
  }
  const base::MutexLock lock(mutex_);
  started_ = true;
  Wake();
  return rocksdb::Status::OK();
}

void TableMerger::Stop() {
  std::thread thread;
  {
    const base::MutexLock lock(mutex_);
    stopping_ = true;
    wake_.NotifyAll();
    thread = std::move(thread_);
  }
  if (db_ != nullptr) rocksdb::CancelAllBackgroundWork(db_, /*wait=*/false);
  if (thread.joinable()) thread.join();
}

rocksdb::Status TableMerger::Failure() const {
  const base::MutexLock lock(mutex_);
  return failure_;
}

bool TableMerger::Stopping() const {
  const base::MutexLock lock(mutex_);
  return stopping_;
}

void TableMerger::Wake() {
  if (!started_ || stopping_ || due_.empty()) return;
  wake_.NotifyAll();
  if (thread_.joinable()) return;
  try {
    thread_ = base::StartThread("db-merge", [this] { MergeWhatIsDue(); });
  } catch (const std::system_error&) {
    // It stays due: RocksDB tries to merge again, in a second, and meets the damage again.
  }
}

std::optional<std::uint32_t> TableMerger::NextDue() {
  const base::MutexLock lock(mutex_);
  wake_.Wait(mutex_, [&]() DRUMBEAT_REQUIRES(mutex_) { return stopping_ || !due_.empty(); });
  if (stopping_) return std::nullopt;
  return due_.extract(due_.begin()).value();
}

void TableMerger::MergeWhatIsDue() {
  while (const std::optional<std::uint32_t> id = NextDue()) {
    const rocksdb::Status status = MergeAround(families_.at(*id));
    if (status.ok() || Stopping()) continue;
    {
      const base::MutexLock lock(mutex_);
      failure_ = status;
    }
    return logger_.Error("cannot merge the tables in " + name_ + ": " + status.ToString());
  }
}

rocksdb::Status TableMerger::MergeAround(Family& family) {
  if (!family.damaged) {
    const rocksdb::Status status = TakeOver(family);
    if (!status.ok()) return status;
    FindBadTables(family);
  }
  return MergeAll(family, kAroundDamage);
}

// -- What it does --------------------------------------------------------------------------------

rocksdb::Status TableMerger::MergeAll(Family& family, const MergeLimits& limits) {
  while (!Stopping()) {
    rocksdb::ColumnFamilyMetaData tables;
    db_->GetColumnFamilyMetaData(family.handle, &tables);
    const std::optional<Merge> merge = NextMerge(tables, family.bad, limits);
    if (!merge) break;
    rocksdb::Status status = MergeOnce(family, *merge);
    if (Passing(status)) break;
    if (status.ok()) continue;
    if (!status.IsCorruption()) return status;
    if (const rocksdb::Status taken = TakeOver(family); !taken.ok()) return taken;
    if (!FindBadTables(family)) LeaveAlone(family, *merge);
  }
  return rocksdb::Status::OK();
}

rocksdb::Status TableMerger::MergeOnce(Family& family, const Merge& merge) {
  rocksdb::CompactionOptions options;
  options.compression = rocksdb::kNoCompression;
  // The tables of one merge would be of the same age, which level 0 does not allow.
  options.output_file_size_limit = merge.level == 0 ? kNoLimit : kTableBytes;
  return db_->CompactFiles(options, family.handle, merge.tables, merge.level);
}

rocksdb::Status TableMerger::TakeOver(Family& family) {
  if (std::exchange(family.damaged, true)) return rocksdb::Status::OK();
  {
    const base::MutexLock lock(mutex_);
    damaged_.insert(family.handle->GetID());
  }
  return db_->SetOptions(family.handle, {{"disable_auto_compactions", "true"}});
}

void TableMerger::LeaveAlone(Family& family, const Merge& merge) {
  for (const rocksdb::SstFileMetaData& table : TablesOf(*db_, family.handle)) {
    if (std::ranges::find(merge.tables, table.relative_filename) == merge.tables.end()) continue;
    family.bad.insert(table.file_number);
  }
}

bool TableMerger::FindBadTables(Family& family) {
  const rocksdb::Options options(db_->GetOptions(family.handle));
  bool found = false;
  for (const rocksdb::SstFileMetaData& table : TablesOf(*db_, family.handle)) {
    if (Stopping()) return found;
    if (family.bad.contains(table.file_number)) continue;
    const rocksdb::Status status = Verify(options, table);
    if (!status.IsCorruption()) continue;
    // What was dropped or merged meanwhile is nobody's damage.
    const auto now = TablesOf(*db_, family.handle);
    const auto number = &rocksdb::SstFileMetaData::file_number;
    if (std::ranges::find(now, table.file_number, number) == now.end()) continue;
    found = true;
    family.bad.insert(table.file_number);
    logger_.Warning(Advised(table.relative_filename + " of the database in " + name_ +
                                " is damaged, and left as it is; a replica that needs what it "
                                "cannot read there fails alone: " +
                                status.ToString(),
                            kReplicaAdvice));
  }
  return found;
}

}  // namespace drumbeat::storage
