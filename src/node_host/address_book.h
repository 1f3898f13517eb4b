// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "drumbeat/types.h"

#include "base/mutex.h"

namespace drumbeat::node_host {

/// Who speaks, by what memberships say.
enum class Speaker : std::uint8_t {
  kKnown,     ///< a member or former one, or anybody as long as no membership is known
  kStranger,  ///< no membership names it, or none yet
  kImpostor,  ///< a membership knows another address for it
};

/// Where the members of one shard live: what the membership says and, for senders that no applied
/// membership names (a joining replica knows nobody), what their messages say. The kMaxFormer that
/// were members last live on where they did: they may not know yet that they were removed.
///
/// What a message says never overrides what a membership said, and of such addresses the
/// kMaxProvisional that were heard of last are kept.
/// Thread-safety: all functions from any thread.
class AddressBook {
 public:
  static constexpr std::size_t kMaxProvisional = 16;
  static constexpr std::size_t kMaxFormer = 16;

  /// Replaces what is known of members. Provisional addresses of members go.
  void SetMembers(const Membership& members);
  /// Founding members, before any membership was applied.
  void SetMembers(const MemberMap& members);

  /// A message of `replica` came from `address`. Of an impostor's nothing is kept.
  Speaker Heard(ReplicaId replica, const std::string& address);

  /// Empty when unknown.
  std::string Find(ReplicaId replica) const;
  /// Which members, and former ones, live at `address`.
  std::vector<ReplicaId> At(const std::string& address) const;
  bool HasMembers() const;
  std::vector<ReplicaId> Members() const;
  bool IsMember(ReplicaId replica) const;

 private:
  /// Known longest first.
  using Known = std::vector<std::pair<ReplicaId, std::string>>;

  static void Keep(Known& known, std::size_t most, ReplicaId replica, const std::string& address);
  /// What memberships say; null when they say nothing.
  const std::string* Certain(ReplicaId replica) const DRUMBEAT_REQUIRES(mutex_);

  mutable base::Mutex mutex_;
  MemberMap members_ DRUMBEAT_GUARDED_BY(mutex_);
  Known former_ DRUMBEAT_GUARDED_BY(mutex_);
  Known provisional_ DRUMBEAT_GUARDED_BY(mutex_);
};

}  // namespace drumbeat::node_host
