// SPDX-License-Identifier: Apache-2.0
#include "node_host/host.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "base/random.h"
#include "base/thread.h"
#include "node_host/replica_start.h"
#include "state_machine/guarded_machine.h"
#include "state_machine/runtime.h"

namespace drumbeat::node_host {
namespace {

constexpr std::chrono::seconds kSnapshotStreamTimeout(900);
constexpr std::chrono::seconds kWarningPeriod(10);
constexpr std::size_t kSnapshotTasks = 2;

std::size_t Cores() { return std::max(1u, std::thread::hardware_concurrency()); }

NodeHostConfig WithWorkers(NodeHostConfig config) {
  if (config.engine_workers == 0) config.engine_workers = std::max<std::size_t>(1, Cores() / 2);
  if (config.apply_workers == 0) config.apply_workers = std::max<std::size_t>(2, Cores());
  return config;
}

/// Lets go of things one by one, where slow work belongs.
class LetGo : public Runnable {
 public:
  explicit LetGo(std::vector<std::shared_ptr<void>> things) : things_(std::move(things)) {}
  bool Run() override {
    things_.pop_back();
    return !things_.empty();
  }

 private:
  std::vector<std::shared_ptr<void>> things_;
};

/// The host whose closing, or whose user's code, the calling thread is in the middle of.
thread_local const Host* inside = nullptr;

}  // namespace

Host::Inside::Inside(const Host& host) : outer_(std::exchange(inside, &host)) {}
Host::Inside::~Inside() { inside = outer_; }

Host::Host(const NodeHostConfig& config, HostParts parts)
    : config_(WithWorkers(config)),
      parts_(std::move(parts)),
      client_counter_(parts_.seed),
      snapshot_receiver_(*parts_.stores.snapshots, config.deployment_id,
                         config.transport.max_snapshots_in) {
  Scheduler& scheduler = *parts_.scheduler;
  auto callbacks = std::make_shared<CallbackQueue>(parts_.logger);
  callbacks->Start(scheduler);
  events_.emplace(scheduler, config.listener, parts_.logger);
  apply_pool_.emplace(scheduler, "db-apply", config_.apply_workers);
  snapshot_pool_.emplace(scheduler, "db-snapshot", kSnapshotTasks);
  services_.emplace(Services{.scheduler = scheduler,
                             .log_store = *parts_.stores.log,
                             .snapshot_store = *parts_.stores.snapshots,
                             .transport = *parts_.transport,
                             .events = *events_,
                             .apply_pool = *apply_pool_,
                             .snapshot_pool = *snapshot_pool_,
                             .callbacks = std::move(callbacks),
                             .logger = parts_.logger,
                             .now_tick = now_tick_,
                             .deployment_id = config.deployment_id,
                             .fail_host = [this](const Error& error) { Fail(error); }});
  for (std::size_t i = 0; i < config_.engine_workers; ++i) {
    workers_.push_back(
        std::make_unique<EngineWorker>(*services_, "db-engine-" + std::to_string(i),
                                       [this](const ReplicaPtr& replica) { RaftEnded(replica); }));
  }
}

Result<std::unique_ptr<Host>> Host::Start(const NodeHostConfig& config, HostParts parts) try {
  std::unique_ptr<Host> host(new Host(config, std::move(parts)));
  if (Result<void> started = host->parts_.transport->Start(*host); !started) {
    return std::unexpected(started.error());
  }
  Host* self = host.get();
  host->ticker_ = host->parts_.scheduler->Every("db-ticker", config.tick, [self] { self->Tick(); });
  return host;
} catch (const std::system_error& problem) {
  // What had been started by then was ended on the way here.
  return drumbeat::Fail(ErrorCode::kStorage,
                        std::string("the system gives no more threads: ") + problem.what());
}

Host::~Host() {
  Close(std::chrono::milliseconds(0));
  if (closer_.joinable()) closer_.join();
}

// -- Life of the host -----------------------------------------------------------------------------

bool Host::MustNotWait() const { return inside == this || parts_.scheduler->OnTaskThread(); }

void Host::Close(std::chrono::milliseconds handover) {
  if (MustNotWait()) return CloseElsewhere(handover);
  std::call_once(close_once_, [&] {
    const Inside here(*this);
    closing_.store(true);
    {
      // Who starts a replica has put it into the table by now, or will find that this host closes.
      const std::lock_guard start_lock(start_mutex_);
    }
    if (handover.count() > 0) HandLeadershipsOver(handover);
    parts_.transport->Stop();
    EndAllReplicas();
    StopTasks();
    std::map<ShardId, Slot> shards;  // what is left of replicas goes outside the lock
    {
      const std::unique_lock lock(mutex_);
      shards.swap(shards_);
    }
    shards.clear();
    snapshot_receiver_.Expire(~std::uint64_t{0}).clear();
    parts_.stores = {};
    parts_.folder.reset();
  });
}

// What the tasks ran for stays until the destructor: a call that began before may still use it.
void Host::StopTasks() {
  if (ticker_ != nullptr) ticker_->Stop();
  for (const auto& worker : workers_) worker->Stop();
  apply_pool_->Stop();
  snapshot_pool_->Stop();
  services_->callbacks->Stop();
  events_->Stop();
}

void Host::CloseElsewhere(std::chrono::milliseconds handover) {
  if (closing_.exchange(true)) return;
  try {
    closer_ = base::StartThread("db-close", [this, handover] { Close(handover); });
  } catch (const std::system_error& problem) {
    parts_.logger.Error(
        std::string("closing waits for the destructor, there is no thread for it: ") +
        problem.what());
  }
}

void Host::HandLeadershipsOver(std::chrono::milliseconds budget) {
  // What is further away than a clock can count would be in its past.
  const auto end = parts_.scheduler->Now() +
                   std::min<std::chrono::milliseconds>(budget, std::chrono::years(100));
  std::vector<Request<LeaderInfo>> transfers;
  for (const ReplicaPtr& replica : AllReplicas()) {
    const ReplicaState& state = replica->state();
    if (state.life() != Life::kRunning || state.leader().leader != state.ref.replica) continue;
    if (replica->applier().runtime().membership().voters.size() < 2) continue;
    internal::Completion<LeaderInfo> completion(services_->callbacks);
    Request<LeaderInfo> request = completion.request();
    StartTransfer(*replica, ReplicaId(0), DeadlineTick(budget), std::move(completion));
    transfers.push_back(std::move(request));
  }
  for (Request<LeaderInfo>& transfer : transfers) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - parts_.scheduler->Now());
    (void)transfer.GetWithin(std::max(left, std::chrono::milliseconds(0)));
  }
}

