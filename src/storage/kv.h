// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "drumbeat/error.h"

#include "base/bytes.h"
#include "storage/log_store.h"

namespace drumbeat::storage {

/// Key spaces with an order of their own; a batch may span them. FORMATS.md says what is in each.
enum class Space : std::uint8_t { kState = 0, kEntries = 1, kImages = 2 };
constexpr std::size_t kSpaces = 3;

/// Keys from `begin` on, before `end`, in byte order.
struct KeyRange {
  std::string_view begin;
  std::string_view end;
};

/// Changes that take effect together or not at all, in their order. Copies what it is given.
/// Thread-safety: one thread at a time.
class KvBatch {
 public:
  virtual ~KvBatch() = default;

  virtual void Put(Space space, std::string_view key, std::string_view value) = 0;
  virtual void Delete(Space space, std::string_view key) = 0;
  virtual void DeleteRange(Space space, const KeyRange& range) = 0;
  virtual bool empty() const = 0;
  /// Empties it for another use; keeps its memory within reason.
  virtual void Clear() = 0;
};

/// Walks keys upwards, over the state as it was when the cursor was made: what it sees stays
/// readable until it is gone. Views end with the next move. Over Space::kEntries damage may show as
/// keys that are left out: who scans those knows which must be there.
/// Thread-safety: one thread at a time.
class KvCursor {
 public:
  virtual ~KvCursor() = default;

  /// Whether it stands on a key; false behind the last one and after an error.
  virtual bool Valid() const = 0;
  virtual void Next() = 0;
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
  /// Why it ended, if not at the end of its range.
  virtual Result<void> status() const = 0;
};

/// Many new keys of Space::kImages, made ready aside and then entering at once. Dropping it
/// without Commit() leaves nothing behind. Needs little memory, however much is added.
/// Thread-safety: one thread at a time.
class KvBulk {
 public:
  virtual ~KvBulk() = default;

  /// `key` lies above all that were added to this run. kStorage (a full disk, for example) ends
  /// this bulk and nothing else.
  virtual Result<void> Add(std::string_view key, std::string_view value) = 0;
  /// Ends a run of ascending keys; the next one may begin anywhere. Runs must not overlap.
  virtual Result<void> EndRun() = 0;
  /// All keys enter, durably, in one atomic step. kWriteFailed as in Kv::Write; kStorage while it
  /// still harms nothing.
  virtual Result<void> Commit() = 0;
};

/// Ordered keys and values, written in atomic, durable batches. What it hands out is durable, too,
/// whatever became of the process that wrote it. The stores' own logic stands on this and
/// runs over RocksDB, over memory, and over a simulated disk alike.
///
/// Thread-safety: all functions from any thread.
/// Failure: an error of Write, KvBulk::Commit or Drop may be kWriteFailed: what it wrote may or may
/// not be there. The caller writes no more after that. kDamaged: bytes that were stored are bad.
class Kv {
 public:
  virtual ~Kv() = default;

  virtual std::unique_ptr<KvBatch> NewBatch() = 0;
  /// Durable on return. There is no other kind of write: a power cut that leaves a hole before what
  /// was synced looks like damage.
  virtual Result<void> Write(KvBatch& batch) = 0;

  virtual Result<std::optional<base::Bytes>> Get(Space space, std::string_view key) = 0;
  virtual std::unique_ptr<KvCursor> Scan(Space space, const KeyRange& range) = 0;
  /// The greatest key in `range`.
  virtual Result<std::optional<std::string>> LastKey(Space space, const KeyRange& range) = 0;

  virtual Result<std::unique_ptr<KvBulk>> NewBulk() = 0;
  /// The least key of each run in `range` that entered Space::kImages, in no order; some may be
  /// gone by now. Damage to what is stored under a key does not hide it, nor any other.
  virtual std::vector<std::string> RunKeys(const KeyRange& range) = 0;
  /// Deletes `range` and gives its room back; durable on return, but not atomic. Cursors are not
  /// disturbed.
  virtual Result<void> Drop(Space space, const KeyRange& range) = 0;

  /// Where the data lies, for messages to people.
  virtual const std::string& name() const = 0;
};

}  // namespace drumbeat::storage
