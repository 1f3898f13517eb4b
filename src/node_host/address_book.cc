// SPDX-License-Identifier: Apache-2.0
#include "node_host/address_book.h"

#include <algorithm>
#include <utility>

namespace drumbeat::node_host {

void AddressBook::SetMembers(const Membership& members) {
  MemberMap all = members.voters;
  all.insert(members.non_votings.begin(), members.non_votings.end());
  all.insert(members.witnesses.begin(), members.witnesses.end());
  SetMembers(all);
}

void AddressBook::SetMembers(const MemberMap& members) {
  const base::MutexLock lock(mutex_);
  for (const auto& [replica, address] : members_) {
    if (!members.contains(replica)) Keep(former_, kMaxFormer, replica, address);
  }
  members_ = members;
  const auto is_member = [&](const auto& known) { return members_.contains(known.first); };
  std::erase_if(former_, is_member);
  std::erase_if(provisional_, is_member);
}

Speaker AddressBook::Heard(ReplicaId replica, const std::string& address) {
  const base::MutexLock lock(mutex_);
  if (const std::string* certain = Certain(replica)) {
    return *certain == address ? Speaker::kKnown : Speaker::kImpostor;
  }
  Keep(provisional_, kMaxProvisional, replica, address);
  return members_.empty() ? Speaker::kKnown : Speaker::kStranger;
}

void AddressBook::Keep(Known& known, std::size_t most, ReplicaId replica,
                       const std::string& address) {
  std::erase_if(known, [&](const auto& one) { return one.first == replica; });
  if (known.size() == most) known.erase(known.begin());
  known.emplace_back(replica, address);
}

const std::string* AddressBook::Certain(ReplicaId replica) const {
  if (const auto member = members_.find(replica); member != members_.end()) {
    return &member->second;
  }
  const auto former = std::ranges::find(former_, replica, &Known::value_type::first);
  return former == former_.end() ? nullptr : &former->second;
}

std::string AddressBook::Find(ReplicaId replica) const {
  const base::MutexLock lock(mutex_);
  if (const std::string* certain = Certain(replica)) return *certain;
  const auto known = std::ranges::find(provisional_, replica, &Known::value_type::first);
  return known == provisional_.end() ? std::string() : known->second;
}

std::vector<ReplicaId> AddressBook::At(const std::string& address) const {
  const base::MutexLock lock(mutex_);
  std::vector<ReplicaId> found;
  const auto add = [&](const auto& known) {
    if (known.second == address) found.push_back(known.first);
  };
  std::ranges::for_each(members_, add);
  std::ranges::for_each(former_, add);
  return found;
}

bool AddressBook::HasMembers() const {
  const base::MutexLock lock(mutex_);
  return !members_.empty();
}

std::vector<ReplicaId> AddressBook::Members() const {
  const base::MutexLock lock(mutex_);
  std::vector<ReplicaId> members;
  for (const auto& [replica, address] : members_) members.push_back(replica);
  return members;
}

bool AddressBook::IsMember(ReplicaId replica) const {
  const base::MutexLock lock(mutex_);
  return members_.contains(replica);
}

}  // namespace drumbeat::node_host
