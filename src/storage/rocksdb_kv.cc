// SPDX-License-Identifier: Apache-2.0
#include "storage/rocksdb_kv.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <sys/statvfs.h>
#include <system_error>
#include <utility>
#include <vector>

#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/write_batch.h>

#include "base/mutex.h"
#include "base/thread.h"
#include "logging/logger.h"
#include "storage/advice.h"
#include "storage/bad_sectors.h"
#include "storage/manifest_guard.h"
#include "storage/posix_file.h"
#include "storage/prepared_log.h"
#include "storage/rocksdb_options.h"
#include "storage/table_merger.h"

namespace drumbeat::storage {
namespace {

constexpr std::size_t kKeptBatchBytes = 4u << 20;

rocksdb::Slice ToSlice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

rocksdb::WriteOptions Synced() {
  rocksdb::WriteOptions options;
  options.sync = true;
  return options;
}

using Families = std::array<rocksdb::ColumnFamilyHandle*, kSpaces>;

rocksdb::ColumnFamilyHandle* Of(const Families& families, Space space) {
  return families[static_cast<std::size_t>(space)];
}

class RocksDbBatch : public KvBatch {
 public:
  explicit RocksDbBatch(const Families& families) : families_(families) {}

  void Put(Space space, std::string_view key, std::string_view value) override {
    Keep(batch_.Put(Of(families_, space), ToSlice(key), ToSlice(value)));
  }
  void Delete(Space space, std::string_view key) override {
    Keep(batch_.Delete(Of(families_, space), ToSlice(key)));
  }
  void DeleteRange(Space space, const KeyRange& range) override {
    Keep(batch_.DeleteRange(Of(families_, space), ToSlice(range.begin), ToSlice(range.end)));
  }
  bool empty() const override { return batch_.Count() == 0; }
  void Clear() override {
    status_ = rocksdb::Status::OK();
    if (batch_.Data().capacity() > kKeptBatchBytes) {
      batch_ = rocksdb::WriteBatch();
    } else {
      batch_.Clear();
    }
  }

  /// The first thing that did not fit (a batch ends at 4 GiB).
  const rocksdb::Status& status() const { return status_; }
  rocksdb::WriteBatch* batch() { return &batch_; }

 private:
  void Keep(const rocksdb::Status& status) {
    if (status_.ok()) status_ = status;
  }

  const Families& families_;
  rocksdb::WriteBatch batch_;
  rocksdb::Status status_;
};

/// RocksDB 7.8 ends an iterator, or one level under it, with status OK when it moves on into a
/// table whose first block is bad; only a seek reports it. So every step is a seek, except over
/// entries: those are many, and whoever scans them finds a gap by their indexes.
class RocksDbCursor : public KvCursor {
 public:
  RocksDbCursor(rocksdb::DB& db, const Families& families, Space space, const KeyRange& range,
                const std::string& name)
      : seeks_(space != Space::kEntries), end_(range.end), end_slice_(end_), name_(name) {
    rocksdb::ReadOptions options;
    options.iterate_upper_bound = &end_slice_;
    options.fill_cache = false;
    options.background_purge_on_iterator_cleanup = true;
    iterator_.reset(db.NewIterator(options, Of(families, space)));
    iterator_->Seek(ToSlice(range.begin));
  }

  bool Valid() const override { return iterator_->Valid(); }
  void Next() override {
    if (!seeks_) return iterator_->Next();
    successor_.assign(iterator_->key().data(), iterator_->key().size());
    successor_.push_back('\0');
    iterator_->Seek(successor_);
  }
  std::string_view key() const override { return ToView(iterator_->key()); }
  std::string_view value() const override { return ToView(iterator_->value()); }
  Result<void> status() const override;

