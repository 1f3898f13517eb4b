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
    if (!members.contains(replica)) Keep(replica, address);
  }
  members_ = members;
  std::erase_if(provisional_, [&](const auto& known) { return members_.contains(known.first); });
}

bool AddressBook::Heard(ReplicaId replica, const std::string& address) {
  const base::MutexLock lock(mutex_);
  if (const auto member = members_.find(replica); member != members_.end()) {
    return member->second == address;
  }
  Keep(replica, address);
  return true;
}

void AddressBook::Keep(ReplicaId replica, const std::string& address) {
  std::erase_if(provisional_, [&](const auto& known) { return known.first == replica; });
  if (provisional_.size() == kMaxProvisional) provisional_.erase(provisional_.begin());
  provisional_.emplace_back(replica, address);
}

std::string AddressBook::Find(ReplicaId replica) const {
  const base::MutexLock lock(mutex_);
  if (const auto member = members_.find(replica); member != members_.end()) return member->second;
  const auto known = std::ranges::find(provisional_, replica, &Provisional::first);
  return known == provisional_.end() ? std::string() : known->second;
}

std::vector<ReplicaId> AddressBook::At(const std::string& address) const {
  const base::MutexLock lock(mutex_);
  std::vector<ReplicaId> found;
  for (const auto& [replica, known] : members_) {
    if (known == address) found.push_back(replica);
  }
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
