// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <any>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "codec/snapshot_image.h"
#include "drumbeat/config.h"
#include "drumbeat/error.h"
#include "drumbeat/event_listener.h"
#include "drumbeat/state_machine.h"
#include "drumbeat/types.h"
#include "raft/entry.h"
#include "raft/membership.h"

namespace drumbeat::state_machine {

/// What applying an entry came to.
enum class AppliedAs : std::uint8_t {
  kNothing,            ///< a leader's first entry, metadata: only the index moved
  kUpdated,            ///< the state machine was updated, or a stored result was found again
  kIgnored,            ///< a series that the client has already acknowledged: no result exists
  kSessionUnknown,     ///< no such session: not applied
  kRegistered,         ///< session registered; result.value is the client id
  kAlreadyRegistered,
  kUnregistered,
  kChangeAccepted,
  kChangeRefused,
};

struct AppliedEntry {
  Index index;
  std::uint64_t key = 0;
  std::uint64_t client_id = 0;
  std::uint64_t series_id = 0;
  AppliedAs outcome = AppliedAs::kNothing;
  ApplyResult result;
  /// For kChangeAccepted and kChangeRefused.
  std::optional<raft::ConfigChange> change;
  /// For kChangeRefused: why.
  std::string refusal;
};

struct RuntimeOptions {
  ReplicaRef replica;
  raft::ChangeOrder change_order = raft::ChangeOrder::kAny;
  /// A witness has no state to update.
  bool witness = false;
  /// The largest decompressed command.
  std::size_t max_command_bytes = 64u << 20;
};

/// Runs one replica's state machine: applies entries in order, keeps the client sessions and the
/// membership as replicated state, takes snapshots and restores them.
///
/// Thread-safety: Apply, Recover and Close from one thread at a time; Lookup and Save from any
/// thread, excluded from those three by a lock inside; the accessors from any thread.
/// Failure: an error or an exception of the state machine, or an entry that cannot be applied, is
/// an error here (kReplicaFailed); the replica must stop and this object must not be used further
/// except for Close().
class Runtime {
 public:
  /// `members`: the membership before the first entry (of the snapshot, or none).
  static std::unique_ptr<Runtime> Make(const RuntimeOptions& options,
                                       std::unique_ptr<StateMachine> state_machine);
  virtual ~Runtime() = default;

  /// Applies entries that follow each other and applied(); appends one AppliedEntry for each to
  /// `out`.
  virtual Result<void> Apply(std::span<const raft::Entry> entries,
                             std::vector<AppliedEntry>& out) = 0;

  virtual Result<std::any> Lookup(const std::any& query) const = 0;

  /// Writes an image of the present state. Blocks Apply until it returns. The record's image_bytes
  /// is set. Errors: kAborted by the state machine, or the sink's error: no snapshot, no harm;
  /// kReplicaFailed as above.
  struct Saved {
    raft::SnapshotRecord record;
    std::string header;
  };
  virtual Result<Saved> Save(codec::ImageSink& sink, Compression compression,
                             std::uint64_t now_unix_ns, std::stop_token stop) const = 0;

  /// Replaces state, sessions, membership and applied() by a snapshot. For a witness's stub or a
  /// replica started as a witness only the membership and index count.
  virtual Result<void> Recover(const raft::SnapshotRecord& record,
                               std::unique_ptr<SnapshotReader> image, std::stop_token stop) = 0;

  /// Closes the user's state machine, once.
  virtual void Close() = 0;

  virtual Index applied() const = 0;
  virtual Term applied_term() const = 0;
  virtual Membership membership() const = 0;
  /// The session table as a snapshot would hold it.
  virtual codec::StoredSessions sessions() const = 0;
};

}  // namespace drumbeat::state_machine
