// SPDX-License-Identifier: Apache-2.0
#include "drumbeat/error.h"

namespace drumbeat {

Outcome OutcomeOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kTimeout:
    case ErrorCode::kTerminated:
    case ErrorCode::kWriteFailed: return Outcome::kUnknown;
    default: return Outcome::kDidNotHappen;
  }
}

std::string_view ErrorCodeName(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return "invalid argument";
    case ErrorCode::kInvalidAddress: return "invalid address";
    case ErrorCode::kInvalidSession: return "invalid session";
    case ErrorCode::kPayloadTooLarge: return "payload is too large";
    case ErrorCode::kNotSupported: return "not supported by this replica";
    case ErrorCode::kNotFound: return "not found";
    case ErrorCode::kClosed: return "node host closed";
    case ErrorCode::kShardNotFound: return "shard not found";
    case ErrorCode::kShardAlreadyExists: return "shard already exists";
    case ErrorCode::kBootstrapMismatch: return "shard settings contradict the first start";
    case ErrorCode::kReplicaRemoved: return "replica was removed";
    case ErrorCode::kReplicaFailed: return "replica failed";
    case ErrorCode::kHostFailed: return "node host failed";
    case ErrorCode::kNotReady: return "replica is not ready yet";
    case ErrorCode::kNoLeader: return "request dropped as the shard has no leader";
    case ErrorCode::kBusy: return "too busy, try again later";
    case ErrorCode::kInProgress: return "another request of this kind is under way";
    case ErrorCode::kRejected: return "request rejected";
    case ErrorCode::kSessionExpired: return "session is not known (any more)";
    case ErrorCode::kNothingToDo: return "nothing to do";
    case ErrorCode::kAborted: return "aborted by the state machine";
    case ErrorCode::kAddressInUse: return "address is in use";
    case ErrorCode::kLocked: return "data folder is locked";
    case ErrorCode::kNotOwner: return "data folder belongs to another replica";
    case ErrorCode::kNewerFormat: return "data folder was written by a newer version";
    case ErrorCode::kDamaged: return "stored data is damaged";
    case ErrorCode::kStorage: return "storage error";
    case ErrorCode::kTimeout: return "timeout";
    case ErrorCode::kTerminated: return "terminated";
    case ErrorCode::kWriteFailed: return "write failed";
  }
  return "unknown error";
}

bool Error::retryable() const {
  switch (code) {
    case ErrorCode::kNotReady:
    case ErrorCode::kNoLeader:
    case ErrorCode::kBusy:
    case ErrorCode::kInProgress:
    case ErrorCode::kTimeout:
    case ErrorCode::kTerminated: return true;
    default: return false;
  }
}

}  // namespace drumbeat
