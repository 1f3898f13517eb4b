// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "drumbeat/error.h"
#include "drumbeat/event_listener.h"
#include "drumbeat/types.h"

#include "base/mutex.h"
#include "storage/slot_file.h"

namespace drumbeat::storage {

/// What the stores have acknowledged of one replica, at the least.
struct WitnessLine {
  Term term;
  ReplicaId vote;
  /// Last index of the log.
  Index last;
  /// Index of the newest snapshot image.
  Index image;
  bool bootstrapped = false;
  bool removed = false;

  friend bool operator==(const WitnessLine&, const WitnessLine&) = default;
};

/// A synced note beside the database of what was acknowledged, since no mode of RocksDB notices a
/// write-ahead log that is gone or ends early. It never claims more than the database holds after
/// any crash, so "the database holds less" always means loss.
///
/// Guarantee: a term, vote, bootstrap, removal or image that was acknowledged is in it. Of the
/// indexes that were acknowledged at most those of the last second before the last synced save are
/// missing. It has no thread: the save that finds a second to be over writes it.
///
/// Thread-safety: all functions from any thread; the same part of one replica's line not at once.
class Witness {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;
  using Lines = std::map<ReplicaRef, WitnessLine>;
  static constexpr std::chrono::milliseconds kPeriod{1000};

  /// Reads what `file` holds; kDamaged when that is no list of lines.
  static Result<std::unique_ptr<Witness>> Open(std::unique_ptr<SlotFile> file, Clock clock);
  /// Notes the last indexes that were not yet written.
  ~Witness();

  Lines lines() const;
  Lines LinesOf(ShardId shard) const;
  /// What is known of `replica`; all zero when nothing is.
  WitnessLine Line(const ReplicaRef& replica) const;

  /// What changed of one replica; the rest of its line stays.
  struct Note {
    ReplicaRef replica;
    struct Log {
      Term term;
      ReplicaId vote;
      Index last;
    };
    std::optional<Log> log = std::nullopt;
    std::optional<Index> image = std::nullopt;
    std::optional<bool> bootstrapped = std::nullopt;
    std::optional<bool> removed = std::nullopt;
  };
  /// Takes note of what is durable in the database by now. Returns after a sync when anything but
  /// `last` changed, or when indexes were noted but not written for kPeriod; otherwise at once. An
  /// image older than the one that is known changes nothing.
  Result<void> Raise(std::span<const Note> notes);
  /// Claims less, durably, before the database is told to hold less.
  Result<void> Lower(std::span<const Note> notes);

 private:
  Witness(std::unique_ptr<SlotFile> file, Clock clock);

  /// Writes everything noted up to now, unless a write that began after `generation` did already.
  Result<void> WriteOut(std::uint64_t generation);
  /// Writes unless another thread is about to.
  Result<void> WriteIfIdle();
  Result<void> WriteLocked() DRUMBEAT_REQUIRES(writing_);

  const Clock clock_;

  mutable base::Mutex mutex_;
  Lines lines_ DRUMBEAT_GUARDED_BY(mutex_);
  /// Counts changes that must be written.
  std::uint64_t generation_ DRUMBEAT_GUARDED_BY(mutex_) = 0;
  std::uint64_t written_generation_ DRUMBEAT_GUARDED_BY(mutex_) = 0;
  bool indexes_pending_ DRUMBEAT_GUARDED_BY(mutex_) = false;
  std::chrono::steady_clock::time_point last_write_ DRUMBEAT_GUARDED_BY(mutex_);

  /// Taken before mutex_; held over the sync.
  base::Mutex writing_;
  std::unique_ptr<SlotFile> file_ DRUMBEAT_GUARDED_BY(writing_);
};

}  // namespace drumbeat::storage
