// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <any>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "drumbeat/config.h"
#include "drumbeat/error.h"
#include "drumbeat/event_listener.h"
#include "drumbeat/request.h"
#include "drumbeat/session.h"
#include "drumbeat/snapshot.h"
#include "drumbeat/state_machine.h"
#include "drumbeat/types.h"

namespace drumbeat {

/// How a replica comes into being. Its first start is recorded; later starts are checked against
/// that record.
struct StartOptions {
  /// First start of a founding member: all founding voters, the same on every host. Empty for a
  /// joining replica, and optional for the restart of a founding member.
  MemberMap initial_members = {};
  /// Start of a replica that a membership change added; at each start of it.
  bool join = false;
};

/// What a node host knows of one of its replicas.
struct ReplicaInfo {
  ReplicaRef replica;
  LeaderInfo leader;
  Membership membership;
  Index committed;
  Index applied;
  Index last_index;
  Index snapshot_index;
  /// Whether it serves: false while it loads its state, and once it failed, was removed or stops.
  bool ready = false;
};

/// One process's membership in many Raft groups: owns the log store, the snapshot store, the
/// transport and the threads, and routes each request to the shard that it names.
///
/// Thread-safety: any method from any thread, but StartReplica, RemoveData, StaleRead and
/// Request::Get() not from inside a StateMachine, which would wait for itself: these three say
/// kInvalidArgument there.
/// Lifetime: the destructor closes the host. On one of the host's own threads (a callback of a
/// Request, an EventListener, a StateMachine) it cannot wait: it returns at once, a thread of its
/// own does the rest, and config.listener is released when that is done. Only then may the program
/// end.
///
/// Requests never block: they return a Request (see request.h). Their `timeout` is a budget for
/// the whole request, rounded up to whole ticks; expiry is looked at once a tick.
/// Errors common to all requests, all meaning that nothing happened: kClosed, kHostFailed,
/// kShardNotFound, kReplicaRemoved, kReplicaFailed, kNotReady, kBusy, kNotSupported (a witness).
/// kTerminated means that the replica or the host stopped while the request was under way: for a
/// proposal or a membership change the outcome is unknown.
/// What a leader refuses (kBusy, kNoLeader, kInProgress, kRejected) only its own host hears of.
/// Asked elsewhere, such a request ends in kTimeout; GetLeader tells whom to ask.
class NodeHost {
 public:
  /// How long Close() gives other members to take leaderships over, unless told otherwise.
  static constexpr std::chrono::milliseconds kHandover{500};

  /// Opens the data folder (made where it is absent), the stores and the listening socket.
  /// Blocks on the disk.
  /// Errors: kInvalidArgument, kInvalidAddress; kLocked, kNotOwner, kNewerFormat, kDamaged,
  /// kStorage for the folder, and where the system gives no more descriptors or threads;
  /// kAddressInUse. After an error nothing runs, and a folder that did not exist before does not
  /// exist afterwards.
  static Result<std::unique_ptr<NodeHost>> Open(NodeHostConfig config);

  ~NodeHost();
  NodeHost(const NodeHost&) = delete;
  NodeHost& operator=(const NodeHost&) = delete;

  /// Stops everything: hands leaderships over to caught-up voters (for `handover` at most, so that
  /// the other members need no election), ends all requests with kTerminated, closes the state
  /// machines, waits for all callbacks. Idempotent. Blocks, but not on one of the host's own
  /// threads (a callback of a Request, an EventListener, a StateMachine) nor inside a
  /// StateMachineFactory: there it only begins, on a thread of its own, and another Close() or the
  /// destructor waits for its end.
  void Close(std::chrono::milliseconds handover = kHandover);

  /// The effective configuration: what was left open is filled in, the data folder's path absolute.
  const NodeHostConfig& config() const;
  /// The address and port in use by the listening socket, such as "127.0.0.1:63001".
  std::string listen_address() const;
  /// The permanent UUID of this data folder.
  const std::string& id() const;

  /// Starts a replica of a shard here; it takes part once it has loaded its state (see
  /// EventListener::ReplicaReady). One that turns out not to have the role that its shard gave it
  /// (a witness or not) fails with kBootstrapMismatch (ReplicaFailed). Blocks on the disk.
  /// Errors: kClosed, kHostFailed; kInvalidArgument (also a factory that throws or makes nothing),
  /// kInvalidAddress; kShardAlreadyExists (StopShard ends what is here, also what failed or was
  /// removed); kBootstrapMismatch: join or members contradict the first start, or this folder holds
  /// another replica of the shard; kReplicaRemoved; kNewerFormat; kDamaged: what is stored of it
  /// cannot be trusted. Nothing of it is changed, and it will not start again: behind RemoveData,
  /// another replica of the shard, with a new id, can. The host's other replicas go on.
  /// kWriteFailed ends the host.
  Result<void> StartReplica(const StartOptions& options, StateMachineFactory factory,
                            const ReplicaConfig& config);
  /// Stops the replica of `shard`; completes once it is gone and may be started again. Not a
  /// membership change: to the others it just falls silent.
  Request<void> StopShard(ShardId shard);
  /// Deletes all that is stored of a stopped replica, damaged or not, for ever: its id cannot be
  /// started here again, another one of the shard can. Remove it from its shard first: as a member
  /// it may have voted, and nobody would know any more. Blocks on the disk.
  /// Errors: kClosed, kHostFailed, kInvalidArgument; kShardAlreadyExists: a replica of the shard is
  /// here (StopShard first, also one that failed or was removed), or is still stopping; kNotFound:
  /// nothing is stored of it. kWriteFailed ends the host.
  Result<void> RemoveData(ShardId shard, ReplicaId replica);

