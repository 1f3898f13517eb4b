// SPDX-License-Identifier: Apache-2.0
#include "node_host/applier.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#include "codec/snapshot_image.h"
#include "node_host/callback_queue.h"

namespace drumbeat::node_host {
namespace {

using state_machine::AppliedAs;
using state_machine::AppliedEntry;

/// How long answers wait to be given together with others.
constexpr std::chrono::milliseconds kLongestHold(1);
/// How long a snapshot's turn lasts while something else is being done. Then others have theirs.
constexpr std::chrono::milliseconds kLongestHandover(100);

bool IsChange(const AppliedEntry& entry) {
  return entry.outcome == AppliedAs::kChangeAccepted || entry.outcome == AppliedAs::kChangeRefused;
}

std::string Describe(const raft::ConfigChange& change) {
  const std::string name = "replica " + std::to_string(change.replica.value());
  switch (change.type) {
    case raft::ConfigChangeType::kRemove: return name + " was removed";
    case raft::ConfigChangeType::kAddVoter: return name + " was added at " + change.address;
    case raft::ConfigChangeType::kAddNonVoting:
      return name + " was added at " + change.address + " without a vote";
    case raft::ConfigChangeType::kAddWitness:
      return name + " was added at " + change.address + " as a witness";
  }
  return name + " was changed";
}

}  // namespace

/// Stands in line in the snapshot pool. It keeps no state machine that was stopped meanwhile.
class Applier::SnapshotTurn : public Runnable {
 public:
  SnapshotTurn(std::weak_ptr<Applier> applier, const SnapshotTask& task)
      : applier_(std::move(applier)), task_(task) {}
  bool Run() override {
    const std::shared_ptr<Applier> applier = applier_.lock();
    return applier != nullptr && !applier->TakeTurn(task_);
  }

