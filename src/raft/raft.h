// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "drumbeat/types.h"

#include "raft/entry.h"
#include "raft/log_reader.h"
#include "raft/membership.h"
#include "raft/message.h"

namespace drumbeat::raft {

enum class Role : std::uint8_t {
  kFollower,
  kPreCandidate,
  kCandidate,
  kLeader,
  kNonVoting,
  kWitness
};

/// How one replica's protocol behaves; see ReplicaConfig in drumbeat/config.h for the meaning.
struct Options {
  ShardId shard;
  ReplicaId replica;
  std::uint64_t election_ticks = 10;
  std::uint64_t heartbeat_ticks = 1;
  bool check_quorum = true;
  bool pre_vote = false;
  bool quiesce = false;
  /// kFollower for a voter, kNonVoting or kWitness.
  Role initial_role = Role::kFollower;
  /// Bytes of entries in one AppendEntries or ForwardedProposal (EntrySize); the first always goes.
  /// So much goes in one piece, before any heartbeat to that host; and what a slow line cannot move
  /// within 5 s breaks a connection to Dragonboat.
  std::uint64_t max_append_bytes = 256u << 10;
  /// What a follower in replicate state may have outstanding.
  std::uint64_t max_inflight_messages = 256;
  std::uint64_t max_inflight_bytes = 64u << 20;
  /// Bytes of committed entries handed out in one Output.
  std::uint64_t max_apply_bytes = 64u << 20;
  /// Bytes of unapplied entries before proposals are refused; 0: no limit.
  std::uint64_t max_in_memory_log_bytes = 0;
  /// Seeds the election timeouts. Same inputs, same seed: same outputs.
  std::uint64_t seed = 1;
  /// What the entry of a membership change says; nothing if it makes no sense. Pure. Without it, a
  /// voter that is removed may leave its witnesses ahead of those who stay.
  std::optional<ConfigChange> (*read_change)(const Entry& change) = nullptr;
};

/// What the replica starts from.
struct StoredState {
  HardState hard_state;
  /// As of the snapshot (empty for a joining replica without one).
  Membership membership;
  /// What the state machine has already applied (the snapshot's index).
  Index applied;
};

/// Proposals or reads that certainly had no effect: no leader, or a leader that hands over.
enum class DropReason : std::uint8_t {
  kNoLeader,          ///< nobody to pass it on to, or an election or a transfer is going on
  kChangeInProgress,  ///< a membership change while another one is not applied yet
  kWouldEndQuorum,    ///< a removal that would leave too few members that are alive
  kBusy,              ///< the log in memory is over its limit
};
struct DroppedProposal {
  Entry entry;
  DropReason reason;
};
struct DroppedRead {
  ReadContext context;
  DropReason reason;
};

/// A read that was confirmed: it may be answered once `index` is applied here.
struct ReadReady {
  Index index;
  ReadContext context;
};

/// The leader asks for the newest snapshot to be streamed to `to`. Answer with SnapshotStatus.
struct SendSnapshot {
  ReplicaId to;
  SnapshotRecord snapshot;
};

struct LeaderChange {
  ReplicaId leader;
  Term term;
};

/// What the host owes this Raft, in this order: send `messages_now`; make `hard_state`, `entries`
/// and `received_snapshot` durable in one atomic write; feed Saved() back; send
/// `messages_after_save`; apply `committed`; tell the rest.
struct Output {
  /// AppendEntries of a leader that needs other votes (thesis 10.2.1).
  std::vector<Envelope> messages_now;
  /// Set only when it changed.
  std::optional<HardState> hard_state;
  /// True when losing this output's hard state or entries could break a promise; false when at
  /// most the commit index moved, which may wait for the next write.
  bool must_sync = false;
  /// Contiguous; they replace everything from the first one on.
  std::vector<Entry> entries;
  /// The log starts anew behind it; the state machine recovers from it before it applies more.
  std::optional<SnapshotRecord> received_snapshot;
  /// They rest on what is above being durable.
  std::vector<Envelope> messages_after_save;
  /// Contiguous, each at most once per run. All of them are durable here once this output is.
  std::vector<Entry> committed;
  std::vector<ReadReady> reads;
  std::vector<DroppedProposal> dropped_proposals;
  std::vector<DroppedRead> dropped_reads;
  std::vector<SendSnapshot> snapshots_to_send;
  std::optional<LeaderChange> leader_change;