void Host::EndAllReplicas() {
  for (const ReplicaPtr& replica : AllReplicas()) {
    replica->state().End(Life::kStopping, {ErrorCode::kClosed, {}});
    replica->Notify();
  }
  parts_.scheduler->Await([this] {
    const std::shared_lock lock(mutex_);
    return std::ranges::all_of(shards_, [](const auto& shard) { return shard.second.closed; });
  });
}

void Host::RaftEnded(const ReplicaPtr& replica) {
  // Keeps the replica alive until its state machine is closed.
  replica->applier().Close([this, replica] {
    replica->state().WhenNoChunk([this, replica] { ReplicaClosed(replica->state().ref); });
  });
}

void Host::ReplicaClosed(const ReplicaRef& replica) {
  LetGoLater(snapshot_receiver_.Drop(replica));
  std::vector<internal::Completion<void>> stoppers;
  {
    const std::unique_lock lock(mutex_);
    const auto shard = shards_.find(replica.shard);
    if (shard == shards_.end()) return;
    shard->second.closed = true;
    stoppers = std::move(shard->second.stoppers);
    if (shard->second.remove) shards_.erase(shard);
    // Under the lock: before any event of its next life.
    services_->events.Post(
        [replica](EventListener& listener) { listener.ReplicaStopped(replica); });
  }
  for (internal::Completion<void>& stopper : stoppers) stopper.Complete({});
}

void Host::Fail(const Error& error) {
  {
    const std::unique_lock lock(mutex_);
    if (failure_) return;
    failure_ = Error{ErrorCode::kHostFailed, std::string(error.text())};
  }
  parts_.logger.Error("what all replicas share failed, all stop: " + std::string(error.text()));
  services_->events.Post([error](EventListener& listener) { listener.HostFailed(error); });
  for (const ReplicaPtr& replica : AllReplicas()) {
    replica->state().End(Life::kFailed, {ErrorCode::kHostFailed, std::string(error.text())});
    replica->Notify();
  }
}

void Host::Tick() {
  const std::uint64_t now = now_tick_.fetch_add(1) + 1;
  for (const ReplicaPtr& replica : AllReplicas()) {
    if (replica->state().stopped()) {
      // Whoever ended it need not have told its worker.
      if (!replica->raft_over.load()) replica->Notify();
      continue;
    }
    // Here, so that requests end in time whatever its worker waits for.
    replica->state().Expire(now);
    replica->state().inbox.AddTick();
    replica->Notify();
  }
  const auto timeout = static_cast<std::uint64_t>(kSnapshotStreamTimeout / config_.tick);
  if (now <= timeout) return;
  LetGoLater(snapshot_receiver_.Expire(now - timeout));
}

