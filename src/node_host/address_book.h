// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "drumbeat/types.h"

#include "base/mutex.h"

namespace drumbeat::node_host {

/// Where the members of one shard live: what the membership says and, for senders that no applied
/// membership names (a joining replica knows nobody), what their messages say. Whoever was a member
/// lives on where it did: it may not know yet that it was removed.
///
/// What a message says never overrides what the membership says, and of such addresses the
/// kMaxProvisional that were heard of last are kept.
/// Thread-safety: all functions from any thread.
class AddressBook {
 public:
  static constexpr std::size_t kMaxProvisional = 16;

  /// Replaces what is known of members. Provisional addresses of members go.
  void SetMembers(const Membership& members);
  /// Founding members, before any membership was applied.
  void SetMembers(const MemberMap& members);

  /// A message of `replica` came from `address`. False: the membership knows another address for
  /// it, so the message is somebody else's.
  bool Heard(ReplicaId replica, const std::string& address);

  /// Empty when unknown.
  std::string Find(ReplicaId replica) const;
  /// Who lives at `address`.
  std::vector<ReplicaId> At(const std::string& address) const;
  bool HasMembers() const;
  std::vector<ReplicaId> Members() const;
  bool IsMember(ReplicaId replica) const;

 private:
  using Provisional = std::pair<ReplicaId, std::string>;

  void Keep(ReplicaId replica, const std::string& address) DRUMBEAT_REQUIRES(mutex_);

  mutable base::Mutex mutex_;
  MemberMap members_ DRUMBEAT_GUARDED_BY(mutex_);
  /// Heard of longest ago first.
  std::vector<Provisional> provisional_ DRUMBEAT_GUARDED_BY(mutex_);
};

}  // namespace drumbeat::node_host