 private:
  const std::weak_ptr<Applier> applier_;
  const SnapshotTask task_;
};

Applier::Applier(std::shared_ptr<ReplicaState> state,
                 std::unique_ptr<state_machine::Runtime> runtime, std::function<void()> notify_raft)
    : shared_state_(std::move(state)),
      state_(*shared_state_),
      runtime_(std::move(runtime)),
      notify_raft_(std::move(notify_raft)) {}

void Applier::Load(std::optional<raft::SnapshotRecord> snapshot) {
  Enqueue(LoadTask{std::move(snapshot)});
}

void Applier::Apply(std::vector<raft::Entry> committed) {
  Enqueue(ApplyTask{std::move(committed)});
}

void Applier::Restore(const raft::SnapshotRecord& snapshot) { Enqueue(RestoreTask{snapshot}); }

void Applier::TakeSnapshot(const SnapshotOptions& options, std::uint64_t request) {
  Enqueue(SnapshotTask{options, request});
}

void Applier::AnswerReads() {
  {
    const base::MutexLock lock(mutex_);
    if (std::exchange(reads_queued_, true)) return;
  }
  Enqueue(ReadTask{});
}

void Applier::Close(std::function<void()> closed) {
  stop_.request_stop();
  Enqueue(CloseTask{std::move(closed)});
}

void Applier::Enqueue(Work work) {
  {
    const base::MutexLock lock(mutex_);
    queue_.push_back(std::move(work));
    if (std::exchange(scheduled_, true)) return;
  }
  state_.services.apply_pool.Submit(shared_from_this());
}

bool Applier::IsLong(const Work& work) {
  return std::holds_alternative<LoadTask>(work) || std::holds_alternative<RestoreTask>(work);
}

WorkPool& Applier::Pool() const {
  return in_snapshot_pool_ ? state_.services.snapshot_pool : state_.services.apply_pool;
}

bool Applier::Run() {
  Work work;
  {
    const base::MutexLock lock(mutex_);
    if (at_work_) {
      parked_ = true;
      return false;
    }
    if (MovesOver()) return false;
    at_work_ = true;
    work = std::move(queue_.front());
    queue_.pop_front();
  }
  // What leaves a pool's thread ends the process.
  state_.Guarded([&] { std::visit([this](auto& task) { Do(task); }, work); });
  const base::MutexLock lock(mutex_);
  WorkEnds();
  scheduled_ = !queue_.empty();
  if (!scheduled_) in_snapshot_pool_ = false;
  // At once: in this pool's line it might wait for long.
  return scheduled_ && !MovesOver();
}

bool Applier::MovesOver() {
  if (IsLong(queue_.front()) == in_snapshot_pool_) return false;
  in_snapshot_pool_ = !in_snapshot_pool_;
  Pool().Submit(shared_from_this());
  return true;
}

bool Applier::TakeTurn(const SnapshotTask& task) {
  if (!IsWanted(task)) return true;
  if (!TakeOver()) return false;
  state_.Guarded([&] { Snapshot(task); });
  const base::MutexLock lock(mutex_);
  WorkEnds();
  return true;
}

// A busy replica is always at work, and takes snapshots too: the next batch waits for one whose
// turn it is. Where all tasks share a thread, none finds another one at work here.
bool Applier::TakeOver() {
  const base::MutexLock lock(mutex_);
  if (!std::exchange(at_work_, true)) return true;
  ++waiting_turns_;
  work_handed_over_.WaitFor(mutex_, kLongestHandover,
                            [this]() DRUMBEAT_REQUIRES(mutex_) { return handed_over_; });
  --waiting_turns_;
  return std::exchange(handed_over_, false);
}

void Applier::WorkEnds() {
  if (waiting_turns_ > 0) {
    handed_over_ = true;
    work_handed_over_.NotifyOne();
    return;
  }
  at_work_ = false;
  if (std::exchange(parked_, false)) Pool().Submit(shared_from_this());
}

void Applier::Do(LoadTask& task) {
  if (state_.stopped()) return;
  if (task.snapshot) {
    if (Result<void> recovered = Recover(*task.snapshot); !recovered) {
      state_.End(Life::kFailed, recovered.error());
      return;
    }
  }
  state_.inbox.AddEvent(StateLoaded{});
  TellIfRemoved();
  notify_raft_();
}

void Applier::Do(RestoreTask& task) {
  if (state_.stopped()) return;
  const Result<void> recovered = Recover(task.snapshot);
  state_.InstallEnds();
  if (!recovered) {
    state_.End(Life::kFailed, recovered.error());
    return;
  }
  state_.inbox.AddEvent(SnapshotRestored{task.snapshot});
  TellIfRemoved();
  notify_raft_();
  AnswerReadyReads();
}

Result<void> Applier::Recover(const raft::SnapshotRecord& snapshot) {
  if (std::optional<Error> wrong = state_.WrongRole(snapshot.membership)) {
    return std::unexpected(*std::move(wrong));
  }
  const Services& services = state_.services;
  std::unique_ptr<SnapshotReader> image;
  if (state_.config.role != ReplicaRole::kWitness) {
    Result<std::unique_ptr<SnapshotReader>> opened =
        services.snapshot_store.Open(state_.ref, snapshot.index);
    if (!opened) return std::unexpected(opened.error());
    Result<std::unique_ptr<SnapshotReader>> checked =
        codec::OpenImage(std::move(*opened), snapshot.image_bytes);
    if (!checked) return std::unexpected(checked.error());
    image = std::move(*checked);
  }
  if (auto done = runtime_->Recover(snapshot, std::move(image), stop_.get_token()); !done) {
    return done;
  }
  last_snapshot_ = last_attempt_ = snapshot.index;
  state_.SetSnapshotIndex(snapshot.index);
  state_.addresses.SetMembers(snapshot.membership);
  applied_.store(snapshot.index.value(), std::memory_order_release);
  services.logger.For("rsm").Info(logging::Name(state_.ref) + " recovered from snapshot at index " +
                                  std::to_string(snapshot.index.value()));
  services.events.Post([ref = state_.ref, snapshot](EventListener& listener) {
    listener.SnapshotRecovered(
        {.replica = ref, .peer = {}, .index = snapshot.index, .bytes = snapshot.image_bytes});
  });
  return {};
}

void Applier::Do(ApplyTask& task) {
  if (state_.stopped()) return;
  const Result<void> done = runtime_->Apply(task.entries, outcomes_);
  const bool has_change = std::ranges::any_of(outcomes_, IsChange);
  // The Raft hears first, so that whoever hears of one change may ask for the next.
  if (has_change) TellRaft(outcomes_);
  // Clients hear of what was applied even when a later entry failed, and before the Raft hears of
  // a removal of this replica, which ends all requests.
  {
    const CallbackQueue::Batch batch(*state_.services.callbacks);
    state_.proposals.Applied(outcomes_, has_change ? runtime_->membership() : Membership());
  }
  if (has_change) TellIfRemoved();
  if (!outcomes_.empty()) {
    applied_.store(outcomes_.back().index.value(), std::memory_order_release);
  }
  outcomes_.clear();
  if (outcomes_.capacity() > kKeptOutcomes) outcomes_.shrink_to_fit();
  if (!done) {
    state_.End(Life::kFailed, done.error());
    return;
  }
  // It hands out no more than so much at once, and may have nothing else to wake up for.
  for (const raft::Entry& entry : task.entries) untold_bytes_ += raft::EntrySize(entry);
  if (has_change || untold_bytes_ >= kToldBytes) {
    untold_bytes_ = 0;
    notify_raft_();
  }
  AnswerReadyReads();
  SnapshotIfDue();
}

void Applier::TellRaft(std::span<const AppliedEntry> applied) {
  for (const AppliedEntry& entry : applied) {
    if (!IsChange(entry)) continue;
    const bool accepted = entry.outcome == AppliedAs::kChangeAccepted;
    // Between two changes of one batch this is the later membership; Raft's last word is the same.
    const Membership members = runtime_->membership();
    if (accepted) {
      state_.addresses.SetMembers(members);
      if (const auto wrong = state_.WrongRole(members)) state_.End(Life::kFailed, *wrong);
      // The founding members' own entries are no news.
      if (entry.change && !entry.change->initialize) {
        state_.services.logger.For("rsm").Info(logging::Name(state_.ref) + " membership changed, " +
                                               Describe(*entry.change) + ", index " +
                                               std::to_string(entry.index.value()));
      }
      state_.services.events.Post([ref = state_.ref, members](EventListener& listener) {
        listener.MembershipChanged(ref, members);
      });
    }
    state_.inbox.AddEvent(ChangeApplied{entry.index, accepted, members});
  }
}

void Applier::TellIfRemoved() {
  if (!runtime_->membership().removed.contains(state_.ref.replica)) return;
  state_.inbox.AddEvent(RemovedItself{});
}

Result<std::any> Applier::Lookup(const std::any& query) {
  Result<std::any> answer = runtime_->Lookup(query);
  if (!answer && answer.error().code == ErrorCode::kReplicaFailed) {
    state_.End(Life::kFailed, answer.error());
  }
  return answer;
}

void Applier::AnswerReadyReads() {
  // A user's function may take long: what was found more than kLongestHold before does not wait for
  // it, and nobody's callbacks are held up.
  const Scheduler& scheduler = state_.services.scheduler;
  std::vector<PendingRead> answered;
  const auto held_since = scheduler.Now();
  while (std::optional<PendingRead> read = state_.reads.TakeReady(applied())) {
    answered.push_back(*std::move(read));
    auto* lookup = std::get_if<PendingRead::Lookup>(&answered.back().what);
    if (lookup != nullptr) {
      if (Result<std::any> answer = Lookup(lookup->query)) {
        lookup->answer = *std::move(answer);
      } else {
        lookup->error = std::move(answer.error());
      }
    }
    if (scheduler.Now() - held_since < kLongestHold) continue;
    Answer(answered);
    // As fast as these are answered, more may come: others have their turn in between.
    return AnswerReads();
  }
  Answer(answered);
}

void Applier::Answer(std::span<PendingRead> reads) {
  if (reads.empty()) return;
  const CallbackQueue::Batch batch(*state_.services.callbacks);
  for (PendingRead& read : reads) {
    if (auto* index = std::get_if<PendingRead::IndexOnly>(&read.what)) {
      index->completion.Complete(applied());
    } else if (auto* lookup = std::get_if<PendingRead::Lookup>(&read.what)) {
      if (lookup->error) {
        lookup->completion.Complete(std::unexpected(std::move(*lookup->error)));
      } else {
        lookup->completion.Complete(std::move(lookup->answer));
      }
    } else if (auto* members = std::get_if<PendingRead::Members>(&read.what)) {
      members->completion.Complete(runtime_->membership());
    }
  }
}

void Applier::Do(ReadTask&) {
  {
    const base::MutexLock lock(mutex_);
    reads_queued_ = false;
  }
  if (!state_.stopped()) AnswerReadyReads();
}

bool Applier::SnapshotIsDue() const {
  const std::uint64_t every = state_.config.snapshot_entries;
  return every != 0 && applied() - last_attempt_ > every;
}

void Applier::SnapshotIfDue() {
  if (!SnapshotIsDue() || std::exchange(snapshot_queued_, true)) return;
  StandInLine(SnapshotTask{});
}

bool Applier::IsWanted(const SnapshotTask& task) const {
  if (state_.stopped()) return false;
  // Else a client that asks again after each timeout would pile up snapshots for nobody.
  return task.request == 0 || state_.WaitsForSnapshot(task.request);
}

void Applier::Do(SnapshotTask& task) {
  if (IsWanted(task)) StandInLine(task);
}

void Applier::StandInLine(const SnapshotTask& task) {
  state_.services.snapshot_pool.Submit(std::make_shared<SnapshotTurn>(weak_from_this(), task));
}

void Applier::Snapshot(const SnapshotTask& task) {
  if (task.request == 0) snapshot_queued_ = false;
  if (!IsWanted(task) || (task.request == 0 && !SnapshotIsDue())) return;
  // If it fails, then not again before as many entries have come once more.
  last_attempt_ = applied();
  const Result<raft::SnapshotRecord> saved = Save();
  if (!saved) {
    const Error& error = saved.error();
    state_.services.logger.For("rsm").Warning(logging::Name(state_.ref) +
                                              " took no snapshot: " + std::string(error.text()));
    state_.CompleteSnapshot(task.request, std::unexpected(error));
    if (error.code == ErrorCode::kReplicaFailed) state_.End(Life::kFailed, error);
    if (error.code == ErrorCode::kWriteFailed) state_.services.fail_host(error);
    return;
  }
  last_snapshot_ = saved->index;
  state_.SetSnapshotIndex(saved->index);
  const std::uint64_t keep =
      task.options.compaction_overhead.value_or(state_.config.compaction_overhead);
  const Index cut = saved->index.value() > keep ? saved->index - keep : Index(0);
  state_.inbox.AddEvent(SnapshotTaken{*saved, cut});
  notify_raft_();
  state_.services.logger.For("rsm").Info(logging::Name(state_.ref) + " snapshot captured, index " +
                                         std::to_string(saved->index.value()) + ", size " +
                                         std::to_string(saved->image_bytes));
  state_.services.events.Post([ref = state_.ref, record = *saved](EventListener& listener) {
    listener.SnapshotTaken(
        {.replica = ref, .peer = {}, .index = record.index, .bytes = record.image_bytes});
  });
  state_.CompleteSnapshot(task.request, saved->index);
}

Result<raft::SnapshotRecord> Applier::Save() try {
  if (applied() <= last_snapshot_) {
    return Fail(ErrorCode::kNothingToDo, "nothing was applied since the last snapshot");
  }
  const Services& services = state_.services;
  Result<std::unique_ptr<storage::SnapshotSink>> sink = services.snapshot_store.Create(state_.ref);
  if (!sink) return std::unexpected(sink.error());
  if (Result<void> room = (*sink)->Append(std::string(codec::kImageHeaderBytes, '\0')); !room) {
    return std::unexpected(room.error());
  }
  Result<state_machine::Runtime::Saved> saved =
      runtime_->Save(**sink, state_.config.snapshot_compression,
                     services.scheduler.UnixNanoseconds(), stop_.get_token());
  if (!saved) return std::unexpected(saved.error());
  if (Result<void> head = (*sink)->Rewrite(saved->header); !head) {
    return std::unexpected(head.error());
  }
  if (Result<void> durable = (*sink)->Commit(saved->record); !durable) {
    return std::unexpected(durable.error());
  }
  return saved->record;
} catch (const std::bad_alloc&) {
  return Fail(ErrorCode::kStorage, "the system gives no more memory");
}

void Applier::Do(CloseTask& task) {
  state_.Guarded([&] { runtime_->Close(); });
  task.closed();
}

}  // namespace drumbeat::node_host
