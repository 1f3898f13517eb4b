// SPDX-License-Identifier: Apache-2.0
#include "node_host/replica_state.h"

#include <exception>
#include <string>
#include <utility>

#include "base/check.h"

namespace drumbeat::node_host {
namespace {

/// Proposals and reads of one replica that may wait at once.
constexpr std::size_t kMaxPendingProposals = 1u << 20;
constexpr std::size_t kMaxPendingReads = 1u << 20;

/// What calls get after a life ended so.
Error CallError(Life how, const Error& why) {
  switch (how) {
    case Life::kRemoved:
      return Error{ErrorCode::kReplicaRemoved, "this replica was removed from the group"};
    case Life::kFailed:
      return Error{
          why.code == ErrorCode::kHostFailed ? ErrorCode::kHostFailed : ErrorCode::kReplicaFailed,
          std::string(why.text())};
    default: return Error{ErrorCode::kClosed, {}};
  }
}

}  // namespace

ReplicaState::ReplicaState(const Services& shared, const ReplicaConfig& replica_config,
                           std::uint64_t seed, std::size_t max_receive_bytes)
    : services(shared),
      config(replica_config),
      ref{replica_config.shard_id, replica_config.replica_id},
      inbox({.data_bytes = max_receive_bytes,
             .proposal_bytes = replica_config.max_in_memory_log_bytes}),
      proposals(replica_config.shard_id, kMaxPendingProposals, seed),
      reads(kMaxPendingReads, seed ^ 0x9e3779b97f4a7c15u) {}

void ReplicaState::SetRunning() {
  const base::MutexLock lock(mutex_);
  if (life_.load() != Life::kLoading) return;
  life_.store(Life::kRunning, std::memory_order_release);  // it serves whoever hears of it
  services.events.Post([ref = ref](EventListener& listener) { listener.ReplicaReady(ref); });
}

bool ReplicaState::End(Life how, const Error& why) {
  const Error call_error = CallError(how, why);
  std::optional<Transfer> transfer;
  std::optional<Snapshot> snapshot;
  {
    const base::MutexLock lock(mutex_);
    const Life before = life_.load();
    // A failed or removed replica may still be asked to stop, but has told its story.
    if (before >= Life::kStopping) return false;
    end_reason_ = call_error;
    // Before anybody can see it: whoever closes the replica then tells that it has stopped.
    if (how == Life::kFailed) {
      services.events.Post(
          [ref = ref, why](EventListener& listener) { listener.ReplicaFailed(ref, why); });
    } else if (how == Life::kRemoved) {
      services.events.Post([ref = ref](EventListener& listener) { listener.ReplicaRemoved(ref); });
    }
    life_.store(how, std::memory_order_release);
    transfer = std::exchange(transfer_, std::nullopt);
    snapshot = std::exchange(snapshot_, std::nullopt);
  }
  const Error terminated{ErrorCode::kTerminated, call_error.message};
  if (transfer) transfer->completion.Complete(std::unexpected(terminated));
  if (snapshot) snapshot->completion.Complete(std::unexpected(terminated));
  proposals.Close(call_error);
  reads.Close(call_error);
  if (how == Life::kFailed) {
    services.logger.Error(logging::Name(ref) + " failed and stops: " + std::string(why.text()));
  } else if (how == Life::kRemoved) {
    services.logger.Info(logging::Name(ref) + " was removed from its shard and stops");
  }
  return true;
}

void ReplicaState::Guarded(const std::function<void()>& step) {
  const base::ReplicaScope scope(ref.shard, ref.replica);
  try {
    step();
  } catch (const std::exception& problem) {
    if (End(Life::kFailed, {ErrorCode::kReplicaFailed, problem.what()})) return;
    services.logger.Error(logging::Name(ref) +
                          " had ended already when this happened: " + problem.what());
  }
}

std::optional<Error> ReplicaState::Refusal() const {
  switch (life()) {
    case Life::kRunning: return std::nullopt;
    case Life::kLoading: return Error{ErrorCode::kNotReady, {}};
    default: {
      const base::MutexLock lock(mutex_);
      return end_reason_;
    }
  }
}

std::optional<Error> ReplicaState::WrongRole(const Membership& members) const {
  const bool as_witness = config.role == ReplicaRole::kWitness;
  const bool wrong =
      as_witness ? members.voters.contains(ref.replica) || members.non_votings.contains(ref.replica)
                 : members.witnesses.contains(ref.replica);
  if (!wrong) return std::nullopt;
  return Error{ErrorCode::kBootstrapMismatch,
               "replica " + std::to_string(ref.replica.value()) +
                   (as_witness ? " is no witness of its shard, and was started as one: "
                               : " is a witness of its shard, and was not started as one: ") +
                   "stop it and start it in its role"};
}

void ReplicaState::Publish(const LeaderInfo& leader, Index committed, Index last_index) {
  committed_.store(committed.value(), std::memory_order_relaxed);
  last_index_.store(last_index.value(), std::memory_order_relaxed);
  std::optional<Transfer> done;
  {
    const base::MutexLock lock(mutex_);
    if (leader_ == leader) return;
    leader_ = leader;
    if (transfer_ && leader.leader && leader.leader != transfer_->before.leader &&
        leader.term > transfer_->before.term) {
      done = std::exchange(transfer_, std::nullopt);
    }
  }
  if (done) done->completion.Complete(leader);
}

LeaderInfo ReplicaState::leader() const {
  const base::MutexLock lock(mutex_);
  return leader_;
}

bool ReplicaState::BeginChunk() {
  const base::MutexLock lock(mutex_);
  if (life_.load() != Life::kRunning) return false;
  ++chunks_;
  return true;
}

void ReplicaState::EndChunk() {
  std::move_only_function<void()> then;
  {
    const base::MutexLock lock(mutex_);
    if (--chunks_ == 0) then.swap(when_no_chunk_);
  }
  if (then) then();
}

void ReplicaState::WhenNoChunk(std::move_only_function<void()> then) {
  {
    const base::MutexLock lock(mutex_);
    if (chunks_ > 0) return when_no_chunk_.swap(then);
  }
  then();
}

Result<void> ReplicaState::BeginTransfer(internal::Completion<LeaderInfo>& completion,
                                         std::uint64_t deadline_tick) {
  const base::MutexLock lock(mutex_);
  if (stopped()) return std::unexpected(end_reason_);
  if (transfer_) return Fail(ErrorCode::kInProgress, "another leadership transfer is under way");
  transfer_ = Transfer{std::move(completion), leader_, deadline_tick};
  return {};
}

Result<std::uint64_t> ReplicaState::BeginSnapshot(internal::Completion<Index>& completion,
                                                  std::uint64_t deadline_tick) {
  const base::MutexLock lock(mutex_);
  if (stopped()) return std::unexpected(end_reason_);
  if (snapshot_) return Fail(ErrorCode::kInProgress, "another snapshot request is under way");
  snapshot_ = Snapshot{++snapshot_requests_, std::move(completion), deadline_tick};
  return snapshot_requests_;
}

void ReplicaState::CompleteSnapshot(std::uint64_t request, Result<Index> result) {
  std::optional<Snapshot> snapshot;
  {
    const base::MutexLock lock(mutex_);
    if (!snapshot_ || snapshot_->request != request) return;
    snapshot = std::exchange(snapshot_, std::nullopt);
  }
  snapshot->completion.Complete(std::move(result));
}

bool ReplicaState::WaitsForSnapshot(std::uint64_t request) const {
  const base::MutexLock lock(mutex_);
  return snapshot_ && snapshot_->request == request;
}

void ReplicaState::Expire(std::uint64_t tick) {
  proposals.Expire(tick);
  reads.Expire(tick);
  std::optional<Transfer> transfer;
  std::optional<Snapshot> snapshot;
  {
    const base::MutexLock lock(mutex_);
    if (transfer_ && transfer_->deadline_tick < tick) {
      transfer = std::exchange(transfer_, std::nullopt);
    }
    if (snapshot_ && snapshot_->deadline_tick < tick) {
      snapshot = std::exchange(snapshot_, std::nullopt);
    }
  }
  if (transfer) transfer->completion.Complete(Fail(ErrorCode::kTimeout));
  if (snapshot) snapshot->completion.Complete(Fail(ErrorCode::kTimeout));
}

}  // namespace drumbeat::node_host
