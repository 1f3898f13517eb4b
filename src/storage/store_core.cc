// SPDX-License-Identifier: Apache-2.0
#include "storage/store_core.h"

#include "logging/logger.h"
#include "storage/advice.h"
#include "storage/keys.h"
#include "storage/replica_log.h"

namespace drumbeat::storage {
namespace {

/// What was acknowledged of a replica and is not there; empty if nothing is missing.
Result<std::string> WhatIsMissing(Kv& kv, const ReplicaRef& replica, const WitnessLine& line) {
  const auto get = [&](StateKind kind) { return kv.Get(Space::kState, StateKey(kind, replica)); };
  const auto removed = get(StateKind::kRemoved);
  if (!removed) return std::unexpected(removed.error());
  if (removed->has_value()) return {};
  if (line.removed) return "its removal";

  const auto bootstrap = get(StateKind::kBootstrap);
  if (!bootstrap) return std::unexpected(bootstrap.error());
  if (line.bootstrapped && !bootstrap->has_value()) return "how it was started";

  const Key key = StateKey(StateKind::kLog, replica);
  const auto value = kv.Get(Space::kState, key);
  if (!value) return std::unexpected(value.error());
  LogState state;
  if (value->has_value()) {
    Result<LogState> decoded = DecodeLogState(key, (*value)->view());
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

std::string LostState(const std::string& where, const ReplicaRef& replica, std::string_view what) {
  return "the log store in " + where + " lost acknowledged state: " + std::string(what) + " of " +
         logging::Name(replica) + " is not there" + std::string(kHostAdvice);
}

Result<void> CheckLogs(const StoreCore& core) {
  for (const auto& [replica, line] : core.witness->lines()) {
    const Result<std::string> missing = WhatIsMissing(*core.kv, replica, line);
    if (!missing) {
      return Fail(missing.error().code,
                  "the state of " + logging::Name(replica) + " in " + core.kv->name() +
                      " cannot be read: " + Advised(missing.error().text(), kHostAdvice));
    }
    if (!missing->empty()) {
      return Fail(ErrorCode::kDamaged, LostState(core.kv->name(), replica, *missing));
    }
  }
  return {};
}

}  // namespace drumbeat::storage