  /// Replicates `command`; the request completes once this process's replica has applied it.
  ///
  /// `session`: Session::NoOp(shard) or a registered one; see session.h for what a retry costs.
  /// `command`: 0 to config.max_entry_bytes bytes, copied before the call returns.
  /// Result: what StateMachine::Update returned on this replica.
  /// Errors: kNoLeader, kInvalidSession, kPayloadTooLarge, kSessionExpired: not applied.
  /// kTimeout, kTerminated: unknown, the command may yet be applied.
  /// Source: Ongaro 2014, sections 6.2 and 6.3.
  Request<ApplyResult> Propose(ShardId shard, const Session& session, std::string_view command,
                               std::chrono::milliseconds timeout);

  /// Registers a client session with the shard. A kTimeout may leave an unused one behind.
  Request<Session> OpenSession(ShardId shard, std::chrono::milliseconds timeout);
  /// Unregisters it. kSessionExpired: the shard did not know it (any more).
  Request<void> CloseSession(const Session& session, std::chrono::milliseconds timeout);

  /// Completes once this replica has applied everything that was committed before the call, as
  /// confirmed by a quorum. A StaleRead after it is linearizable.
  /// Errors: kNoLeader, kTimeout.
  /// Source: Ongaro 2014, section 6.4.
  Request<Index> ReadIndex(ShardId shard, std::chrono::milliseconds timeout);
  /// A linearizable read: ReadIndex, then StateMachine::Lookup(query), whose error is passed on
  /// (kReplicaFailed as kAborted). The lookups of a replica run one after the other, between its
  /// Updates: for slow or many ones use ReadIndex, and then StaleRead on threads of your own.
  Request<std::any> Read(ShardId shard, std::any query, std::chrono::milliseconds timeout);
  /// Looks `query` up in this replica's present state, however old that is, on this thread. Blocks
  /// during a running Update or RecoverFromSnapshot.
  Result<std::any> StaleRead(ShardId shard, const std::any& query);

  /// The members, as of a moment after the call (linearizable).
  Request<Membership> GetShardMembership(ShardId shard, std::chrono::milliseconds timeout);

  /// Adds a voter, or promotes a non-voting member of the same id and address. Start the new
  /// replica with StartOptions::join after this completed.
  /// `address`: its host:port, in the form that it will use itself; stored in lower case.
  /// `config_change_id`: with ReplicaConfig::ordered_config_change, the current
  /// Membership::config_change_id; otherwise ignored.
  /// Result: the membership after the change.
  /// Errors: kInvalidAddress, kInvalidArgument (replica 0), kInProgress, kNoLeader, kRejected with
  /// the rule in its text: nothing changed. kTimeout, kTerminated: unknown. What the members that
  /// this replica knows forbid is refused once the leader has told the present ones, within
  /// `timeout`; a member that was removed is refused at once.
  /// Source: Ongaro 2014, section 4.1 (one member at a time).
  Request<Membership> RequestAddReplica(ShardId shard, ReplicaId replica, std::string address,
                                        std::chrono::milliseconds timeout,
                                        std::uint64_t config_change_id = 0);
  /// Adds a member that receives the log and serves reads but does not vote. As RequestAddReplica.
  Request<Membership> RequestAddNonVoting(ShardId shard, ReplicaId replica, std::string address,
                                          std::chrono::milliseconds timeout,
                                          std::uint64_t config_change_id = 0);
  /// Adds a member that votes but keeps no state. As RequestAddReplica.
  Request<Membership> RequestAddWitness(ShardId shard, ReplicaId replica, std::string address,
                                        std::chrono::milliseconds timeout,
                                        std::uint64_t config_change_id = 0);
  /// Removes a member of any kind for ever. Refused (kRejected) before it reaches the log: an id
  /// that is not a member, and, on the leader, a member without which the shard would be left
  /// with too few that answer. Remove those first that are gone, and ask the leader: asked
  /// elsewhere, such a request ends in kTimeout. As RequestAddReplica.
  Request<Membership> RequestDeleteReplica(ShardId shard, ReplicaId replica,
                                           std::chrono::milliseconds timeout,
                                           std::uint64_t config_change_id = 0);

  /// Takes a snapshot of this replica now and cuts its log. Result: the snapshot's index.
  /// Errors: kInProgress, kNothingToDo, kAborted (by the machine), kPayloadTooLarge, kStorage (too
  /// little of the disk is free, for example). kTimeout: it goes on. kWriteFailed ends the host.
  Request<Index> RequestSnapshot(ShardId shard, const SnapshotOptions& options,
                                 std::chrono::milliseconds timeout);

  /// Whom this replica believes to lead, from memory.
  Result<LeaderInfo> GetLeader(ShardId shard) const;
  /// Asks the leader to hand over to `target`, or with 0 (on the leader only) to the voter that
  /// has most of the log. Completes once this replica follows another leader than before, in a
  /// newer term; kTimeout when that did not come about. kInvalidArgument: `target` is no voter;
  /// the leader is asked for the members, within `timeout`, when this replica knows of no such one.
  /// Source: Ongaro 2014, section 3.10.
  Request<LeaderInfo> RequestLeaderTransfer(ShardId shard, ReplicaId target,
                                            std::chrono::milliseconds timeout);

  /// From memory, without a round trip.
  Result<ReplicaInfo> GetReplicaInfo(ShardId shard) const;
  /// All replicas that are here: those that failed or were removed, too, until StopShard.
  std::vector<ReplicaInfo> GetNodeHostInfo() const;

 private:
  class Impl;
  explicit NodeHost(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace drumbeat