 private:
  const bool seeks_;
  const std::string end_;
  const rocksdb::Slice end_slice_;
  const std::string& name_;
  std::string successor_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

Error ReadError(const std::string& name, const rocksdb::Status& status) {
  if (!status.IsCorruption()) {
    return Error{.code = ErrorCode::kStorage,
                 .message = "cannot read the database in " + name + ": " + status.ToString()};
  }
  const std::string text = "the database in " + name + " is damaged: " + status.ToString();
  return Error{.code = ErrorCode::kDamaged, .message = Advised(text, kHostAdvice)};
}

Result<void> RocksDbCursor::status() const {
  if (iterator_->status().ok()) return {};
  return std::unexpected(ReadError(name_, iterator_->status()));
}

Error WriteError(const std::string& name, const rocksdb::Status& status) {
  Error error{.code = ErrorCode::kWriteFailed, .message = {}};
  if (status.IsCorruption()) {
    error.message = ReadError(name, status).message;
  } else {
    const char* what_to_do = status.IsNoSpace() ? "free some space" : "remove the cause";
    error.message = "cannot write to the database in " + name + ": " + status.ToString() + "; " +
                    what_to_do + " and start again";
  }
  return error;
}

class RocksDbKv : public Kv {
 public:
  RocksDbKv(RocksDbKvOptions options, const logging::Logger& logger)
      : own_env_(options.env == nullptr
                     ? rocksdb::NewCompositeEnv(
                           GuardManifest(BadSectorsAsDamage(PreparedLogFileSystem()), manifest_))
                     : nullptr),
        options_(std::move(options)),
        name_(options_.database.string()),
        logger_(logger),
        merger_(std::make_shared<TableMerger>(name_, logger)) {
    if (own_env_ != nullptr) options_.env = own_env_.get();
  }
  ~RocksDbKv() override { Close(); }

  Result<void> Open();

  std::unique_ptr<KvBatch> NewBatch() override { return std::make_unique<RocksDbBatch>(families_); }
  Result<void> Write(KvBatch& batch) override;
  Result<std::optional<base::Bytes>> Get(Space space, std::string_view key) override;
  std::unique_ptr<KvCursor> Scan(Space space, const KeyRange& range) override {
    return std::make_unique<RocksDbCursor>(*db_, families_, space, range, name_);
  }
  Result<std::optional<std::string>> LastKey(Space space, const KeyRange& range) override;
  Result<std::unique_ptr<KvBulk>> NewBulk() override;
  std::vector<std::string> RunKeys(const KeyRange& range) override;
  Result<void> Drop(Space space, const KeyRange& range) override;
  const std::string& name() const override { return name_; }

  Result<void> Ingest(const std::vector<std::string>& files);

 private:
  Result<void> ClearStaging();
  /// RocksDB knows of each write that failed, but for those of TableMerger and some to its
  /// manifest.
  Result<void> CheckWritable() const;
  bool HasKeys(Space space, const KeyRange& range);
  void Close();
  Error OpenError(const rocksdb::Status& status) const;

  const std::shared_ptr<ManifestGuard> manifest_ = std::make_shared<ManifestGuard>();
  const std::shared_ptr<rocksdb::Env> own_env_;
  RocksDbKvOptions options_;
  const std::string name_;
  const logging::Logger logger_;
  const std::shared_ptr<TableMerger> merger_;
  std::atomic<std::uint64_t> next_file_{0};
  Families families_{};
  std::unique_ptr<rocksdb::DB> db_;
  base::Mutex dropping_;
};

class RocksDbBulk : public KvBulk {
 public:
  /// `reserve`: bytes of the disk that large images leave to the log.
  RocksDbBulk(RocksDbKv& kv, const rocksdb::Options& options, std::shared_ptr<rocksdb::Env> env,
              std::function<std::string()> next_path, std::uint64_t reserve)
      : kv_(kv),
        env_(std::move(env)),
        options_(options),
        next_path_(std::move(next_path)),
        reserve_(reserve) {}

