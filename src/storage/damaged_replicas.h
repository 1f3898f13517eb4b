// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>

#include "drumbeat/error.h"
#include "drumbeat/event_listener.h"

#include "base/mutex.h"

namespace drumbeat::storage {

/// The replicas of which something stored cannot be read, found when the stores were opened.
/// Nothing of theirs is handed out or changed, so that they neither start as if they were new nor
/// lose what may yet be learned from what is left. The host's other replicas go on. Thread-safety:
/// all functions from any thread.
class DamagedReplicas {
 public:
  /// What was found first is what counts.
  void Add(const ReplicaRef& replica, Error why);
  /// Why `replica` cannot be used, if so.
  Result<void> Check(const ReplicaRef& replica) const;
  /// Its data was removed.
  void Forget(const ReplicaRef& replica);

 private:
  mutable base::Mutex mutex_;
  std::map<ReplicaRef, Error> replicas_ DRUMBEAT_GUARDED_BY(mutex_);
};

}  // namespace drumbeat::storage
