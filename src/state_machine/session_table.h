// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <unordered_map>

#include "drumbeat/error.h"
#include "drumbeat/types.h"

#include "codec/snapshot_image.h"

namespace drumbeat::state_machine {

/// The client sessions of a shard: which series of which client were applied, and with what
/// result. At most `capacity` of them; the least recently used makes room.
///
/// Replicated state: what is in here, and in which order of use, decides whether a command is
/// applied. Every function must do the same on every member, Dragonboat's too (wire.md 10), so
/// nothing but the arguments and the table itself may have a say.
///
/// Thread-safety: none.
/// Source: Ongaro 2014, section 6.3.
class SessionTable {
 public:
  /// Dragonboat's LRUMaxSessionCount; a table that was loaded keeps its own.
  static constexpr std::uint64_t kDefaultCapacity = 4096;

  struct Session {
    std::uint64_t client_id = 0;
    /// The client has seen the results up to this series.
    std::uint64_t responded_to = 0;
    /// Results that the client may still ask for, by series; all above responded_to.
    std::map<std::uint64_t, ApplyResult> history;
  };

  enum class Verdict : std::uint8_t {
    kUnknownSession,  ///< not registered, or evicted
    kAcknowledged,    ///< the client has already seen this series' result
    kStored,          ///< applied before; its result is still here
    kNew,             ///< to be applied, and its result to be stored
  };
  struct Found {
    Verdict verdict = Verdict::kUnknownSession;
    /// With kNew: where to store the result. Valid until the table changes.
    Session* session = nullptr;
    /// With kStored. Valid until the table changes.
    const ApplyResult* result = nullptr;
  };

  explicit SessionTable(std::uint64_t capacity = kDefaultCapacity) : capacity_(capacity) {}
  SessionTable(SessionTable&&) = default;
  SessionTable& operator=(SessionTable&&) = default;

  /// Takes a table over from a snapshot. Refuses (kDamaged) what no table can be: capacity 0, more
  /// sessions than that, a client twice.
  static Result<SessionTable> Load(codec::StoredSessions stored);
  codec::StoredSessions Save() const;
  /// Writes what Save() gives, without a copy of it all; see codec::SessionWriter.
  Result<void> Write(SnapshotWriter& writer, std::uint64_t max_bytes) const;

  /// False: it was registered already (and counts as used).
  bool Register(std::uint64_t client_id);
  /// False: there was none.
  bool Unregister(std::uint64_t client_id);
  /// What is to be done with a client's series. Counts as use of the session, and forgets the
  /// results up to `responded_to`.
  Found Find(std::uint64_t client_id, std::uint64_t series, std::uint64_t responded_to);
  /// Stores the result of a series for which Find said kNew.
  static void Store(Session& session, std::uint64_t series, const ApplyResult& result) {
    session.history.emplace(series, result);
  }

  std::size_t size() const { return by_client_.size(); }

 private:
  using Sessions = std::list<Session>;

  /// The session, now the most recently used one, or null.
  Session* Touch(std::uint64_t client_id);

  std::uint64_t capacity_;
  /// Least recently used first.
  Sessions sessions_;
  std::unordered_map<std::uint64_t, Sessions::iterator> by_client_;
};

}  // namespace drumbeat::state_machine
