// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <any>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "drumbeat/error.h"
#include "drumbeat/request.h"
#include "drumbeat/types.h"

#include "base/mutex.h"
#include "base/random.h"
#include "raft/message.h"

namespace drumbeat::node_host {

/// One waiting read and what it wants to know once it may be answered.
struct PendingRead {
  struct IndexOnly {
    internal::Completion<Index> completion;
  };
  struct Lookup {
    internal::Completion<std::any> completion;
    std::any query;
    /// Once it was looked up: the one or the other.
    std::any answer = {};
    std::optional<Error> error = std::nullopt;
  };
  struct Members {
    internal::Completion<Membership> completion;
  };
  std::variant<IndexOnly, Lookup, Members> what;
  std::uint64_t deadline_tick = 0;

  void Fail(const Error& error);
};

/// Linearizable reads on their way: queued, then grouped under one context that the leader
/// confirms, then waiting until the confirmed index is applied here.
/// Thread-safety: all functions from any thread. Requests are completed outside the lock.
/// Source: Ongaro 2014, section 6.4.
class PendingReads {
 public:
  PendingReads(std::size_t limit, std::uint64_t seed);

  /// kBusy beyond the limit, the close reason after Close(); then `read` is left alone.
  Result<void> Add(PendingRead& read);

  /// Puts all queued reads under one new context; nothing when none is queued.
  std::optional<raft::ReadContext> StartRound(std::uint64_t tick);
  /// The round was confirmed: its reads may be answered once `index` is applied. True if there are
  /// such reads.
  bool Confirmed(raft::ReadContext context, Index index);
  /// The round certainly comes to nothing.
  void Drop(raft::ReadContext context, const Error& error);
  /// There is a new leader: what an earlier one was asked and did not answer is asked again, under
  /// a new context. True if there is such.
  bool AskAgain();
  /// Takes out one that may be answered now that `applied` is. One at a time, since answering may
  /// take long: the others still end in time, and with Close().
  std::optional<PendingRead> TakeReady(Index applied);

  /// Completes with kTimeout what was due before `tick`.
  void Expire(std::uint64_t tick);
  /// Completes everything with kTerminated; later Add()s fail with `reason`.
  void Close(const Error& reason);

 private:
  using Reads = std::vector<PendingRead>;
  struct Round {
    Reads reads;
    std::size_t taken = 0;  // so many of the first ones

    /// Without those that were taken.
    Reads& Left();
  };

  const std::size_t limit_;
  mutable base::Mutex mutex_;
  base::Random random_ DRUMBEAT_GUARDED_BY(mutex_);
  std::size_t waiting_ DRUMBEAT_GUARDED_BY(mutex_) = 0;
  Reads queued_ DRUMBEAT_GUARDED_BY(mutex_);
  std::map<raft::ReadContext, Reads> rounds_ DRUMBEAT_GUARDED_BY(mutex_);
  std::multimap<Index, Round> confirmed_ DRUMBEAT_GUARDED_BY(mutex_);
  std::optional<Error> closed_ DRUMBEAT_GUARDED_BY(mutex_);
};

}  // namespace drumbeat::node_host
