// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "drumbeat/error.h"

#include "base/bytes.h"
#include "base/mutex.h"
#include "storage/damaged_replicas.h"
#include "storage/keys.h"
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
  DamagedReplicas damaged;
};

/// A whole record of `replica` in Space::kState; nothing when it is not there. An error names it.
Result<std::optional<base::Bytes>> ReadState(Kv& kv, StateKind kind, const ReplicaRef& replica);

/// `error` with whose log it keeps from use, where, and what to do about what is stored.
Error LogUnusable(const Kv& kv, const ReplicaRef& replica, const Error& error);
/// Makes `replica` a damaged one when that is what `error` says. All else is returned: it ends the
/// opening, which may be tried again.
Result<void> NoteUnusable(StoreCore& core, const ReplicaRef& replica, const Error& error);
/// The text of kDamaged when `what` of `replica` was acknowledged and is not there.
std::string LostState(const std::string& where, const ReplicaRef& replica, std::string_view what);

/// Whether the database holds the logs that its witness has seen acknowledged. A record that is bad
/// makes its replica one of core.damaged. One that is gone, or older than it was, does not go
/// alone: with it went what all replicas wrote after it, and the host is refused (kDamaged). So it
/// is when the system refuses a read (kStorage): another try may go well.
Result<void> CheckLogs(StoreCore& core);

}  // namespace drumbeat::storage
