// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace drumbeat {

/// What can be said of a request that ended with an error.
enum class Outcome : std::uint8_t {
  /// It had no effect and never will: it is safe to ask again as something new. Of earlier attempts
  /// of the same series this says nothing (kSessionExpired).
  kDidNotHappen,
  /// It may have happened, or may yet. Only a registered session makes a retry safe.
  kUnknown,
};

/// Why something failed. Each code belongs to exactly one Outcome (see OutcomeOf): "did not
/// happen" and "unknown" never share a code.
enum class ErrorCode : std::uint8_t {
  // -- Did not happen: the call ----------------------------------------------------------------
  kInvalidArgument,  ///< An argument or configuration field is out of its bounds; the text names
                     ///< it.
  kInvalidAddress,   ///< Not a `host:port` address that this shard accepts.
  kInvalidSession,   ///< The session belongs to another shard or cannot be used for this call.
  kPayloadTooLarge,  ///< A command, or a snapshot's part, exceeds the limit that the text names.
  kNotSupported,     ///< Not possible for this role (a witness) or kind of state machine.
  kNotFound,         ///< What was asked for (a snapshot, an entry, a record) is not there.
  // -- Did not happen: the state of host or shard ------------------------------------------------
  kClosed,              ///< The node host was closed before the request was taken.
  kShardNotFound,       ///< No replica of this shard runs on this node host.
  kShardAlreadyExists,  ///< A replica of this shard is here: it runs, failed, was removed, or is
                        ///< still stopping. NodeHost::StopShard ends it.
  kBootstrapMismatch,   ///< How the replica is started contradicts how it was first started.
  kReplicaRemoved,      ///< This replica was removed from its shard (or its data was), for ever.
  kReplicaFailed,       ///< The replica stopped after an error of its own; the text says which.
  kHostFailed,          ///< What all replicas of this host share failed; the text says what.
  kNotReady,            ///< The replica is still loading its state.
  kNoLeader,            ///< Dropped: there is no leader, or it hands its leadership over.
  kBusy,                ///< A queue or a limit is full. Try again later.
  kInProgress,          ///< Another request of this kind is under way.
  kRejected,            ///< The rules of membership refuse the change; the text says why.
  kSessionExpired,      ///< The session is unknown or evicted. This attempt was not applied, an
                        ///< earlier attempt of the same series may have been.
  kNothingToDo,         ///< For example, nothing was applied since the last snapshot.
  kAborted,             ///< The state machine gave up on the operation.
  // -- Did not happen: opening -------------------------------------------------------------------
  kAddressInUse,  ///< The listen address is taken, or cannot be bound.
  kLocked,        ///< Another process has the data folder open; the text names its pid.
  kNotOwner,      ///< The data folder belongs to another address, replica, deployment or program.
  kNewerFormat,   ///< A newer version of drumbeat wrote the data folder.
  kDamaged,       ///< A file is damaged; the text names it and says what to do.
  kStorage,       ///< The operating system refused (permissions, full disk, ...) before anything
                  ///< was written.
  // -- Unknown -----------------------------------------------------------------------------------
  kTimeout,      ///< No answer in time; it may yet happen.
  kTerminated,   ///< The replica or host stopped or failed while the request was under way.
  kWriteFailed,  ///< A write or sync failed: what it wrote may or may not be on the disk.
};

/// The outcome that `code` stands for.
Outcome OutcomeOf(ErrorCode code);

/// The code's name in plain words, such as "timeout" or "shard not found".
std::string_view ErrorCodeName(ErrorCode code);

/// A failure: a code to act on and one line of text for people.
struct Error {
  ErrorCode code = ErrorCode::kInvalidArgument;
  /// One line: what is wrong, where, and what to do. May be empty, then the code's name says it.
  std::string message = {};

  Outcome outcome() const { return OutcomeOf(code); }
  /// True when the same request may well succeed a little later.
  bool retryable() const;
  /// `message`, or the code's name where it is empty.
  std::string_view text() const { return message.empty() ? ErrorCodeName(code) : message; }
};

template <class T>
using Result = std::expected<T, Error>;

/// Shorthand: `return Fail(ErrorCode::kBusy, "...")`.
inline std::unexpected<Error> Fail(ErrorCode code, std::string message = {}) {
  return std::unexpected<Error>(Error{.code = code, .message = std::move(message)});
}

}  // namespace drumbeat