void Host::LetGoLater(std::vector<std::shared_ptr<void>> things) {
  if (!things.empty()) snapshot_pool_->Submit(std::make_shared<LetGo>(std::move(things)));
}

// -- Life of a replica ----------------------------------------------------------------------------

Result<void> Host::MayStart() const {
  if (closing_.load()) return drumbeat::Fail(ErrorCode::kClosed);
  const std::shared_lock lock(mutex_);
  if (failure_) return std::unexpected(*failure_);
  return {};
}

Result<std::unique_lock<std::mutex>> Host::LockData(ShardId shard) {
  if (closing_.load()) return drumbeat::Fail(ErrorCode::kClosed);
  if (inside == this || state_machine::InUserCode()) {
    return drumbeat::Fail(ErrorCode::kInvalidArgument,
                          "called from inside a StateMachineFactory or a StateMachine");
  }
  std::unique_lock start_lock(start_mutex_);
  if (const Result<void> may = MayStart(); !may) return std::unexpected(may.error());
  const std::shared_lock lock(mutex_);
  if (!shards_.contains(shard)) return start_lock;
  return drumbeat::Fail(ErrorCode::kShardAlreadyExists,
                        "a replica of this shard is here; stop it first (StopShard), or wait "
                        "until it has stopped");
}

Result<void> Host::StartReplica(const StartOptions& options, const StateMachineFactory& factory,
                                const ReplicaConfig& config) {
  if (Result<void> valid = config.Validate(); !valid) return valid;
  if (!factory) return drumbeat::Fail(ErrorCode::kInvalidArgument, "there is no factory");
  const auto start_lock = LockData(config.shard_id);
  if (!start_lock) return std::unexpected(start_lock.error());
  ReplicaStarter starter(*parts_.stores.log, *parts_.stores.snapshots, config_.raft_address);
  const Result<ReplicaStarter::Checked> checked = starter.Check(options, config);
  if (!checked) return std::unexpected(checked.error());
  const ReplicaRef ref{config.shard_id, config.replica_id};
  const Inside here(*this);  // also where the state machine is destroyed again
  std::unique_ptr<StateMachine> machine;
  if (config.role != ReplicaRole::kWitness) {
    try {
      machine = factory(ref.shard, ref.replica);
    } catch (const std::exception& problem) {
      return drumbeat::Fail(ErrorCode::kInvalidArgument,
                            std::string("the factory threw: ") + problem.what());
    } catch (...) {
      return drumbeat::Fail(ErrorCode::kInvalidArgument, "the factory threw");
    }
    if (machine == nullptr) {
      return drumbeat::Fail(ErrorCode::kInvalidArgument, "the factory made no state machine");
    }
  }
  // Closes the state machine at its end, whatever comes.
  auto runtime = state_machine::Runtime::Make(
      {.replica = ref,
       .change_order =
           config.ordered_config_change ? raft::ChangeOrder::kOrdered : raft::ChangeOrder::kAny,
       .witness = config.role == ReplicaRole::kWitness},
      std::move(machine));
  // The factory may have taken long. Behind Prepare() the folder is bound to this start: whoever
  // closes then waits for it, and ends the replica.
  if (const Result<void> may = MayStart(); !may) return may;
  Result<ReplicaStart> start = starter.Prepare(*checked);
  if (!start) {
    if (start.error().code == ErrorCode::kWriteFailed) Fail(start.error());
    return std::unexpected(start.error());
  }
  // Each life has its own: by keys and contexts it tells what is meant for it.
  start->seed = parts_.seed ^ (config.shard_id.value() * 0x9e3779b97f4a7c15u) ^
                (config.replica_id.value() << 32) ^ (starts_++ * 0xbf58476d1ce4e5b9u);
  auto replica = std::make_shared<Replica>(
      *services_, config, *start, std::move(runtime), config_.transport.max_receive_queue_bytes,
      [this](const ReplicaPtr& ready) { WorkerOf(ready->state().ref.shard).Notify(ready); });
  replica->state().addresses.SetMembers(options.initial_members);
  if (start->snapshot.index) replica->state().addresses.SetMembers(start->snapshot.membership);
  {
    const std::unique_lock lock(mutex_);
    // All are ended together, once.
    if (failure_) return std::unexpected(*failure_);
    shards_.emplace(config.shard_id, Slot{.replica = replica, .stoppers = {}});
  }
  replica->Load(start->snapshot.index ? std::optional(start->snapshot) : std::nullopt);
  return {};
}

