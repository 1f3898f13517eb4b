// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "codec/command.h"
#include "codec/records.h"
#include "node_host/host.h"
#include "transport/address.h"

// What clients ask of a host.
namespace drumbeat::node_host {

template <class T>
Request<T> Host::ProposeEntry(ShardId shard, raft::Entry entry, std::chrono::milliseconds timeout) {
  Result<ReplicaPtr> replica = Serving(shard);
  if (!replica) return Request<T>::Completed(std::unexpected(replica.error()));
  ReplicaState& state = (*replica)->state();
  internal::Completion<T> completion(services_->callbacks);
  Request<T> request = completion.request();
  PendingProposals::AnyCompletion any(std::move(completion));
  const Result<std::uint64_t> key =
      state.proposals.Add(entry.client_id, entry.series_id, DeadlineTick(timeout), any);
  if (!key) {
    std::get<internal::Completion<T>>(any).Complete(std::unexpected(key.error()));
    return request;
  }
  entry.key = *key;
  if (!state.inbox.AddProposal(entry)) {
    state.proposals.Drop(entry, {ErrorCode::kBusy, "too much waits to be proposed already"});
    return request;
  }
  (*replica)->Notify();
  return request;
}

Request<ApplyResult> Host::Propose(ShardId shard, const Session& session, std::string_view command,
                                   std::chrono::milliseconds timeout) {
  using Answer = Request<ApplyResult>;
  if (session.shard_id() != shard) {
    return Answer::Completed(
        drumbeat::Fail(ErrorCode::kInvalidSession, "the session belongs to another shard"));
  }
  const Result<ReplicaPtr> replica = Serving(shard);
  if (!replica) return Answer::Completed(std::unexpected(replica.error()));
  const ReplicaConfig& config = (*replica)->state().config;
  if (config.role == ReplicaRole::kWitness) {
    return Answer::Completed(
        drumbeat::Fail(ErrorCode::kNotSupported, "a witness proposes nothing"));
  }
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

template <class Wanted, class T>
Request<T> Host::StartRead(ShardId shard, Wanted wanted, std::chrono::milliseconds timeout) {
  const Result<ReplicaPtr> replica = Serving(shard);
  if (!replica) return Request<T>::Completed(std::unexpected(replica.error()));
  ReplicaState& state = (*replica)->state();
  if (state.config.role == ReplicaRole::kWitness) {
    return Request<T>::Completed(
        drumbeat::Fail(ErrorCode::kNotSupported, "a witness cannot be read"));
  }
  wanted.completion = internal::Completion<T>(services_->callbacks);
  Request<T> request = wanted.completion.request();
  PendingRead read{.what = std::move(wanted), .deadline_tick = DeadlineTick(timeout)};
  if (const Result<void> added = state.reads.Add(read); !added) {
    read.Fail(added.error());
    return request;
  }
  (*replica)->Notify();
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
  const Result<ReplicaPtr> replica = Serving(shard);
  if (!replica) return std::unexpected(replica.error());
  const Inside here(*this);
  return (*replica)->applier().Lookup(query);
}

Request<Membership> Host::RequestChange(ShardId shard, raft::ConfigChange change,
                                        std::chrono::milliseconds timeout) {
  using Answer = Request<Membership>;
  const Result<ReplicaPtr> replica = Serving(shard);
  if (!replica) return Answer::Completed(std::unexpected(replica.error()));
  const ReplicaConfig& config = (*replica)->state().config;
  if (config.role == ReplicaRole::kWitness) {
    return Answer::Completed(
        drumbeat::Fail(ErrorCode::kNotSupported, "a witness cannot ask for a change"));
  }
  if (!change.replica) {
    return Answer::Completed(
        drumbeat::Fail(ErrorCode::kInvalidArgument, "replica ids are at least 1"));
  }
  const Membership members = (*replica)->applier().runtime().membership();
  if (change.type == raft::ConfigChangeType::kRemove) {
    // The replicated rules would accept it and ban the id for ever.
    if (!raft::IsMember(members, change.replica)) {
      return Answer::Completed(
          drumbeat::Fail(ErrorCode::kRejected,
                         "replica " + std::to_string(change.replica.value()) + " is not a member"));
    }
  } else {
    const auto syntax = config.allow_ipv6_members ? transport::AddressSyntax::kIpv6Too
                                                  : transport::AddressSyntax::kDragonboat;
    if (!transport::ParseAddress(change.address, syntax)) {
      return Answer::Completed(
          drumbeat::Fail(ErrorCode::kInvalidAddress, "not a host:port address"));
    }
    change.address = transport::NormalizeAddress(change.address);
  }
  const auto order =
      config.ordered_config_change ? raft::ChangeOrder::kOrdered : raft::ChangeOrder::kAny;
  if (std::optional<std::string> refusal = raft::WhyRefused(members, change, order)) {
    return Answer::Completed(drumbeat::Fail(ErrorCode::kRejected, std::move(*refusal)));
  }
  raft::Entry entry;
  entry.type = raft::EntryType::kConfigChange;
  entry.command = base::Bytes::Copy(codec::EncodeConfigChange(change));
  return ProposeEntry<Membership>(shard, std::move(entry), timeout);
}

Request<Index> Host::RequestSnapshot(ShardId shard, const SnapshotOptions& options,
                                     std::chrono::milliseconds timeout) {
  using Answer = Request<Index>;
  const Result<ReplicaPtr> replica = Serving(shard);
  if (!replica) return Answer::Completed(std::unexpected(replica.error()));
  if ((*replica)->state().config.role == ReplicaRole::kWitness) {
    return Answer::Completed(drumbeat::Fail(ErrorCode::kNotSupported, "a witness has no state"));
  }
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

Request<LeaderInfo> Host::RequestLeaderTransfer(ShardId shard, ReplicaId target,
                                                std::chrono::milliseconds timeout) {
  using Answer = Request<LeaderInfo>;
  const Result<ReplicaPtr> replica = Serving(shard);
  if (!replica) return Answer::Completed(std::unexpected(replica.error()));
  ReplicaState& state = (*replica)->state();
  const LeaderInfo now = state.leader();
  if (!now.leader) return Answer::Completed(drumbeat::Fail(ErrorCode::kNoLeader));
  if (now.leader == target) return Answer::Completed(now);
  const Membership members = (*replica)->applier().runtime().membership();
  if (!target && now.leader != state.ref.replica) {
    return Answer::Completed(drumbeat::Fail(ErrorCode::kInvalidArgument,
                                            "only the leader can choose whom to hand over to"));
  }
  if (target && !members.voters.contains(target)) {
    return Answer::Completed(
        drumbeat::Fail(ErrorCode::kInvalidArgument,
                       "replica " + std::to_string(target.value()) + " is not a voting member"));
  }
  internal::Completion<LeaderInfo> completion(services_->callbacks);
  Answer request = completion.request();
  if (const Result<void> begun = state.BeginTransfer(completion, DeadlineTick(timeout)); !begun) {
    completion.Complete(std::unexpected(begun.error()));
    return request;
  }
  state.inbox.AddEvent(TransferWanted{target});
  (*replica)->Notify();
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
  if (replica == nullptr) return drumbeat::Fail(ErrorCode::kShardNotFound);
  return InfoOf(*replica);
}

std::vector<ReplicaInfo> Host::GetNodeHostInfo() const {
  std::vector<ReplicaInfo> all;
  for (const ReplicaPtr& replica : AllReplicas()) all.push_back(InfoOf(*replica));
  return all;
}

}  // namespace drumbeat::node_host
