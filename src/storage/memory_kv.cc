// SPDX-License-Identifier: Apache-2.0
#include "storage/memory_kv.h"

#include <iterator>
#include <utility>

#include "base/check.h"

namespace drumbeat::storage {
namespace {

using Fault = MemoryDisk::Fault;
using Operation = MemoryDisk::Operation;

Result<void> WriteRefused() { return Fail(ErrorCode::kWriteFailed, "the memory disk failed"); }

}  // namespace

void MemoryDisk::Apply(Tables& tables, const Changes& changes) {
  for (const Change& change : changes) {
    Table& table = tables[static_cast<std::size_t>(change.space)];
    switch (change.kind) {
      case Change::Kind::kPut: table.insert_or_assign(change.key, change.value); break;
      case Change::Kind::kDelete: table.erase(change.key); break;
      case Change::Kind::kDeleteRange:
        if (change.key < change.end) {
          table.erase(table.lower_bound(change.key), table.lower_bound(change.end));
        }
        break;
    }
  }
}

void MemoryDisk::Take(const Changes& changes) {
  Apply(now_, changes);
  if (crashes_ == Crashes::kSimulated && !forgets_) unsynced_.push_back(changes);
}

Fault MemoryDisk::Begin(Operation operation, std::uint64_t epoch) {
  if (epoch != epoch_) return Fault::kLost;
  const Fault fault = faults_ ? faults_(operation) : Fault::kNone;
  if (fault != Fault::kPowerCutBefore && fault != Fault::kPowerCutBehind) return fault;
  ++epoch_;
  return fault == Fault::kPowerCutBefore ? Fault::kLost : Fault::kApplied;
}

void MemoryDisk::Forget() {
  unsynced_.clear();
  forgets_ = true;
}

void MemoryDisk::SyncAll() {
  for (const Changes& changes : unsynced_) Apply(durable_, changes);
  unsynced_.clear();
}

void MemoryDisk::Crash(std::size_t kept_batches) {
  const base::MutexLock lock(mutex_);
  DRUMBEAT_CHECK(crashes_ == Crashes::kSimulated, "only then it knows what was synced");
  ++epoch_;
  for (std::size_t i = 0; i < unsynced_.size() && i < kept_batches; ++i) {
    Apply(durable_, unsynced_[i]);
  }
  unsynced_.clear();
  forgets_ = false;
  now_ = durable_;
}

std::size_t MemoryDisk::unsynced_batches() const {
  const base::MutexLock lock(mutex_);
  return unsynced_.size();
}

bool MemoryDisk::FlipBit(base::Random& dice) {
  const base::MutexLock lock(mutex_);
  const auto space = static_cast<std::size_t>(dice.Below(kSpaces));
  Table& table = now_[space];
  if (table.empty()) return false;
  const auto chosen =
      std::next(table.begin(), static_cast<std::ptrdiff_t>(dice.Below(table.size())));
  if (chosen->second->empty()) return false;
  std::string bad = *chosen->second;
  const std::uint64_t bit = dice.Below(8 * bad.size());
  bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
  chosen->second = std::make_shared<const std::string>(std::move(bad));
  if (const auto durable = durable_[space].find(chosen->first); durable != durable_[space].end()) {
    durable->second = chosen->second;
  }
  return true;
}

std::size_t MemoryDisk::stored_bytes() const {
  const base::MutexLock lock(mutex_);
  std::size_t bytes = 0;
  for (const Table& table : now_) {
    for (const auto& [key, value] : table) bytes += key.size() + value->size();
  }
  return bytes;
}

class MemoryBatch : public KvBatch {
 public:
  void Put(Space space, std::string_view key, std::string_view value) override {
    changes_.push_back({.space = space,
                        .key = std::string(key),
                        .end = {},
                        .value = std::make_shared<const std::string>(value)});
  }
  void Delete(Space space, std::string_view key) override {
    changes_.push_back({.kind = MemoryDisk::Change::Kind::kDelete,
                        .space = space,
                        .key = std::string(key),
                        .end = {},
                        .value = {}});
  }
  void DeleteRange(Space space, const KeyRange& range) override {
    changes_.push_back({.kind = MemoryDisk::Change::Kind::kDeleteRange,
                        .space = space,
                        .key = std::string(range.begin),
                        .end = std::string(range.end),
                        .value = {}});
  }
  bool empty() const override { return changes_.empty(); }
  void Clear() override { changes_.clear(); }

  const MemoryDisk::Changes& changes() const { return changes_; }

 private:
  MemoryDisk::Changes changes_;
};

class MemoryCursor : public KvCursor {
 public:
  using Pairs = std::vector<std::pair<std::string, std::shared_ptr<const std::string>>>;
  explicit MemoryCursor(Pairs pairs) : pairs_(std::move(pairs)) {}

  bool Valid() const override { return at_ < pairs_.size(); }
  void Next() override { ++at_; }
  std::string_view key() const override { return pairs_[at_].first; }
  std::string_view value() const override { return *pairs_[at_].second; }
  Result<void> status() const override { return {}; }

 private:
  const Pairs pairs_;
  std::size_t at_ = 0;
};

class MemoryBulk : public KvBulk {
 public:
  MemoryBulk(std::shared_ptr<MemoryDisk> disk, std::uint64_t epoch)
      : disk_(std::move(disk)), epoch_(epoch) {}

