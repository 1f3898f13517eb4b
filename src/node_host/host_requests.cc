// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <utility>

#include "codec/command.h"
#include "codec/records.h"
#include "node_host/host.h"
#include "state_machine/guarded_machine.h"
#include "transport/address.h"

// What clients ask of a host.
namespace drumbeat::node_host {
namespace {

/// Runs what is completed on the thread that completes it.
class Here : public internal::CallbackExecutor {
 public:
  void Run(std::move_only_function<void()> callback) override { callback(); }
};

std::string Name(ReplicaId replica) { return "replica " + std::to_string(replica.value()); }

/// Makes `change` one that may be proposed, or says what is wrong with it whoever the members are.
Result<void> Prepare(raft::ConfigChange& change, const ReplicaConfig& config) {
  if (config.role == ReplicaRole::kWitness) {
    return drumbeat::Fail(ErrorCode::kNotSupported, "a witness cannot ask for a change");
  }
  if (!change.replica) {
    return drumbeat::Fail(ErrorCode::kInvalidArgument, "replica ids are at least 1");
  }
  if (change.type == raft::ConfigChangeType::kRemove) return {};
  const auto syntax = config.allow_ipv6_members ? transport::AddressSyntax::kIpv6Too
                                                : transport::AddressSyntax::kDragonboat;
  if (!transport::ParseAddress(change.address, syntax)) {
    return drumbeat::Fail(ErrorCode::kInvalidAddress, "not a host:port address");
  }
  change.address = transport::NormalizeAddress(change.address);
  return {};
}

/// Whether `change` may be proposed to a shard of these members.
Result<void> Allowed(const raft::ConfigChange& change, const Membership& members,
                     const ReplicaConfig& config) {
  // The replicated rules would accept it and ban the id for ever.
  if (change.type == raft::ConfigChangeType::kRemove && !raft::IsMember(members, change.replica)) {
    return drumbeat::Fail(ErrorCode::kRejected, Name(change.replica) + " is not a member");
  }
  const auto order =
      config.ordered_config_change ? raft::ChangeOrder::kOrdered : raft::ChangeOrder::kAny;
  std::optional<std::string> refusal = raft::WhyRefused(members, change, order);
  if (!refusal) return {};
  return drumbeat::Fail(ErrorCode::kRejected, std::move(*refusal));
}

/// Whether leadership may be handed over to `target` in a shard of these members.
Result<void> MayLead(ReplicaId target, const Membership& members) {
  if (members.voters.contains(target)) return {};
  return drumbeat::Fail(ErrorCode::kInvalidArgument, Name(target) + " is not a voting member");
}

}  // namespace

template <class T>
void Host::ProposeFor(internal::Completion<T> completion, ShardId shard, raft::Entry entry,
                      std::uint64_t deadline_tick) {
  const Result<ReplicaPtr> replica = ServingClients(shard);
  if (!replica) return completion.Complete(std::unexpected(replica.error()));
  ReplicaState& state = (*replica)->state();
  PendingProposals::AnyCompletion any(std::move(completion));
  const Result<std::uint64_t> key =
      state.proposals.Add(entry.client_id, entry.series_id, deadline_tick, any);
  if (!key) {
    return std::get<internal::Completion<T>>(any).Complete(std::unexpected(key.error()));
  }
  entry.key = *key;
  if (!state.inbox.AddProposal(entry)) {
    return state.proposals.Drop(entry, {ErrorCode::kBusy, "too much waits to be proposed already"});
  }
  (*replica)->Notify();
}

template <class T>
Request<T> Host::ProposeEntry(ShardId shard, raft::Entry entry, std::chrono::milliseconds timeout) {
  internal::Completion<T> completion(services_->callbacks);
  Request<T> request = completion.request();
  ProposeFor(std::move(completion), shard, std::move(entry), DeadlineTick(timeout));
  return request;
}

Request<ApplyResult> Host::Propose(ShardId shard, const Session& session, std::string_view command,
                                   std::chrono::milliseconds timeout) {
  using Answer = Request<ApplyResult>;
  if (session.shard_id() != shard) {
    return Answer::Completed(
        drumbeat::Fail(ErrorCode::kInvalidSession, "the session belongs to another shard"));
  }
  if (session.series_id() > Session::kMaxSeries) {
    return Answer::Completed(
        drumbeat::Fail(ErrorCode::kInvalidSession, "the session has no numbers left"));
  }
  const Result<ReplicaPtr> replica = ServingClients(shard);
  if (!replica) return Answer::Completed(std::unexpected(replica.error()));
  const ReplicaConfig& config = (*replica)->state().config;
  if (command.size() > config.max_entry_bytes) {
    return Answer::Completed(drumbeat::Fail(ErrorCode::kPayloadTooLarge,
                                            "a command of " + std::to_string(command.size()) +
                                                " bytes is above max_entry_bytes, " +
                                                std::to_string(config.max_entry_bytes)));
  }
  raft::Entry entry;
  entry.client_id = session.is_noop() ? NewClientId() : session.client_id();
  entry.series_id = session.series_id();
  entry.responded_to = session.responded_to();
  codec::EncodeCommand(entry, command, config.entry_compression);
  return ProposeEntry<ApplyResult>(shard, std::move(entry), timeout);
}

Request<Session> Host::OpenSession(ShardId shard, std::chrono::milliseconds timeout) {
  raft::Entry entry;
  entry.client_id = NewClientId();
  entry.series_id = raft::kRegisterSeries;
  return ProposeEntry<Session>(shard, std::move(entry), timeout);
}

Request<void> Host::CloseSession(const Session& session, std::chrono::milliseconds timeout) {
  if (session.is_noop()) {
    return Request<void>::Completed(
        drumbeat::Fail(ErrorCode::kInvalidSession, "a NoOP session is never closed"));
  }
  raft::Entry entry;
  entry.client_id = session.client_id();
  entry.series_id = raft::kUnregisterSeries;
  entry.responded_to = session.responded_to();
  return ProposeEntry<void>(session.shard_id(), std::move(entry), timeout);
}

void Host::AddRead(ShardId shard, PendingRead read) {
  const Result<ReplicaPtr> replica = ServingClients(shard);
  if (!replica) return read.Fail(replica.error());
  ReplicaState& state = (*replica)->state();
  if (const Result<void> added = state.reads.Add(read); !added) return read.Fail(added.error());
  (*replica)->Notify();
}

template <class Wanted, class T>
Request<T> Host::StartRead(ShardId shard, Wanted wanted, std::chrono::milliseconds timeout) {
  wanted.completion = internal::Completion<T>(services_->callbacks);
  Request<T> request = wanted.completion.request();
  AddRead(shard, {.what = std::move(wanted), .deadline_tick = DeadlineTick(timeout)});
  return request;
}

Request<Index> Host::ReadIndex(ShardId shard, std::chrono::milliseconds timeout) {
  return StartRead<PendingRead::IndexOnly, Index>(shard, {}, timeout);
}

Request<std::any> Host::Read(ShardId shard, std::any query, std::chrono::milliseconds timeout) {
  return StartRead<PendingRead::Lookup, std::any>(
      shard, PendingRead::Lookup{.completion = {}, .query = std::move(query)}, timeout);
}

Request<Membership> Host::GetShardMembership(ShardId shard, std::chrono::milliseconds timeout) {
  return StartRead<PendingRead::Members, Membership>(shard, {}, timeout);
}

Result<std::any> Host::StaleRead(ShardId shard, const std::any& query) {
  if (state_machine::InUserCode()) {
    return drumbeat::Fail(ErrorCode::kInvalidArgument, "called from inside a StateMachine");
  }
  const Result<ReplicaPtr> replica = ServingClients(shard);
  if (!replica) return std::unexpected(replica.error());
  const Inside here(*this);
  return (*replica)->applier().Lookup(query);
}

// Not on the callback thread: whoever waits there for the request would wait for ever.
void Host::WithMembers(ShardId shard, std::uint64_t deadline_tick,
                       std::move_only_function<void(Result<Membership>)> then) {
  internal::Completion<Membership> completion(std::make_shared<Here>());
  completion.request().Then(
      [this, shard, then = std::move(then)](Result<Membership> members) mutable {
        if (!members) members = std::unexpected(NothingAsked(shard, members.error()));
        then(std::move(members));
      });
  AddRead(shard,
          {.what = PendingRead::Members{std::move(completion)}, .deadline_tick = deadline_tick});
}

Error Host::NothingAsked(ShardId shard, const Error& error) const {
  if (error.outcome() == Outcome::kDidNotHappen) return error;
  if (const Result<ReplicaPtr> replica = Serving(shard); !replica) return replica.error();
  return {ErrorCode::kNoLeader, "no leader told who the members are, so nothing was asked for"};
}

Request<Membership> Host::RequestChange(ShardId shard, raft::ConfigChange change,
                                        std::chrono::milliseconds timeout) {
  using Answer = Request<Membership>;
  const Result<ReplicaPtr> replica = ServingClients(shard);
  if (!replica) return Answer::Completed(std::unexpected(replica.error()));
  const ReplicaConfig& config = (*replica)->state().config;
  if (const Result<void> fit = Prepare(change, config); !fit) {
    return Answer::Completed(std::unexpected(fit.error()));
  }
  raft::Entry entry;
  entry.type = raft::EntryType::kConfigChange;
  entry.command = base::Bytes::Copy(codec::EncodeConfigChange(change));
  const Membership known = (*replica)->applier().runtime().membership();
  const Result<void> allowed = Allowed(change, known, config);
  if (allowed) return ProposeEntry<Membership>(shard, std::move(entry), timeout);
  // Who was removed never comes back. Of all else this replica may not have heard yet.
  if (known.removed.contains(change.replica)) {
    return Answer::Completed(std::unexpected(allowed.error()));
  }
  internal::Completion<Membership> completion(services_->callbacks);
  Answer request = completion.request();
  const std::uint64_t deadline_tick = DeadlineTick(timeout);
  WithMembers(
      shard, deadline_tick,
      [this, shard, deadline_tick, change = std::move(change), config, entry = std::move(entry),
       completion = std::move(completion)](const Result<Membership>& members) mutable {
        if (!members) return completion.Complete(members);
        if (const Result<void> may = Allowed(change, *members, config); !may) {
          return completion.Complete(std::unexpected(may.error()));
        }
        ProposeFor(std::move(completion), shard, std::move(entry), deadline_tick);
      });
  return request;
}

Request<Index> Host::RequestSnapshot(ShardId shard, const SnapshotOptions& options,
                                     std::chrono::milliseconds timeout) {
  using Answer = Request<Index>;
  const Result<ReplicaPtr> replica = ServingClients(shard);
  if (!replica) return Answer::Completed(std::unexpected(replica.error()));
  internal::Completion<Index> completion(services_->callbacks);
  Answer request = completion.request();
  const Result<std::uint64_t> begun =
      (*replica)->state().BeginSnapshot(completion, DeadlineTick(timeout));
  if (!begun) {
    completion.Complete(std::unexpected(begun.error()));
    return request;
  }
  (*replica)->applier().TakeSnapshot(options, *begun);
  return request;
}

Result<LeaderInfo> Host::GetLeader(ShardId shard) const {
  const Result<ReplicaPtr> replica = Serving(shard);
  if (!replica) return std::unexpected(replica.error());
  return (*replica)->state().leader();
}

void Host::StartTransfer(Replica& replica, ReplicaId target, std::uint64_t deadline_tick,
                         internal::Completion<LeaderInfo> completion) {
  ReplicaState& state = replica.state();
  const LeaderInfo now = state.leader();
  if (!now.leader) return completion.Complete(drumbeat::Fail(ErrorCode::kNoLeader));
  if (now.leader == target) return completion.Complete(now);
  if (const Result<void> begun = state.BeginTransfer(completion, deadline_tick); !begun) {
    return completion.Complete(std::unexpected(begun.error()));
  }
  state.inbox.AddEvent(TransferWanted{target});
  replica.Notify();
}

Request<LeaderInfo> Host::RequestLeaderTransfer(ShardId shard, ReplicaId target,
                                                std::chrono::milliseconds timeout) {
  using Answer = Request<LeaderInfo>;
  const Result<ReplicaPtr> replica = ServingClients(shard);
  if (!replica) return Answer::Completed(std::unexpected(replica.error()));
  const ReplicaId leader = (*replica)->state().leader().leader;
  if (leader && !target && leader != (*replica)->state().ref.replica) {
    return Answer::Completed(drumbeat::Fail(ErrorCode::kInvalidArgument,
                                            "only the leader can choose whom to hand over to"));
  }
  internal::Completion<LeaderInfo> completion(services_->callbacks);
  Answer request = completion.request();
  const std::uint64_t deadline_tick = DeadlineTick(timeout);
  const Membership known = (*replica)->applier().runtime().membership();
  const Result<void> may = MayLead(target, known);
  if (may || !leader || !target || leader == target) {
    StartTransfer(**replica, target, deadline_tick, std::move(completion));
    return request;
  }
  // These never become voters. Any other one may have become one without this replica knowing yet.
  if (known.removed.contains(target) || known.witnesses.contains(target)) {
    return Answer::Completed(std::unexpected(may.error()));
  }
  WithMembers(shard, deadline_tick,
              [this, shard, deadline_tick, target,
               completion = std::move(completion)](const Result<Membership>& members) mutable {
                if (!members) return completion.Complete(std::unexpected(members.error()));
                if (const Result<void> allowed = MayLead(target, *members); !allowed) {
                  return completion.Complete(std::unexpected(allowed.error()));
                }
                const Result<ReplicaPtr> serving = ServingClients(shard);
                if (!serving) return completion.Complete(std::unexpected(serving.error()));
                StartTransfer(**serving, target, deadline_tick, std::move(completion));
              });
  return request;
}

ReplicaInfo Host::InfoOf(const Replica& replica) const {
  const ReplicaState& state = replica.state();
  return {.replica = state.ref,
          .leader = state.leader(),
          .membership = replica.applier().runtime().membership(),
          .committed = state.committed(),
          .applied = replica.applier().applied(),
          .last_index = state.last_index(),
          .snapshot_index = state.snapshot_index(),
          .ready = state.life() == Life::kRunning};
}

Result<ReplicaInfo> Host::GetReplicaInfo(ShardId shard) const {
  const ReplicaPtr replica = Find(shard);
  if (replica == nullptr) return drumbeat::Fail(NotHere());
  return InfoOf(*replica);
}

std::vector<ReplicaInfo> Host::GetNodeHostInfo() const {
  std::vector<ReplicaInfo> all;
  for (const ReplicaPtr& replica : AllReplicas()) all.push_back(InfoOf(*replica));
  return all;
}

}  // namespace drumbeat::node_host
