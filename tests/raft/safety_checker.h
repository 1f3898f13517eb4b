// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "raft/test_replica.h"

namespace drumbeat::raft::testing {

/// Something happened that Raft rules out.
class Violation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Watches all replicas of a shard from outside, with a memory of its own, and throws Violation
/// when a safety property is broken. Text of commands must be unique.
///
/// Source: Ongaro 2014, figure 3.2 (election safety, log matching, leader completeness, state
/// machine safety), section 6.4 (reads), and what durability promises.
class SafetyChecker {
 public:
  using Replicas = std::map<std::uint64_t, std::unique_ptr<TestReplica>>;

  explicit SafetyChecker(const Replicas& replicas) : replicas_(replicas) {}

  /// After any input of `replica`.
  void AfterInput(TestReplica& replica);
  /// A replica was started: what it knows of commits may lie behind what it knew before.
  void OnStart(TestReplica& replica);
  /// `output` is about to be written, and was.
  void OnWrite(const TestReplica& replica, const Output& output);
  void AfterWrite(TestReplica& replica);
  /// `message` leaves `replica`, at the point of durability that its Output prescribes.
  void OnSend(TestReplica& replica, const Envelope& message);
  void OnApply(TestReplica& replica, const Entry& entry);

  /// Reads: the index that a read which begins now must at least get, and what it got.
  Index ReadFloor() const { return Index(canonical_.size()); }
  void OnReadReady(Index floor, Index got) const;
  /// A proposal was reported as dropped.
  void OnDropped(const std::string& text);

  /// Entries that were applied anywhere.
  std::size_t committed_entries() const { return canonical_.size(); }
  std::size_t terms_with_leaders() const { return leader_of_.size(); }

 private:
  /// `previous`: the term of the entry before them; 0 where that is not known.
  void CheckMatching(const std::vector<Entry>& entries, Term previous);
  struct Committed {
    Term term;
    std::string text;    // empty while only witnesses have applied it
    bool known = false;  // its text is
    Term seen_in;        // not before the term it was committed in
  };
  struct Seen {
    Index committed;
    Term term;
  };
  /// What an index and a term stand for.
  struct Known {
    Term previous;
    std::string text;
  };
  /// To the leader of a term: the log reaches to an index.
  struct Acknowledged {
    Term term;
    Index index;
  };

  void CheckLeader(TestReplica& replica);
  void CheckCommitIsOnQuorum(TestReplica& replica, Index committed);
  void CheckLeaderHasCommitted(TestReplica& replica);
  void CheckOneUncommittedChange(const TestReplica& replica);
  void CheckPromises(TestReplica& replica, const Envelope& message);

  const Replicas& replicas_;
  std::map<Term, ReplicaId> leader_of_;
  std::map<std::pair<Index, Term>, Known> entries_;
  std::map<std::pair<ReplicaId, Term>, ReplicaId> votes_;
  std::map<ReplicaId, Term> sent_term_;
  std::map<ReplicaId, Seen> seen_;
  std::map<ReplicaId, Acknowledged> acknowledged_;
  std::map<std::uint64_t, Membership> memberships_;
  std::vector<Committed> canonical_;
  std::set<std::string> applied_texts_;
  std::set<std::string> dropped_texts_;
};

}  // namespace drumbeat::raft::testing