  Result<void> Add(std::string_view key, std::string_view value) override {
    const base::MutexLock lock(disk_->mutex_);
    if (disk_->Begin(Operation::kBulkAdd, epoch_) != Fault::kNone) {
      return Fail(ErrorCode::kStorage, "the memory disk is full");
    }
    batch_.Put(Space::kImages, key, value);
    return {};
  }
  Result<void> EndRun() override { return {}; }
  Result<void> Commit() override {
    const base::MutexLock lock(disk_->mutex_);
    const Fault fault = disk_->Begin(Operation::kBulkCommit, epoch_);
    if (fault == Fault::kLost) return WriteRefused();
    // Images enter beside the log: durable at once, and syncing nothing else.
    MemoryDisk::Apply(disk_->now_, batch_.changes());
    MemoryDisk::Apply(disk_->durable_, batch_.changes());
    return fault == Fault::kNone ? Result<void>() : WriteRefused();
  }

 private:
  const std::shared_ptr<MemoryDisk> disk_;
  const std::uint64_t epoch_;
  MemoryBatch batch_;
};

class MemoryKv : public Kv {
 public:
  explicit MemoryKv(std::shared_ptr<MemoryDisk> disk) : disk_(std::move(disk)) {
    const base::MutexLock lock(disk_->mutex_);
    epoch_ = disk_->epoch_;
  }

  std::unique_ptr<KvBatch> NewBatch() override { return std::make_unique<MemoryBatch>(); }

  Result<void> Write(KvBatch& batch) override {
    const base::MutexLock lock(disk_->mutex_);
    const Fault fault = disk_->Begin(Operation::kWrite, epoch_);
    if (fault == Fault::kLost) return WriteRefused();
    if (fault == Fault::kForgotten) disk_->Forget();
    disk_->Take(static_cast<MemoryBatch&>(batch).changes());
    if (fault != Fault::kNone) return WriteRefused();
    disk_->SyncAll();
    return {};
  }

  Result<std::optional<base::Bytes>> Get(Space space, std::string_view key) override {
    const base::MutexLock lock(disk_->mutex_);
    const MemoryDisk::Table& table = disk_->now_[static_cast<std::size_t>(space)];
    const auto found = table.find(key);
    if (found == table.end()) return std::nullopt;
    return base::Bytes::Copy(*found->second);
  }

  std::unique_ptr<KvCursor> Scan(Space space, const KeyRange& range) override {
    const base::MutexLock lock(disk_->mutex_);
    const MemoryDisk::Table& table = disk_->now_[static_cast<std::size_t>(space)];
    const auto end = table.lower_bound(range.end);
    MemoryCursor::Pairs pairs;
    for (auto at = table.lower_bound(range.begin); at != end; ++at) pairs.push_back(*at);
    return std::make_unique<MemoryCursor>(std::move(pairs));
  }

  Result<std::optional<std::string>> LastKey(Space space, const KeyRange& range) override {
    const base::MutexLock lock(disk_->mutex_);
    const MemoryDisk::Table& table = disk_->now_[static_cast<std::size_t>(space)];
    const auto end = table.lower_bound(range.end);
    if (end == table.lower_bound(range.begin)) return std::nullopt;
    return std::prev(end)->first;
  }

  Result<std::unique_ptr<KvBulk>> NewBulk() override {
    return std::make_unique<MemoryBulk>(disk_, epoch_);
  }

  std::vector<std::string> RunKeys(const KeyRange& range) override {
    const base::MutexLock lock(disk_->mutex_);
    const MemoryDisk::Table& table = disk_->now_[static_cast<std::size_t>(Space::kImages)];
    std::vector<std::string> keys;
    for (auto at = table.lower_bound(range.begin); at != table.lower_bound(range.end); ++at) {
      keys.push_back(at->first);
    }
    return keys;
  }

  Result<void> Drop(Space space, const KeyRange& range) override {
    MemoryBatch batch;
    batch.DeleteRange(space, range);
    const base::MutexLock lock(disk_->mutex_);
    const Fault fault = disk_->Begin(Operation::kDrop, epoch_);
    if (fault == Fault::kLost) return WriteRefused();
    disk_->Take(batch.changes());
    if (fault != Fault::kNone) return WriteRefused();
    disk_->SyncAll();
    return {};
  }

  const std::string& name() const override { return name_; }

 private:
  const std::string name_ = "memory";
  const std::shared_ptr<MemoryDisk> disk_;
  std::uint64_t epoch_ = 0;
};

class MemorySlot : public SlotFile {
 public:
  explicit MemorySlot(std::shared_ptr<MemoryDisk> disk) : disk_(std::move(disk)) {
    const base::MutexLock lock(disk_->mutex_);
    epoch_ = disk_->epoch_;
    content_ = disk_->slot_;
  }

  const std::string& content() const override { return content_; }
  Result<void> Write(std::string_view content) override {
    const base::MutexLock lock(disk_->mutex_);
    const Fault fault = disk_->Begin(Operation::kSlot, epoch_);
    if (fault == Fault::kLost) return WriteRefused();
    content_ = content;
    disk_->slot_ = content;
    return fault == Fault::kNone ? Result<void>() : WriteRefused();
  }

 private:
  const std::shared_ptr<MemoryDisk> disk_;
  std::uint64_t epoch_ = 0;
  std::string content_;
};

std::unique_ptr<Kv> OpenMemoryKv(std::shared_ptr<MemoryDisk> disk) {
  return std::make_unique<MemoryKv>(std::move(disk));
}

std::unique_ptr<SlotFile> OpenMemorySlot(std::shared_ptr<MemoryDisk> disk) {
  return std::make_unique<MemorySlot>(std::move(disk));
}

}  // namespace drumbeat::storage
