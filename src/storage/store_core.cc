// SPDX-License-Identifier: Apache-2.0
#include "storage/store_core.h"

#include "logging/logger.h"
#include "storage/advice.h"
#include "storage/keys.h"
#include "storage/replica_log.h"
#include "storage/sealed_value.h"

namespace drumbeat::storage {
namespace {

std::string_view NameOf(StateKind kind) {
  switch (kind) {
    case StateKind::kBootstrap: return "the record of its first start";
    case StateKind::kLog: return "its log state";
    case StateKind::kRemoved: return "the mark of its removal";
  }
  return "";
}

/// What was acknowledged of a replica and is not there; empty if nothing is missing.
Result<std::string> WhatIsMissing(Kv& kv, const ReplicaRef& replica, const WitnessLine& line) {
  const auto removed = ReadState(kv, StateKind::kRemoved, replica);
  if (!removed) return std::unexpected(removed.error());
  if (removed->has_value()) return {};
  if (line.removed) return "its removal";

  const auto bootstrap = ReadState(kv, StateKind::kBootstrap, replica);
  if (!bootstrap) return std::unexpected(bootstrap.error());
  if (line.bootstrapped && !bootstrap->has_value()) return "how it was started";

  const auto value = ReadState(kv, StateKind::kLog, replica);
  if (!value) return std::unexpected(value.error());
  LogState state;
  if (value->has_value()) {
    Result<LogState> decoded = DecodeLogState(StateKey(StateKind::kLog, replica), (*value)->view());
    if (!decoded) return std::unexpected(decoded.error());
    state = *decoded;
  }
  const raft::HardState& hard_state = state.hard_state;
  if (hard_state.term < line.term) return "its term " + std::to_string(line.term.value());
  if (hard_state.term == line.term && line.vote && hard_state.vote != line.vote) {
    return "its vote in term " + std::to_string(line.term.value());
  }
  if (state.last < line.last) {
    return "entries " + std::to_string(state.last.value() + 1) + " to " +
           std::to_string(line.last.value());
  }

  return {};
}

}  // namespace

Result<void> WriteFence::Check() const {
  if (!shut_.load(std::memory_order_acquire)) return {};
  const base::MutexLock lock(mutex_);
  return Fail(ErrorCode::kWriteFailed, "nothing is written any more after: " + why_);
}

Result<void> WriteFence::Pass(const Result<void>& written) {
  if (written) return {};
  const base::MutexLock lock(mutex_);
  if (why_.empty()) why_ = written.error().text();
  shut_.store(true, std::memory_order_release);
  return Fail(ErrorCode::kWriteFailed, std::string(written.error().text()));
}

Result<std::optional<base::Bytes>> ReadState(Kv& kv, StateKind kind, const ReplicaRef& replica) {
  const auto fail = [&](const Error& error) {
    return Fail(error.code, std::string(NameOf(kind)) + ": " + std::string(error.text()));
  };
  const Key key = StateKey(kind, replica);
  Result<std::optional<base::Bytes>> value = kv.Get(Space::kState, key);
  if (!value) return fail(value.error());
  if (!*value) return value;
  if (const auto body = OpenValue(key, (*value)->view()); !body) return fail(body.error());
  return value;
}

Error LogUnusable(const Kv& kv, const ReplicaRef& replica, const Error& error) {
  return Error{.code = error.code,
               .message = "the log of " + logging::Name(replica) + " in " + kv.name() +
                          " cannot be used: " + Advised(error.text(), ReplicaAdvice(error.code))};
}

// Who wrote one newer record wrote all that followed, and what the system refused to read may be
// well.
Result<void> NoteUnusable(StoreCore& core, const ReplicaRef& replica, const Error& error) {
  if (error.code != ErrorCode::kDamaged) return std::unexpected(error);
  core.damaged.Add(replica, error);
  return {};
}

std::string LostState(const std::string& where, const ReplicaRef& replica, std::string_view what) {
  return "the log store in " + where + " lost acknowledged state: " + std::string(what) + " of " +
         logging::Name(replica) + " is not there" + std::string(kHostAdvice);
}

Result<void> CheckLogs(StoreCore& core) {
  for (const auto& [replica, line] : core.witness->lines()) {
    const Result<std::string> missing = WhatIsMissing(*core.kv, replica, line);
    if (!missing) {
      const Error error = LogUnusable(*core.kv, replica, missing.error());
      if (Result<void> noted = NoteUnusable(core, replica, error); !noted) return noted;
    } else if (!missing->empty()) {
      return Fail(ErrorCode::kDamaged, LostState(core.kv->name(), replica, *missing));
    }
  }
  return {};
}

}  // namespace drumbeat::storage
