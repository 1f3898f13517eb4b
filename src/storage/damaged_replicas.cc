// SPDX-License-Identifier: Apache-2.0
#include "storage/damaged_replicas.h"

#include <utility>

namespace drumbeat::storage {

void DamagedReplicas::Add(const ReplicaRef& replica, Error why) {
  const base::MutexLock lock(mutex_);
  replicas_.try_emplace(replica, std::move(why));
}

Result<void> DamagedReplicas::Check(const ReplicaRef& replica) const {
  const base::MutexLock lock(mutex_);
  const auto found = replicas_.find(replica);
  if (found == replicas_.end()) return {};
  return std::unexpected(found->second);
}

void DamagedReplicas::Forget(const ReplicaRef& replica) {
  const base::MutexLock lock(mutex_);
  replicas_.erase(replica);
}

}  // namespace drumbeat::storage
