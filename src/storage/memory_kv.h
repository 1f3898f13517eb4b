// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/random.h"
#include "storage/kv.h"
#include "storage/slot_file.h"

namespace drumbeat::storage {

/// A disk in memory for tests and simulation: it outlives the stores opened on it, forgets what was
/// not synced when it crashes, and fails where it is told to.
/// Thread-safety: all functions from any thread.
class MemoryDisk {
 public:
  /// What reaches the disk.
  enum class Operation : std::uint8_t { kWrite, kBulkAdd, kBulkCommit, kDrop, kSlot };
  /// kLost: the operation fails and left nothing. kApplied: it fails, and is there all the same.
  /// kForgotten: a sync fails as on Linux: what was written is read back until a crash, but neither
  /// it nor what follows it in the log gets to the disk, though later syncs say so.
  /// kPowerCutBefore, kPowerCutBehind: as kLost and kApplied, and the last that happens on the disk
  /// until Crash().
  enum class Fault : std::uint8_t {
    kNone,
    kLost,
    kApplied,
    kForgotten,
    kPowerCutBefore,
    kPowerCutBehind
  };
  /// Asked before every operation, under the disk's lock.
  using FaultHook = std::function<Fault(Operation)>;

  /// Whether it remembers what is synced. Without, it needs half the memory and cannot crash.
  enum class Crashes : std::uint8_t { kNever, kSimulated };

  explicit MemoryDisk(Crashes crashes, FaultHook faults = {})
      : crashes_(crashes), faults_(std::move(faults)) {}

  /// Power cut: batches that no sync covered are gone, but for the first `kept_batches` of them.
  /// Whatever was opened before fails from now on; open it anew.
  void Crash(std::size_t kept_batches = 0);
  /// How many batches no sync has covered yet.
  std::size_t unsynced_batches() const;
  /// Flips one bit of one stored value, as `dice` says. False when nothing is stored.
  bool FlipBit(base::Random& dice);
  /// Bytes of the values in all spaces.
  std::size_t stored_bytes() const;

 private:
  friend class MemoryKv;
  friend class MemoryBulk;
  friend class MemorySlot;

  using Value = std::shared_ptr<const std::string>;
  using Table = std::map<std::string, Value, std::less<>>;
  using Tables = std::array<Table, kSpaces>;
  struct Change {
    enum class Kind : std::uint8_t { kPut, kDelete, kDeleteRange } kind = Kind::kPut;
    Space space = Space::kState;
    std::string key;
    std::string end;
    Value value;
  };
  using Changes = std::vector<Change>;

  static void Apply(Tables& tables, const Changes& changes);
  /// What becomes of an operation of whoever opened the disk in `epoch`: kNone to kForgotten.
  Fault Begin(Operation operation, std::uint64_t epoch);
  /// Takes the changes; what a later crash makes of them is up to the next sync.
  void Take(const Changes& changes);
  void SyncAll();
  void Forget();

  const Crashes crashes_;
  mutable base::Mutex mutex_;
  FaultHook faults_;
  std::uint64_t epoch_ = 0;
  Tables now_;
  /// What a crash leaves, and the batches since.
  Tables durable_;
  std::vector<Changes> unsynced_;
  /// Nothing gets to the disk before a crash.
  bool forgets_ = false;
  std::string slot_;

  friend class MemoryBatch;
};

std::unique_ptr<Kv> OpenMemoryKv(std::shared_ptr<MemoryDisk> disk);
std::unique_ptr<SlotFile> OpenMemorySlot(std::shared_ptr<MemoryDisk> disk);

}  // namespace drumbeat::storage
