// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "drumbeat/types.h"

namespace drumbeat {

/// A client's identity in a shard; it decides what a retried proposal costs.
///
/// With a *registered* session (NodeHost::OpenSession) each proposal carries a series number, and
/// the shard applies each number once: after an unknown outcome, propose again with the unchanged
/// session and get the first attempt's result. Call ProposalCompleted() after each proposal that
/// completed, before the next one: a number that was proposed with one command must never be
/// proposed with another, as the shard answers with the first one's result and does not apply the
/// second. A shard remembers its 4,096 most recently used sessions; an evicted one gets
/// ErrorCode::kSessionExpired.
/// With the *NoOP* session nothing is remembered: a retry may apply the command twice. It costs
/// nothing and may be shared.
///
/// Thread-safety: a value. A registered session serves one proposal at a time.
/// Source: Ongaro 2014, section 6.3.
class Session {
 public:
  /// The last number of a proposal: those behind it mean something else to the shard.
  static constexpr std::uint64_t kMaxSeries = ~std::uint64_t{0} - 2;

  /// A session without duplicate suppression, usable for any number of proposals at once.
  static Session NoOp(ShardId shard) { return Session(shard, 0, 0); }
  /// A registered session, as NodeHost::OpenSession returns it, or as client_id() and series_id()
  /// were kept elsewhere: to go on with one behind a restart, keep series_id() durably before each
  /// proposal. `client_id` 0 makes a NoOP session; `series_id` is 1 to kMaxSeries.
  static Session Registered(ShardId shard, std::uint64_t client_id, std::uint64_t series_id = 1) {
    return Session(shard, client_id, series_id);
  }

  ShardId shard_id() const { return shard_id_; }
  bool is_noop() const { return client_id_ == 0; }
  /// 0 for the NoOP session.
  std::uint64_t client_id() const { return client_id_; }
  /// The number of the present proposal, from 1; 0 for the NoOP session.
  std::uint64_t series_id() const { return series_id_; }
  /// The highest number whose result the client has seen; the shard forgets those results.
  std::uint64_t responded_to() const { return is_noop() ? 0 : series_id_ - 1; }

  /// Moves on to the next series. Call it once the present proposal has completed. No effect on
  /// the NoOP session, nor behind kMaxSeries, from which on a proposal ends in kInvalidSession.
  void ProposalCompleted() {
    if (!is_noop() && series_id_ <= kMaxSeries) ++series_id_;
  }

 private:
  Session(ShardId shard, std::uint64_t client_id, std::uint64_t series_id)
      : shard_id_(shard),
        client_id_(client_id),
        series_id_(client_id == 0 ? 0 : std::max<std::uint64_t>(series_id, 1)) {}

  ShardId shard_id_;
  std::uint64_t client_id_;
  std::uint64_t series_id_;
};

}  // namespace drumbeat
