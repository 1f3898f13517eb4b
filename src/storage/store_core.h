// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "drumbeat/error.h"

#include "base/mutex.h"
#include "storage/kv.h"
#include "storage/witness.h"

namespace drumbeat::storage {

/// Shut for good by the first write that failed: what a failed sync left on the disk is unknown,
/// and a second one that succeeds proves nothing about the first. Thread-safety: all functions from
/// any thread.
class WriteFence {
 public:
  /// kWriteFailed once it is shut.
  Result<void> Check() const;
  /// Shuts it if `written` is an error, and hands that on as kWriteFailed.
  Result<void> Pass(const Result<void>& written);

 private:
  std::atomic<bool> shut_{false};
  mutable base::Mutex mutex_;
  std::string why_ DRUMBEAT_GUARDED_BY(mutex_);
};

/// What the stores of a host share. The witness goes before the database does.
struct StoreCore {
  std::unique_ptr<Kv> kv;
  std::unique_ptr<Witness> witness;
  WriteFence fence;
};

/// The text of kDamaged when `what` of `replica` was acknowledged and is not there.
std::string LostState(const std::string& where, const ReplicaRef& replica, std::string_view what);

/// Whether the database holds the logs that its witness has seen acknowledged; kDamaged if not.
Result<void> CheckLogs(const StoreCore& core);

}  // namespace drumbeat::storage
