// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "drumbeat/event_listener.h"

#include "raft/message.h"
#include "simulation/world.h"
#include "storage/log_store.h"

namespace drumbeat::simulation {

/// Keeps apart from the hosts what is durable of every replica of one shard, and holds what they
/// say and do against it: nothing is said before it is durable, nothing that was promised or
/// committed is forgotten, and no two logs disagree.
///
/// Source: Ongaro 2014, figure 3.2 (log matching, leader completeness, state machine safety), and
/// what the stores promise.
class LogOracle {
 public:
  /// `founders`: how many founding members there are.
  LogOracle(World& world, std::uint64_t founders)
      : world_(world), founders_(founders), committed_(founders, {.term = Term{1}, .by = {}}) {}

  // -- What the disks hold -----------------------------------------------------------------------

  void Saved(const storage::ReplicaUpdate& update);
  void SaveFailed(const storage::ReplicaUpdate& update);
  void Cut(ReplicaId replica, Index through);
  /// A life of the replica begins with this.
  void Loaded(ReplicaId replica, const storage::StoredLog& log,
              std::span<const raft::Entry> entries);
  /// A snapshot is durable, or was found to be.
  void ImageStored(ReplicaId replica, const raft::SnapshotRecord& record);

  // -- What the replicas do ----------------------------------------------------------------------

  void Sent(const raft::Envelope& message);
  /// How far the replica says that the log is committed, and who the members are.
  void Committed(ReplicaId replica, Index index, const Membership& members);
  /// Its state machine has got to `index`.
  void Applied(ReplicaId replica, Index index);

  /// Entries that are known to be committed.
  std::uint64_t committed() const { return committed_.size(); }
  /// The index of the newest snapshot on the replica's disk.
  Index ImageOf(ReplicaId replica) const { return disks_.at(replica).image; }

 private:
  struct Item {
    Term term;
    bool change = false;
  };
  /// What one replica has on its disk.
  struct Disk {
    Term term;
    ReplicaId vote;
    Index commit;
    /// Of the entries from `first` on.
    std::deque<Item> log;
    Index first{1};
    Index image;
    /// A write has failed: from there on the log may be either, and term and vote as well.
    std::optional<Index> doubtful_from;
    Index seen_committed;
    /// To the leader of a term: the log reaches to an index.
    Term acknowledged_in;
    Index acknowledged;

    Index last() const { return first + log.size() - 1; }
    /// 0 where it is not known.
    Term TermAt(Index index) const;
    bool Holds(Index index, Term term_of_it) const {
      return TermAt(index) == term_of_it || image >= index;
    }
  };
  /// What there was where an update puts entries.
  struct Replaced {
    Replaced(const Disk& disk, Index where);

    Term term;
    Index known_committed;
    Index from;
    std::vector<Term> terms;

    Index last() const { return from + terms.size() - 1; }
    Term TermAt(Index index) const { return index > last() ? Term{0} : terms[index - from]; }
  };
  struct CommittedEntry {
    Term term;  // 0 where nobody had it any more when it became known
    Term by;    // not before the term in which it was committed: later leaders have it
  };
  /// What an index and a term stand for, wherever they are.
  struct Known {
    Term previous;
    std::uint64_t content = 0;
  };

  void Broken(ReplicaId replica, const std::string& what);
  void Elected(ReplicaId replica, Term term);
  void CheckMatching(ReplicaId replica, const raft::Entry& entry, Term previous);
  void CheckReplaced(ReplicaId replica, const Replaced& before);
  void CheckKept(ReplicaId replica, const Replaced& before);
  void CheckChanges(ReplicaId replica, const Disk& disk);
  void Put(Disk& disk, std::span<const raft::Entry> entries);
  bool OnQuorumOf(const Membership& members, Index index, Term term) const;
  bool OnQuorum(Index index, Term term) const;
  /// The term of the entry at `index` that a quorum has, if one does.
  std::optional<Term> TermOnQuorum(Index index) const;
  void Commit(ReplicaId replica, Index index);

  World& world_;
  const std::uint64_t founders_;
  std::map<ReplicaId, Disk> disks_;
  std::map<std::pair<Index, Term>, Known> entries_;
  std::vector<CommittedEntry> committed_;
  std::map<std::uint64_t, Membership> memberships_;
  Term newest_leader_;
};

}  // namespace drumbeat::simulation
