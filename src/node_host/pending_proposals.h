// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "drumbeat/error.h"
#include "drumbeat/request.h"
#include "drumbeat/session.h"
#include "drumbeat/types.h"

#include "base/mutex.h"
#include "base/random.h"
#include "raft/entry.h"
#include "state_machine/runtime.h"

namespace drumbeat::node_host {

/// The proposals of this host's clients that wait for their entry to be applied here: commands,
/// session operations and membership changes.
///
/// A proposal is completed exactly once, by whoever takes it out of the table. Its entry's key is
/// the table's slot and random bits, so finding it again needs no search and a foreign entry
/// does not match by accident; client and series must match too.
/// Thread-safety: all functions from any thread. Requests are completed outside the lock.
class PendingProposals {
 public:
  using AnyCompletion =
      std::variant<internal::Completion<ApplyResult>, internal::Completion<Session>,
                   internal::Completion<void>, internal::Completion<Membership>>;

  PendingProposals(ShardId shard, std::size_t limit, std::uint64_t seed);

  /// Makes room for a proposal and returns its entry's key, never 0. kBusy beyond the limit,
  /// kInProgress for a second membership change at once, the close reason after Close(); then the
  /// completion is left alone.
  Result<std::uint64_t> Add(std::uint64_t client_id, std::uint64_t series_id,
                            std::uint64_t deadline_tick, AnyCompletion& completion);

  /// Completes those whose entries were applied. `members`: for membership changes.
  void Applied(std::span<state_machine::AppliedEntry> entries, const Membership& members);
  /// Completes one with `error`: its entry was dropped.
  void Drop(const raft::Entry& entry, const Error& error);
  /// Completes with kTimeout what was due before `tick`.
  void Expire(std::uint64_t tick);
  /// Completes everything with kTerminated; later Add()s fail with `reason`.
  void Close(const Error& reason);

  std::size_t size() const;

 private:
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};

  struct Slot {
    std::uint64_t key = 0;  // 0: free
    std::uint64_t client_id = 0;
    std::uint64_t series_id = 0;
    std::uint64_t deadline_tick = 0;
    AnyCompletion completion;
  };

  Slot* Find(std::uint64_t key, std::uint64_t client_id, std::uint64_t series_id)
      DRUMBEAT_REQUIRES(mutex_);
  AnyCompletion Release(Slot& slot) DRUMBEAT_REQUIRES(mutex_);

  const ShardId shard_;
  const std::size_t limit_;
  mutable base::Mutex mutex_;
  base::Random random_ DRUMBEAT_GUARDED_BY(mutex_);
  std::vector<Slot> slots_ DRUMBEAT_GUARDED_BY(mutex_);
  std::vector<std::uint32_t> free_ DRUMBEAT_GUARDED_BY(mutex_);
  /// None is due before.
  std::uint64_t first_deadline_ DRUMBEAT_GUARDED_BY(mutex_) = kNever;
  bool change_pending_ DRUMBEAT_GUARDED_BY(mutex_) = false;
  std::optional<Error> closed_ DRUMBEAT_GUARDED_BY(mutex_);
};

}  // namespace drumbeat::node_host