  bool empty() const;
};

enum class Progress : std::uint8_t { kProbe, kReplicate, kSnapshot };

/// A leader's view of one member.
struct MemberStatus {
  ReplicaId replica;
  Index match;
  Index next;
  Progress progress = Progress::kProbe;
  /// Heard from since the last quorum check.
  bool active = false;
};

/// A removal of a voting member that is committed, and that the leader holds back until a majority
/// of those who stay knows of it.
struct HeldRemoval {
  Index change;
  ReplicaId leaver;
  /// Who stays and has not shown that it knows.
  std::vector<ReplicaId> awaited = {};
};

/// Everything about the protocol's state that is worth looking at.
struct Status {
  Role role = Role::kFollower;
  Term term;
  ReplicaId vote;
  ReplicaId leader;
  Index committed;
  Index applied;
  Index first_index;
  Index last_index;
  /// Durable up to here.
  Index saved;
  ReplicaId transfer_target;
  bool quiesced = false;
  bool rate_limited = false;
  /// Only on a leader.
  std::vector<MemberStatus> members;
  std::optional<HeldRemoval> held_removal;
};

/// The Raft protocol of one replica: inputs in, an Output out.
///
/// Pure and deterministic: no thread, lock, clock, file, socket, log line or dice of its own. Time
/// is Tick(), randomness comes from Options::seed, the durable log is read through LogReader.
/// Thread-safety: none; it belongs to one thread at a time.
/// Failure: a broken invariant or an error of the LogReader throws base::InvariantBroken (inside a
/// base::ReplicaScope); the object must then be discarded.
///
/// Nothing that a peer sends breaks an invariant: messages that are impossible or come from
/// strangers are ignored, and `complaint()` says what would need a person.
/// Source: Ongaro 2014 (thesis), chapters 3, 4, 6, 9, 10; Dragonboat v4's variations on it.
class Raft {
 public:
  /// `log` must outlive this object and already hold what is stored.
  Raft(const Options& options, const StoredState& stored, const LogReader& log);
  ~Raft();
  Raft(Raft&&) noexcept;

  // -- Inputs. Each may be called any number of times before TakeOutput(). ------------------------

  /// One period of the logical clock.
  void Tick();
  /// A message from another replica, or an InstallSnapshot made from a chunk stream. Messages from
  /// the network must carry a term where their kind has one.
  void Step(Envelope envelope);
  /// Proposals of this host's clients: commands, session operations and membership changes. Each
  /// is appended, passed on to the leader or dropped (Output::dropped_proposals).
  void Propose(std::vector<Entry> entries);
  /// Asks for a confirmed read index. `context` must be new and its `low` not 0.
  void ReadIndex(ReadContext context);
  /// Hands leadership over. Target 0: the voter that has most of the log (on a leader only).
  void TransferLeadership(ReplicaId target);
  /// The last Output that was taken is durable: entries up to `last_index`, whose term is
  /// `last_term` ((0, 0) when it held none), and its hard state and snapshot.
  void Saved(Term last_term, Index last_index);
  /// The state machine has applied everything up to `index`. Entries in memory up to it are freed.
  void Applied(Index index);
  /// The change at `index` was applied (accepted: `members` is the new membership) or refused.
  /// Comes before the Applied() that covers it.
  void ConfigChangeApplied(Index index, bool accepted, const Membership& members);
  /// The state machine has recovered from a received snapshot with these members.
  void SnapshotRestored(const SnapshotRecord& snapshot);
  /// A snapshot of this replica at `snapshot.index` is durable and the log before
  /// `LogReader::first()` may have been cut.
  void SnapshotTaken(const SnapshotRecord& snapshot);
  /// What became of a snapshot stream to `to`.
  void SnapshotStatus(ReplicaId to, bool failed);
  /// Messages to `to` could not be delivered.
  void Unreachable(ReplicaId to);

  // -- Output --------------------------------------------------------------------------------

  bool HasOutput() const;
  /// Everything owed since the last call. The host finishes with one Output (Saved included)
  /// before it takes the next.
  Output TakeOutput();

  // -- Views ---------------------------------------------------------------------------------

  /// Cheap views for the hot path.
  Role role() const;
  Term term() const;
  ReplicaId leader() const;
  Index committed() const;
  bool quiesced() const;
  Status status() const;
  /// Bytes of entries held in memory.
  std::uint64_t in_memory_bytes() const;
  /// Set when a message of the current leader shows that this replica lost its log (the commit
  /// lies beyond what it ever acknowledged here); the host stops the replica with this text.
  const std::optional<std::string>& complaint() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace drumbeat::raft