Request<void> Host::StopShard(ShardId shard) {
  internal::Completion<void> completion(services_->callbacks);
  Request<void> request = completion.request();
  ReplicaPtr replica;  // maybe the last one: destroyed outside the lock
  {
    const std::unique_lock lock(mutex_);
    const auto found = shards_.find(shard);
    if (found == shards_.end()) {
      completion.Complete(drumbeat::Fail(NotHere()));
      return request;
    }
    if (found->second.closed) {
      replica = std::move(found->second.replica);
      shards_.erase(found);
      completion.Complete({});
      return request;
    }
    found->second.remove = true;
    found->second.stoppers.push_back(std::move(completion));
    replica = found->second.replica;
  }
  replica->state().End(Life::kStopping, {ErrorCode::kClosed, "the replica is stopping"});
  replica->Notify();
  return request;
}

Result<void> Host::RemoveData(const ReplicaRef& replica) {
  if (!replica.replica) {
    return drumbeat::Fail(ErrorCode::kInvalidArgument, "replica ids are at least 1");
  }
  const auto start_lock = LockData(replica.shard);
  if (!start_lock) return std::unexpected(start_lock.error());
  const Result<std::vector<ReplicaRef>> known = parts_.stores.log->List(replica.shard);
  if (!known) return std::unexpected(known.error());
  if (std::ranges::find(*known, replica) == known->end()) {
    return drumbeat::Fail(ErrorCode::kNotFound,
                          "nothing is stored of " + logging::Name(replica) + " here");
  }
  // The log first, with the mark: a start that finds it drops what a crash has left of the rest.
  Result<void> removed = parts_.stores.log->Remove(replica);
  if (removed) removed = parts_.stores.snapshots->Remove(replica);
  if (!removed && removed.error().code == ErrorCode::kWriteFailed) Fail(removed.error());
  if (removed) parts_.logger.Info("removed the data of " + logging::Name(replica));
  return removed;
}

// -- Small parts ----------------------------------------------------------------------------------

Host::ReplicaPtr Host::Find(ShardId shard) const {
  const std::shared_lock lock(mutex_);
  const auto found = shards_.find(shard);
  return found == shards_.end() ? nullptr : found->second.replica;
}

ErrorCode Host::NotHere() const {
  return closing_.load() ? ErrorCode::kClosed : ErrorCode::kShardNotFound;
}

Result<Host::ReplicaPtr> Host::Serving(ShardId shard) const {
  if (closing_.load(std::memory_order_relaxed)) return drumbeat::Fail(ErrorCode::kClosed);
  ReplicaPtr replica = Find(shard);
  if (replica == nullptr) return drumbeat::Fail(NotHere());
  if (const std::optional<Error> refusal = replica->state().Refusal()) {
    return std::unexpected(*refusal);
  }
  return replica;
}

Result<Host::ReplicaPtr> Host::ServingClients(ShardId shard) const {
  Result<ReplicaPtr> replica = Serving(shard);
  if (replica && (*replica)->state().config.role == ReplicaRole::kWitness) {
    return drumbeat::Fail(ErrorCode::kNotSupported, "a witness only votes: ask another member");
  }
  return replica;
}

std::vector<Host::ReplicaPtr> Host::AllReplicas() const {
  const std::shared_lock lock(mutex_);
  std::vector<ReplicaPtr> all;
  all.reserve(shards_.size());
  for (const auto& [shard, slot] : shards_) all.push_back(slot.replica);
  return all;
}

EngineWorker& Host::WorkerOf(ShardId shard) { return *workers_[shard.value() % workers_.size()]; }

std::uint64_t Host::DeadlineTick(std::chrono::milliseconds timeout) const {
  const auto wanted = std::max(timeout, std::chrono::milliseconds(1));
  const auto rest = wanted % config_.tick;
  const auto ticks = wanted / config_.tick + (rest.count() > 0 ? 1 : 0);
  return now_tick_.load() + static_cast<std::uint64_t>(ticks);
}

std::uint64_t Host::NewClientId() {
  base::Random mix(client_counter_.fetch_add(1));
  return mix.Next() | 1;
}

bool Host::MayWarn() {
  const std::uint64_t now = now_tick_.load() + 1;
  std::uint64_t last = last_warning_tick_.load();
  const auto period = std::max<std::uint64_t>(1, kWarningPeriod / config_.tick);
  if (last != 0 && now - last < period) return false;
  return last_warning_tick_.compare_exchange_strong(last, now);
}

}  // namespace drumbeat::node_host
