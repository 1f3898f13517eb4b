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

#include "drumbeat/config.h"
#include "drumbeat/error.h"
#include "drumbeat/event_listener.h"
#include "drumbeat/state_machine.h"
#include "drumbeat/types.h"

#include "codec/snapshot_image.h"
#include "raft/entry.h"
#include "raft/membership.h"

namespace drumbeat::state_machine {

/// What applying an entry came to.
enum class AppliedAs : std::uint8_t {
  kNothing,         ///< a leader's first entry, metadata, an unfit entry: only the index moved
  kUpdated,         ///< the state machine was updated, or a stored result was found again
  kIgnored,         ///< a series that the client has already acknowledged: no result exists
  kSessionUnknown,  ///< no such session: not applied
  kRegistered,      ///< session registered; result.value is the client id
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
  /// For kChangeAccepted, and for kChangeRefused unless the change could not be decoded.
  std::optional<raft::ConfigChange> change;
  /// For kChangeRefused: why. For kNothing: why the entry is unfit, or empty if it is not.
  std::string refusal;
};

struct RuntimeOptions {
  ReplicaRef replica;
  raft::ChangeOrder change_order = raft::ChangeOrder::kAny;
  /// A witness has no state to update.
  bool witness = false;
  /// The largest decompressed command.
  std::size_t max_command_bytes = 64u << 20;
  /// The largest session table of a snapshot, written or read.
  std::uint64_t max_sessions_bytes = codec::kMaxSessionsBytes;
};

/// Runs one replica's state machine: applies entries in order, keeps the client sessions and the
/// membership as replicated state, takes snapshots and restores them.
///
/// An unfit entry is one that no drumbeat member lets into a log, and on which a Dragonboat member
/// ends: a command without a client, with an unknown header or a damaged body, or of a metadata or
/// unknown type. It changes nothing here, nor on any other drumbeat member, except that a session
/// that it names counts as used; a membership change that cannot be decoded is refused. Only a
/// command beyond max_command_bytes, which others may be able to apply, fails the replica.
///
/// Thread-safety: Apply, Recover and Close from one thread at a time; Lookup and Save from any
/// thread, excluded from those three by a lock inside; the accessors from any thread. Neither side
/// starves: Lookups wait for a running Update or about a millisecond of them, and Apply for the
/// Lookups and the Save that came before it.
/// Failure: an error or an exception of the state machine, or entries that do not follow, are an
/// error here (kReplicaFailed); the replica must stop and this object must not be used further
/// except for Close(). After a failed Apply or Recover it answers everything else with that error.
/// An error that the state machine returns from Lookup is its answer and no failure; kReplicaFailed
/// among them becomes kAborted. Without memory for its own work it throws std::bad_alloc: after
/// Save no harm, after Apply or Recover a failure.
class Runtime {
 public:
  /// With no members and nothing applied. `state_machine` may be null on a witness.
  static std::unique_ptr<Runtime> Make(const RuntimeOptions& options,
                                       std::unique_ptr<StateMachine> state_machine);
  virtual ~Runtime() = default;

  /// Applies entries that follow each other and applied(); appends one AppliedEntry for each to
  /// `out`. On an error `out` holds those before the one that failed.
  virtual Result<void> Apply(std::span<const raft::Entry> entries,
                             std::vector<AppliedEntry>& out) = 0;

  /// Errors: what StateMachine::Lookup returned; kNotSupported on a witness; kTerminated after
  /// Close(); kReplicaFailed as above, and when Lookup threw.
  virtual Result<std::any> Lookup(const std::any& query) const = 0;

  /// Writes an image of the present state. Blocks Apply until it returns. The record's image_bytes
  /// is set. Errors: kAborted by the state machine, the sink's error, kPayloadTooLarge for sessions
  /// or members that no other replica would take, kNotSupported on a witness, kTerminated after
  /// Close(): no snapshot, no harm; kReplicaFailed as above.
  struct Saved {
    raft::SnapshotRecord record;
    std::string header;
  };
  virtual Result<Saved> Save(codec::ImageSink& sink, Compression compression,
                             std::uint64_t now_unix_ns, std::stop_token stop) const = 0;

  /// Replaces state, sessions, membership and applied() by a snapshot that is newer. `image`: its
  /// stream as codec::OpenImage gives it, session table first; read to its end. On a replica
  /// started as a witness only the membership and index count, and `image` may be null; anywhere
  /// else a witness's stub is refused, as it would silently lose the state.
  /// Errors: kDamaged or the image's own error, kAborted by the state machine, kReplicaFailed; all
  /// are failures as above.
  virtual Result<void> Recover(const raft::SnapshotRecord& record,
                               std::unique_ptr<SnapshotReader> image, std::stop_token stop) = 0;

  /// Closes the user's state machine and destroys it, once.
  virtual void Close() = 0;

  virtual Index applied() const = 0;
  virtual Term applied_term() const = 0;
  virtual Membership membership() const = 0;
  /// The session table as a snapshot would hold it.
  virtual codec::StoredSessions sessions() const = 0;
};

}  // namespace drumbeat::state_machine
