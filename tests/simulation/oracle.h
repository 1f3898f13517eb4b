// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "drumbeat/event_listener.h"
#include "drumbeat/types.h"

#include "raft/message.h"
#include "simulation/watched_snapshots.h"
#include "simulation/world.h"

namespace drumbeat::simulation {

/// A state: how many commands it holds and a hash over all of them in order.
struct ListState {
  std::uint64_t count = 0;
  std::uint64_t chain = 0;

  friend bool operator==(const ListState&, const ListState&) = default;
};

/// Knows everything about one shard and checks it at once. The shard is a list of unique commands,
/// so a history is linearizable exactly if every write has one place, every state is a prefix of
/// one list, and nobody who begins later sees less.
class Oracle {
 public:
  explicit Oracle(World& world) : world_(world) {}

  // -- What replicas do --------------------------------------------------------------------------

  /// A replica applied `command` at `index` and came from `before` to `after`.
  void Applied(Index index, std::string_view command, const ListState& before,
               const ListState& after);
  /// A replica recovered this state from a snapshot.
  void Recovered(const ListState& state) { CheckPrefix(state, "a snapshot"); }
  void LeaderSeen(ReplicaId replica, Term term);
  /// A replica applied a membership change, or recovered a membership.
  void MembershipSeen(const Membership& members);
  /// Images of one index hold the same sessions, state and membership, whoever made them.
  void ImageStored(const StoredImage& image);
  /// What a replica says must fit to what it said before, also before a restart.
  void Sent(const raft::Envelope& message);

  // -- What clients see --------------------------------------------------------------------------

  /// The command was acknowledged at `place`.
  void WriteDone(const std::string& command, std::uint64_t place);
  /// Its client was told that it did not and will not happen.
  void WriteRefused(const std::string& command);
  /// The least that a read that begins now may see.
  std::uint64_t ReadBegins() const { return acknowledged_; }
  void ReadDone(std::uint64_t at_least, const ListState& seen);

  /// Whether `state` is all that was ever applied.
  bool IsWhole(const ListState& state) const;
  /// The newest leader that was seen, and when.
  microseconds leader_since() const { return leader_since_; }
  std::uint64_t writes() const { return writes_; }
  std::uint64_t reads() const { return reads_; }
  std::uint64_t leaders() const { return leaders_.size(); }
  /// Images that were compared with another one of the same index.
  std::uint64_t images_compared() const { return images_compared_; }

  static ListState Append(const ListState& state, std::string_view command);

 private:
  struct Place {
    Index index;
    std::string command;
    std::uint64_t chain = 0;
  };

  void CheckPrefix(const ListState& state, const char* whose) const;
  void Vote(ReplicaId voter, Term term, ReplicaId candidate);

  World& world_;
  std::vector<Place> list_;
  std::unordered_map<std::string, std::uint64_t> place_of_;
  std::unordered_set<std::string> refused_;
  std::map<Term, ReplicaId> leaders_;
  std::map<std::pair<ReplicaId, Term>, ReplicaId> votes_;
  std::map<ReplicaId, Term> spoken_;
  std::map<std::uint64_t, Membership> memberships_;
  std::map<Index, StoredImage> images_;
  microseconds leader_since_{0};
  std::uint64_t acknowledged_ = 0;
  std::uint64_t images_compared_ = 0;
  std::uint64_t writes_ = 0;
  std::uint64_t reads_ = 0;
};

}  // namespace drumbeat::simulation
