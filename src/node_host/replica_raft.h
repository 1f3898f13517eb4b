// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "drumbeat/log.h"

#include "node_host/applier.h"
#include "node_host/inbox.h"
#include "node_host/replica_log.h"
#include "node_host/replica_state.h"
#include "raft/raft.h"
#include "storage/log_store.h"

namespace drumbeat::node_host {

/// What a replica starts from, as read from the stores.
struct ReplicaStart {
  storage::StoredLog log = {};
  /// The newest snapshot; index 0 when there is none.
  raft::SnapshotRecord snapshot = {};
  std::uint64_t seed = 1;
};

/// The side of a replica that runs its Raft. An engine worker calls, in this order and only on its
/// own thread: TakeInputs(), TakeOutput(), then for an output ApplyDurable(), SendNow(),
/// AddUpdate(), the write that covers it, Finish().
///
/// A broken invariant or an unreadable log ends this replica alone: every step returns normally
/// and the next TakeInputs() says that it is over.
class ReplicaRaft {
 public:
  ReplicaRaft(ReplicaState& state, std::shared_ptr<Applier> applier, const ReplicaStart& start);
  ~ReplicaRaft();

  /// Steps the Raft through everything in the inbox. False: this side's life is over.
  bool TakeInputs();
  /// Once that is over: adds what was put off, if anything.
  void AddLastUpdate(std::vector<storage::ReplicaUpdate>& updates);
  /// Whether the Raft owes something; it then stands in line for the three calls below.
  bool TakeOutput();
  /// Hands over what is committed and already durable here, when clients wait for it and no member
  /// is changed: else that comes with Finish().
  void ApplyDurable();
  /// Sends what may go before the write.
  void SendNow();
  /// Adds what must be written, if anything.
  void AddUpdate(std::vector<storage::ReplicaUpdate>& updates);
  /// The write succeeded: tells Raft, sends, hands over what was committed.
  void Finish();

 private:
  void Start();
  /// Lets the other members that are known hear that this replica is back, each once.
  void Greet();
  void GreetAgain();
  void Handle(const ReplicaEvent& event);
  // The log could not be cut: the store failed for all, or what it holds of this replica is
  // damaged.
  void CutFailed(const Error& error);
  void TakeLastCut();
  void Tick(std::uint64_t ticks);
  void SendAll(std::vector<raft::Envelope>& messages);
  void TellClients();
  void HandOver();
  void SendSnapshot(const raft::SendSnapshot& wanted);
  void NoteLeader(const raft::LeaderChange& change);
  /// Lets an operator know why a removal does not end.
  void NoteRemoval(const std::optional<raft::HeldRemoval>& removal);
  void LogRemoval(LogLevel level, const std::string& what, const std::string& why);
  void Publish();
  void InstallsDecided();

  /// A stalled worker must not count late ticks as many election timeouts at once.
  static constexpr std::uint64_t kMaxTicksAtOnce = 2;

  struct DelayedStatus {
    std::uint64_t due_tick = 0;
    bool failed = false;
  };

  ReplicaState& state_;
  const std::shared_ptr<Applier> applier_;
  const ReplicaStart start_;
  ReplicaLog log_;
  std::unique_ptr<raft::Raft> raft_;
  Inbox::Contents inputs_;
  raft::Output output_;
  /// The newest hard state that is not written yet: only its commit index moved.
  std::optional<raft::HardState> unwritten_;
  bool write_unwritten_ = false;
  bool removed_itself_ = false;
  /// Received snapshots that the Raft was told of and has not answered yet.
  int installs_ = 0;
  Index told_applied_;
  std::set<ReplicaId> greeted_;
  /// Once this is applied, all members are known that were when the replica ended; 0: no more.
  Index greets_again_at_;
  std::uint64_t leaderless_ticks_ = 0;
  std::uint64_t own_ticks_ = 0;
  std::map<ReplicaId, DelayedStatus> snapshot_statuses_;
  /// Receivers of snapshots that are on their way. One who lost the leadership and regained it may
  /// want to send another one; the receiver would take it for the first one begun anew, refuse the
  /// rest of the first, and the failure of that would start a third, and so on.
  std::set<ReplicaId> streaming_to_;
  ReplicaId logged_leader_;
  /// The removal that is held back (index 0: none), since when, and whether that was logged.
  raft::HeldRemoval held_removal_;
  std::uint64_t held_since_ = 0;
  bool removal_logged_ = false;
  /// Who loses the leadership and regains it may hold the same one back again.
  Index last_logged_removal_;
};

}  // namespace drumbeat::node_host
