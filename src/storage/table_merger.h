// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/listener.h>

#include "base/mutex.h"
#include "logging/logger.h"
#include "storage/table_plan.h"

// Used inside this folder only: it names RocksDB's types.
namespace drumbeat::storage {

/// Keeps the tables of a database few, whatever becomes of some of them.
///
/// RocksDB merges tables in the background, and writes nothing any more after it met one that it
/// cannot read. That is no reason to stop: whoever needs what was in that table learns of it when
/// it reads. So such an error is kept from RocksDB. From then on nothing is merged in that family
/// but by this class, which leaves out the tables that cannot be read and merges what lies around
/// them. Writes are not slowed down by the number of tables of such a family.
///
/// And at each opening it merges the small tables that openings leave: RocksDB moves those that
/// follow each other without merging them.
///
/// It has a thread, from the first damage on: RocksDB's own are shared by all databases of the
/// process, and what waits for its turn there would hold up their merging, or their closing.
///
/// Thread-safety: Start() and Stop() one after the other, Failure() at any time; the others are
/// RocksDB's to call.
class TableMerger : public rocksdb::EventListener {
 public:
  /// `name`: of the database, for messages.
  TableMerger(std::string name, const logging::Logger& logger);

  /// Merges what is due in `families` of a database that was just opened with this as a listener,
  /// and goes on until Stop(). An error is a write that failed; damage is none.
  rocksdb::Status Start(rocksdb::DB& db, const std::vector<rocksdb::ColumnFamilyHandle*>& families);
  /// Ends all background work of the database, which must follow this at once.
  void Stop();
  /// The write of its own that failed, if one did: none may be tried after it.
  rocksdb::Status Failure() const;

  const char* Name() const override { return "drumbeat::storage::TableMerger"; }
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override;
  /// A failed write is final. And a database that waits for space may wait for ever as it closes.
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }
  void OnCompactionCompleted(rocksdb::DB* db, const rocksdb::CompactionJobInfo& job) override;
  void OnFlushCompleted(rocksdb::DB* db, const rocksdb::FlushJobInfo& job) override;

 private:
  struct Family {
    rocksdb::ColumnFamilyHandle* handle = nullptr;
    /// Once RocksDB's own merging is off.
    bool damaged = false;
    /// Also those that only failed to be merged.
    BadTables bad;
  };

  /// Has the thread look at `due_`.
  void Wake() DRUMBEAT_REQUIRES(mutex_);
  void MergeWhatIsDue();
  /// Waits for the next family to look at; none when it is time to stop.
  std::optional<std::uint32_t> NextDue();
  rocksdb::Status MergeAround(Family& family);
  /// Merges whatever is due in `family` now.
  rocksdb::Status MergeAll(Family& family, const MergeLimits& limits);
  rocksdb::Status MergeOnce(Family& family, const Merge& merge);
  /// Takes the merging of `family` over from RocksDB.
  rocksdb::Status TakeOver(Family& family);
  /// Reads through all tables of `family`; whether some were found to be bad that were not known.
  bool FindBadTables(Family& family);
  /// Of a merge that met damage which is not found: until the next opening it would fail again and
  /// again.
  void LeaveAlone(Family& family, const Merge& merge);
  bool Stopping() const;

  const std::string name_;
  const logging::Logger logger_;

  /// Set before the thread starts, then only read.
  rocksdb::DB* db_ = nullptr;
  /// By id. Used by Start(), then by the thread.
  std::map<std::uint32_t, Family> families_;

  mutable base::Mutex mutex_;
  base::ConditionVariable wake_;
  bool started_ DRUMBEAT_GUARDED_BY(mutex_) = false;
  bool stopping_ DRUMBEAT_GUARDED_BY(mutex_) = false;
  rocksdb::Status failure_ DRUMBEAT_GUARDED_BY(mutex_);
  std::thread thread_ DRUMBEAT_GUARDED_BY(mutex_);
  /// Families in which RocksDB met damage, and those of them to look at.
  std::set<std::uint32_t> damaged_ DRUMBEAT_GUARDED_BY(mutex_);
  std::set<std::uint32_t> due_ DRUMBEAT_GUARDED_BY(mutex_);
};

}  // namespace drumbeat::storage