  ~RocksDbBulk() override {
    writer_.reset();
    // After Commit() the names are gone already: the files were moved into the database.
    for (const std::string& file : files_) (void)options_.env->DeleteFile(file);
  }

  Result<void> Add(std::string_view key, std::string_view value) override {
    if (writer_ == nullptr) {
      files_.push_back(next_path_());
      writer_ = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(), options_);
      if (const auto status = writer_->Open(files_.back()); !status.ok()) return Refuse(status);
    }
    bytes_ += value.size();
    if (Result<void> room = CheckRoom(); !room) return room;
    const rocksdb::Status status = writer_->Put(ToSlice(key), ToSlice(value));
    if (!status.ok()) return Refuse(status);
    // The writer keeps a failed write to itself until its file ends: do not let it wait for long.
    file_bytes_ += value.size();
    return file_bytes_ >= kFileBytes ? EndRun() : Result<void>();
  }

  Result<void> EndRun() override {
    if (writer_ == nullptr) return {};
    const rocksdb::Status status = writer_->Finish();
    if (!status.ok()) return Refuse(status);
    writer_.reset();
    file_bytes_ = 0;
    return {};
  }

  Result<void> Commit() override {
    if (Result<void> ended = EndRun(); !ended) return ended;
    if (files_.empty()) return {};
    return kv_.Ingest(files_);
  }

 private:
  static constexpr std::uint64_t kFileBytes = 64u << 20;

  // An image that filled the disk would end the log's writes, and with them the host. Small ones
  // may have the last of it: they are what lets a log be cut.
  Result<void> CheckRoom() const {
    struct statvfs disk{};
    if (::statvfs(files_.back().c_str(), &disk) != 0) return {};
    const std::uint64_t free = std::uint64_t{disk.f_bavail} * disk.f_frsize;
    if (free >= std::min(reserve_, bytes_)) return {};
    return Fail(ErrorCode::kStorage, "cannot write " + files_.back() + ": only " +
                                         std::to_string(free >> 20) +
                                         " MiB of the disk are free; free some space");
  }

  Result<void> Refuse(const rocksdb::Status& status) const {
    return Fail(ErrorCode::kStorage, "cannot write " + files_.back() + ": " + status.ToString());
  }

