// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <tuple>

#include "drumbeat/types.h"

#include "raft/inflight.h"
#include "raft/raft.h"

namespace drumbeat::raft {

enum class MemberKind : std::uint8_t { kVoter, kNonVoting, kWitness };

/// What a leader knows of one member, and when it may send it more of the log.
///
///   probe      one AppendEntries at a time, until an answer shows where the logs agree
///   replicate  pipelined within the limits of the in-flight window
///   snapshot   nothing, until the stream's end is reported or the member shows it has it
///
/// Invariant: next > match.
/// Source: Ongaro 2014, sections 3.5 and 10.2.1; Dragonboat's remote.
class MemberProgress {
 public:
  MemberProgress(ReplicaId id, MemberKind kind) : id_(id), kind_(kind) {}

  ReplicaId id() const { return id_; }
  MemberKind kind() const { return kind_; }
  void set_kind(MemberKind kind) { kind_ = kind; }
  bool voting() const { return kind_ != MemberKind::kNonVoting; }

  Index match() const { return match_; }
  Index next() const { return next_; }
  Progress state() const { return state_; }
  bool active() const { return active_; }
  void set_active(bool active) { active_ = active; }
  /// It answers, and the log reaches it about as fast as it grows.
  bool in_step() const { return alive() && !lags_; }
  /// It has answered one of the last heartbeats, and no connection to it broke since.
  bool alive() const { return unanswered_ < kMissed; }
  /// Sequence of the newest read round that the member has confirmed.
  std::uint64_t confirmed_read() const { return confirmed_read_; }
  void ConfirmRead(std::uint64_t sequence) {
    if (sequence > confirmed_read_) confirmed_read_ = sequence;
  }

  /// A new leader, whose log ends at `last`, knows nothing of the member yet.
  void Reset(Index last);
  /// The leader's own entry: it has `saved` durably.
  void SetOwnMatch(Index saved);

  void Heard();
  void HeartbeatSent() { unanswered_ = std::min(unanswered_ + 1, kMissed); }
  /// `expected`: what it has had an election timeout to get.
  void CheckPace(Index expected) { lags_ = match_ < expected; }
  /// A newcomer has nothing yet.
  void Lag() { lags_ = true; }

  /// Whether a message with entries may be sent now.
  bool MaySendEntries(const Inflight::Limits& limits) const;
  /// Whether a message without entries is due: to answer a heartbeat's sign of life, or because
  /// the member has not been told of `committed`.
  bool OwesEmpty(Index committed) const;
  /// A message was sent whose last entry is `last` (next() - 1 if it has none), `bytes` of them.
  void Sent(Index last, std::uint64_t bytes, Index commit);

  /// The member's log matches up to `index`. Returns whether that was news.
  bool Accept(Index index);
  /// The member refused entries behind `refused` and hints at `hint`. Returns whether this was the
  /// answer to what is outstanding, not a late one.
  bool Reject(Index refused, Index hint);
  /// A heartbeat was answered: ask for what may have been lost. `last`: the end of the log.
  void HeartbeatAnswered(Index last);
  void Unreachable();
  void BeginSnapshot(Index index);
  /// The stream has ended. The next sign of life resumes with a probe.
  void EndSnapshot(bool failed);

  /// All that it holds, to tell states apart.
  auto fields() const {
    return std::tie(id_, kind_, state_, match_, next_, snapshot_, sent_commit_, waiting_, nudge_,
                    active_, unanswered_, lags_, back_off_, confirmed_read_, inflight_);
  }

 private:
  /// So many heartbeats without an answer are more than bad luck.
  static constexpr int kMissed = 3;

  void Probe(Index next);

  ReplicaId id_;
  MemberKind kind_;
  Progress state_ = Progress::kProbe;
  Index match_;
  Index next_{1};
  Index snapshot_;        // being sent, in state snapshot
  Index sent_commit_;     // the newest commit index in a message
  bool waiting_ = false;  // in state probe: one is outstanding
  bool nudge_ = false;    // an empty message is due
  bool active_ = false;
  int unanswered_ = 0;  // heartbeats in a row, up to kMissed
  bool lags_ = false;
  std::uint64_t back_off_ = 1;  // how far the next unhelpful refusal moves `next` back
  std::uint64_t confirmed_read_ = 0;
  Inflight inflight_;
};

}  // namespace drumbeat::raft
