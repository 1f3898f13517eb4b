// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace drumbeat {

/// A 64-bit number that cannot be mistaken for another kind of number.
///
/// Explicit to make, ordered, hashable. `Tag::kOrdinal` is true for numbers that are counted along
/// (indexes, terms) and have neighbours; identifiers have none.
template <class Tag>
class Id {
 public:
  constexpr Id() = default;
  constexpr explicit Id(std::uint64_t value) : value_(value) {}

  constexpr std::uint64_t value() const { return value_; }
  constexpr explicit operator bool() const { return value_ != 0; }

  friend constexpr auto operator<=>(Id, Id) = default;

  friend constexpr Id operator+(Id id, std::uint64_t steps)
    requires(Tag::kOrdinal)
  {
    return Id(id.value_ + steps);
  }
  friend constexpr Id operator-(Id id, std::uint64_t steps)
    requires(Tag::kOrdinal)
  {
    return Id(id.value_ - steps);
  }
  friend constexpr std::uint64_t operator-(Id end, Id first)
    requires(Tag::kOrdinal)
  {
    return end.value_ - first.value_;
  }
  constexpr Id& operator++()
    requires(Tag::kOrdinal)
  {
    ++value_;
    return *this;
  }

 private:
  std::uint64_t value_ = 0;
};

struct ShardIdTag {
  static constexpr bool kOrdinal = false;
};
struct ReplicaIdTag {
  static constexpr bool kOrdinal = false;
};
struct IndexTag {
  static constexpr bool kOrdinal = true;
};
struct TermTag {
  static constexpr bool kOrdinal = true;
};

/// A Raft group. Unique within a deployment; any value is legal.
using ShardId = Id<ShardIdTag>;
/// A member of a shard, at least 1. 0 means "none", such as "no known leader". Never used again
/// in its shard once it was removed.
using ReplicaId = Id<ReplicaIdTag>;
/// A place in a shard's log. The first entry is 1; 0 means "before the log".
using Index = Id<IndexTag>;
/// A Raft term. 0 means "before the first".
using Term = Id<TermTag>;

/// Where replicas live: `host:port` by replica.
using MemberMap = std::map<ReplicaId, std::string>;

/// The members of a shard as of a log index.
struct Membership {
  /// Log index of the last accepted membership change.
  std::uint64_t config_change_id = 0;
  MemberMap voters;
  /// They receive the log and serve reads, but neither vote nor count in a quorum.
  MemberMap non_votings;
  /// They vote and count in quorums, but keep only metadata of the log and no state.
  MemberMap witnesses;
  /// Ids that were removed and never come back.
  std::set<ReplicaId> removed;

  friend bool operator==(const Membership&, const Membership&) = default;
};

/// What StateMachine::Update returned; kept with a client session, so that a retry gets it again.
struct ApplyResult {
  std::uint64_t value = 0;
  /// Part of each snapshot while a session keeps it: of more than 12 GiB in a shard none is taken.
  std::string data = {};
  friend bool operator==(const ApplyResult&, const ApplyResult&) = default;
};

}  // namespace drumbeat

template <class Tag>
struct std::hash<drumbeat::Id<Tag>> {
  std::size_t operator()(drumbeat::Id<Tag> id) const noexcept {
    return std::hash<std::uint64_t>()(id.value());
  }
};