  RocksDbKv& kv_;
  /// The files go even when the store went before.
  const std::shared_ptr<rocksdb::Env> env_;
  const rocksdb::Options options_;
  const std::function<std::string()> next_path_;
  const std::uint64_t reserve_;
  std::vector<std::string> files_;
  std::unique_ptr<rocksdb::SstFileWriter> writer_;
  std::uint64_t file_bytes_ = 0;
  /// Of the whole image so far.
  std::uint64_t bytes_ = 0;
};

Result<void> RocksDbKv::Open() {
  for (const auto& directory : {options_.database, options_.staging}) {
    if (Result<void> made = MakeDirectory(directory); !made) return made;
  }
  if (Result<void> cleared = ClearStaging(); !cleared) return cleared;

  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (std::size_t i = 0; i < kSpaces; ++i) {
    const auto space = static_cast<Space>(i);
    descriptors.emplace_back(ColumnFamilyName(space),
                             MakeSpaceOptions(space, options_.memory_bytes));
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const base::SignalsBlocked blocked;  // in RocksDB's threads, too
  rocksdb::DBOptions db_options = MakeDbOptions(options_, logger_);
  db_options.listeners.push_back(merger_);
  rocksdb::Status status = rocksdb::DB::Open(db_options, name_, descriptors, &handles, &db);
  if (!status.ok()) return std::unexpected(OpenError(status));
  db_.reset(db);
  std::copy(handles.begin(), handles.end(), families_.begin());
  status = merger_->Start(*db_, {Of(families_, Space::kState), Of(families_, Space::kEntries)});
  if (!status.ok()) return std::unexpected(OpenError(status));
  return {};
}

Result<void> RocksDbKv::ClearStaging() {
  const Result<std::vector<std::string>> names = ListDirectory(options_.staging);
  if (!names) return std::unexpected(names.error());
  for (const std::string& name : *names) {
    std::error_code failure;
    std::filesystem::remove_all(options_.staging / name, failure);
    if (!failure) continue;
    return std::unexpected(SystemError(
        ErrorCode::kStorage, "cannot clear " + options_.staging.string(), failure.value()));
  }
  return {};
}

void RocksDbKv::Close() {
  if (db_ == nullptr) return;
  merger_->Stop();
  for (rocksdb::ColumnFamilyHandle* family : families_) {
    (void)db_->DestroyColumnFamilyHandle(family);
  }
  (void)db_->Close();
  db_.reset();
}

// It has no code for a lock that somebody holds; the paths in its text say nothing.
bool SaysLocked(std::string_view text) {
  return text.starts_with("IO error: lock hold by current process") ||
         text.starts_with("IO error: While lock file: ");
}

Error RocksDbKv::OpenError(const rocksdb::Status& status) const {
  const std::string text = status.ToString();
  const auto error = [&](ErrorCode code, std::string message) {
    return Error{.code = code, .message = std::move(message)};
  };
  if (status.IsInvalidArgument()) {
    return error(ErrorCode::kNewerFormat,
                 Advised("the database in " + name_ +
                             " was written by a newer version of drumbeat (" + text + ")",
                         kNewerAdvice));
  }
  if (status.IsNoSpace()) {
    return error(ErrorCode::kStorage, "no space left to open the database in " + name_ + ": " +
                                          text + "; free some space and start again");
  }
  if (status.IsIOError() && SaysLocked(text)) {
    return error(ErrorCode::kLocked, "the database in " + name_ + " is open already: " + text);
  }
  if (status.IsCorruption() || status.IsPathNotFound() || status.IsNotFound()) {
    return error(ErrorCode::kDamaged,
                 Advised("the database in " + name_ + " is damaged: " + text, kHostAdvice));
  }
  return error(ErrorCode::kStorage, "cannot open the database in " + name_ + ": " + text);
}

Result<void> RocksDbKv::CheckWritable() const {
  rocksdb::Status failure = merger_->Failure();
  if (manifest_->failed()) failure = rocksdb::Status::IOError("its list of tables was not written");
  if (failure.ok()) return {};
  return std::unexpected(WriteError(name_, failure));
}

Result<void> RocksDbKv::Write(KvBatch& batch) {
  if (Result<void> writable = CheckWritable(); !writable) return writable;
  auto& rocks_batch = static_cast<RocksDbBatch&>(batch);
  if (!rocks_batch.status().ok()) {
    return std::unexpected(WriteError(name_, rocks_batch.status()));
  }
  const rocksdb::Status status = db_->Write(Synced(), rocks_batch.batch());
  if (!status.ok()) return std::unexpected(WriteError(name_, status));
  return {};
}

Result<std::optional<base::Bytes>> RocksDbKv::Get(Space space, std::string_view key) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  rocksdb::PinnableSlice value;
  const rocksdb::Status status = db_->Get(options, Of(families_, space), ToSlice(key), &value);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return std::unexpected(ReadError(name_, status));
  return base::Bytes::Copy(ToView(value));
}

Result<std::optional<std::string>> RocksDbKv::LastKey(Space space, const KeyRange& range) {
  const rocksdb::Slice begin = ToSlice(range.begin);
  const rocksdb::Slice end = ToSlice(range.end);
  rocksdb::ReadOptions options;
  options.iterate_lower_bound = &begin;
  options.iterate_upper_bound = &end;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> iterator(
      db_->NewIterator(options, Of(families_, space)));
  iterator->SeekToLast();
  if (iterator->Valid()) return iterator->key().ToString();
  if (iterator->status().ok()) return std::nullopt;
  return std::unexpected(ReadError(name_, iterator->status()));
}

Result<std::unique_ptr<KvBulk>> RocksDbKv::NewBulk() {
  const auto next_path = [this] {
    return (options_.staging / (std::to_string(next_file_.fetch_add(1)) + ".sst")).string();
  };
  const rocksdb::Options table(db_->GetDBOptions(), MakeSpaceOptions(Space::kImages, 0));
  // What the buffers hold may be in tables, in the log, and about to be in both again.
  return std::make_unique<RocksDbBulk>(*this, table, own_env_, next_path,
                                       2 * options_.memory_bytes);
}

// From what the manifest says: every run begins a file.
std::vector<std::string> RocksDbKv::RunKeys(const KeyRange& range) {
  std::vector<std::string> keys;
  for (const rocksdb::SstFileMetaData& file : TablesOf(*db_, Of(families_, Space::kImages))) {
    if (file.smallestkey >= range.begin && file.smallestkey < range.end) {
      keys.push_back(file.smallestkey);
    }
  }
  return keys;
}

Result<void> RocksDbKv::Ingest(const std::vector<std::string>& files) {
  if (Result<void> writable = CheckWritable(); !writable) return writable;
  rocksdb::IngestExternalFileOptions options;
  options.move_files = true;
  options.failed_move_fall_back_to_copy = false;
  // Readers hold iterators, which see no newer files whatever their sequence numbers say.
  options.snapshot_consistency = false;
  options.write_global_seqno = false;
  const rocksdb::Status status =
      db_->IngestExternalFile(Of(families_, Space::kImages), files, options);
  if (status.ok()) return {};
  // Nothing entered, unless the manifest is what failed: who knows. Else the database goes on as
  // before.
  rocksdb::WriteBatch probe;
  (void)probe.PutLogData("probe");
  if (!CheckWritable() || !db_->Write(Synced(), &probe).ok()) {
    return std::unexpected(WriteError(name_, status));
  }
  return Fail(ErrorCode::kStorage, "cannot take a snapshot image into the database in " + name_ +
                                       ": " + status.ToString());
}

// Damage beside the range, of which this is no business, hides whether something is in it. An image
// is in files of its own and nowhere else.
bool RocksDbKv::HasKeys(Space space, const KeyRange& range) {
  const Result<std::optional<std::string>> last = LastKey(space, range);
  if (last) return last->has_value();
  if (space != Space::kImages) return true;
  for (const rocksdb::SstFileMetaData& file : TablesOf(*db_, Of(families_, space))) {
    if (file.smallestkey < range.end && file.largestkey >= range.begin) return true;
  }
  return false;
}

Result<void> RocksDbKv::Drop(Space space, const KeyRange& range) {
  if (Result<void> writable = CheckWritable(); !writable) return writable;
  // RocksDB passes over files that another call is just deleting, and says that all is well.
  const base::MutexLock lock(dropping_);
  const rocksdb::Slice begin = ToSlice(range.begin);
  const rocksdb::Slice end = ToSlice(range.end);
  rocksdb::ColumnFamilyHandle* family = Of(families_, space);
  rocksdb::Status status =
      rocksdb::DeleteFilesInRange(db_.get(), family, &begin, &end, /*include_end=*/false);
  if (!status.ok()) return std::unexpected(WriteError(name_, status));
  // What shares a file with other keys needs a mark; images never do.
  if (!HasKeys(space, range)) return {};
  status = db_->DeleteRange(Synced(), family, begin, end);
  if (!status.ok()) return std::unexpected(WriteError(name_, status));
  return {};
}

}  // namespace

Result<std::unique_ptr<Kv>> OpenRocksDbKv(const RocksDbKvOptions& options,
                                          const logging::Logger& logger) {
  auto kv = std::make_unique<RocksDbKv>(options, logger);
  if (Result<void> opened = kv->Open(); !opened) return std::unexpected(opened.error());
  return kv;
}

}  // namespace drumbeat::storage
