// SPDX-License-Identifier: Apache-2.0
#include "state_machine/session_table.h"

#include <string>
#include <utility>

namespace drumbeat::state_machine {
namespace {

codec::StoredSession Stored(const SessionTable::Session& session) {
  codec::StoredSession stored;
  stored.client_id = session.client_id;
  stored.responded_to = session.responded_to;
  stored.history.reserve(session.history.size());
  for (const auto& [series, result] : session.history) stored.history.push_back({series, result});
  return stored;
}

}  // namespace

Result<SessionTable> SessionTable::Load(codec::StoredSessions stored) {
  if (stored.capacity == 0) return Fail(ErrorCode::kDamaged, "session table of capacity 0");
  if (stored.sessions.size() > stored.capacity) {
    return Fail(ErrorCode::kDamaged, "session table with more sessions than its capacity");
  }
  SessionTable table(stored.capacity);
  for (codec::StoredSession& session : stored.sessions) {
    if (!table.Register(session.client_id)) {
      return Fail(ErrorCode::kDamaged,
                  "session table holds client " + std::to_string(session.client_id) + " twice");
    }
    Session& loaded = table.sessions_.back();
    loaded.responded_to = session.responded_to;
    for (codec::StoredResult& result : session.history) {
      loaded.history.emplace(result.series_id, std::move(result.result));
    }
  }
  return table;
}

codec::StoredSessions SessionTable::Save() const {
  codec::StoredSessions stored{.capacity = capacity_, .sessions = {}};
  stored.sessions.reserve(sessions_.size());
  for (const Session& session : sessions_) stored.sessions.push_back(Stored(session));
  return stored;
}

Result<void> SessionTable::Write(SnapshotWriter& writer, std::uint64_t max_bytes) const {
  codec::SessionWriter sessions(writer, max_bytes);
  Result<void> written = sessions.Begin({.capacity = capacity_, .sessions = sessions_.size()});
  for (const Session& session : sessions_) {
    if (!written) break;
    written = sessions.Add(Stored(session));
  }
  return written;
}

bool SessionTable::Register(std::uint64_t client_id) {
  if (Touch(client_id) != nullptr) return false;
  sessions_.push_back({.client_id = client_id, .responded_to = 0, .history = {}});
  by_client_.emplace(client_id, std::prev(sessions_.end()));
  while (sessions_.size() > capacity_) {
    by_client_.erase(sessions_.front().client_id);
    sessions_.pop_front();
  }
  return true;
}

bool SessionTable::Unregister(std::uint64_t client_id) {
  const auto found = by_client_.find(client_id);
  if (found == by_client_.end()) return false;
  sessions_.erase(found->second);
  by_client_.erase(found);
  return true;
}

SessionTable::Found SessionTable::Find(std::uint64_t client_id, std::uint64_t series,
                                       std::uint64_t responded_to) {
  Session* const session = Touch(client_id);
  if (session == nullptr) return {};
  auto& history = session->history;
  if (responded_to > session->responded_to) {
    session->responded_to = responded_to;
    history.erase(history.begin(), history.upper_bound(responded_to));
  }
  if (series <= session->responded_to) return {.verdict = Verdict::kAcknowledged};
  if (const auto stored = history.find(series); stored != history.end()) {
    return {.verdict = Verdict::kStored, .result = &stored->second};
  }
  return {.verdict = Verdict::kNew, .session = session};
}

SessionTable::Session* SessionTable::Touch(std::uint64_t client_id) {
  const auto found = by_client_.find(client_id);
  if (found == by_client_.end()) return nullptr;
  sessions_.splice(sessions_.end(), sessions_, found->second);
  return &*found->second;
}

}  // namespace drumbeat::state_machine
