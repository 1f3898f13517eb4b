// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "drumbeat/config.h"
#include "drumbeat/node_host.h"

#include "codec/chunk.h"
#include "node_host/replica_log.h"
#include "node_host/snapshot_receiver.h"
#include "raft/raft.h"
#include "state_machine/runtime.h"
#include "storage/stores.h"

namespace drumbeat::fuzz {

/// One replica as a host runs it, but in one thread, with the bytes of the wire on one side and a
/// disk in memory on the other. Looks after every step at what must hold whatever peers say.
class ReplicaHost {
 public:
  static constexpr ShardId kShard{1};
  static constexpr ReplicaId kSelf{1};

  ReplicaHost(const ReplicaConfig& config, const StartOptions& options);

  /// What did not hold; empty while all does.
  const std::string& wrong() const { return wrong_; }
  /// The replica's life is over for a good reason: it was removed, or complained of lost data.
  bool over() const { return raft_ == nullptr; }

  // -- Inputs ------------------------------------------------------------------------------------

  void Tick();
  /// A batch of messages as it comes off the wire.
  void Receive(std::string_view payload);
  void Receive(const codec::Chunk& chunk);
  void Propose(raft::Entry entry);
  void Read();
  void TransferLeadership(ReplicaId target);
  void SnapshotStatus(ReplicaId to, bool failed);
  void Unreachable(ReplicaId to);

  // -- The host's own steps ----------------------------------------------------------------------

  /// Hands over what the Raft owes, if anything.
  void Round();
  /// Does up to `limit` things of the state machine's side.
  void Apply(std::size_t limit);
  void TakeSnapshot(std::uint64_t keep);
  /// A power cut that leaves the first `kept` unsynced batches; then it starts again.
  void CrashAndStart(std::size_t kept);

  // -- What a peer could know --------------------------------------------------------------------

  raft::Status status() const { return raft_->status(); }
  Index snapshot_index() const { return log_->snapshot().index; }
  Membership members() const { return runtime_->membership(); }
  /// The read contexts that were sent, the newest last.
  const std::deque<raft::ReadContext>& contexts() const { return contexts_; }

 private:
  using Work = std::variant<std::vector<raft::Entry>, raft::SnapshotRecord>;

  void Start();
  void Fail(std::string what);
  /// Runs `step`; an invariant that it breaks is a finding.
  template <class Step>
  void Guarded(Step step);
  void Deliver(raft::Envelope message);
  void Look();
  void CheckMessages(const std::vector<raft::Envelope>& messages);
  void Save(const raft::Output& output);
  void HandOver(raft::Output& output);
  void ApplyEntries(const std::vector<raft::Entry>& entries);
  bool Restore(const raft::SnapshotRecord& snapshot);

  const ReplicaConfig config_;
  const StartOptions options_;
  std::string wrong_;
  std::chrono::steady_clock::time_point now_;
  std::shared_ptr<storage::MemoryDisk> disk_;
  std::unique_ptr<storage::Stores> stores_;
  std::unique_ptr<node_host::SnapshotReceiver> receiver_;
  std::unique_ptr<node_host::ReplicaLog> log_;
  std::unique_ptr<state_machine::Runtime> runtime_;
  std::unique_ptr<raft::Raft> raft_;
  std::deque<Work> work_;
  /// A snapshot is on its way into the Raft or the state machine.
  bool installing_ = false;
  std::optional<raft::HardState> unwritten_;
  std::deque<raft::ReadContext> contexts_;
  std::uint64_t next_context_ = 1;

  // -- What it has promised ----------------------------------------------------------------------

  raft::HardState stored_;
  /// The votes that it has spoken of, by term.
  std::map<Term, ReplicaId> votes_;
  Term spoken_term_;
  Index seen_committed_;
  Index next_committed_;
  std::map<Index, raft::Entry> committed_;
};

}  // namespace drumbeat::fuzz
