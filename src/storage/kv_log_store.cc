// SPDX-License-Identifier: Apache-2.0
#include "storage/kv_log_store.h"

#include <algorithm>
#include <set>
#include <utility>

#include "logging/logger.h"
#include "storage/advice.h"
#include "storage/entry_record.h"
#include "storage/sealed_value.h"

namespace drumbeat::storage {
namespace {

// Every range delete leaves a mark behind that reads must pass: wait for one to be worth it.
constexpr std::uint64_t kWorthCuttingEntries = 4096;
constexpr std::uint64_t kWorthCuttingBytes = 1u << 20;

std::string Named(Index index) { return std::to_string(index.value()); }
std::string Span(Index first, Index last) { return Named(first) + " to " + Named(last); }

}  // namespace

KvLogStore::KvLogStore(std::shared_ptr<StoreCore> core) : core_(std::move(core)) {}
KvLogStore::~KvLogStore() = default;

// -- Errors --------------------------------------------------------------------------------------

Error KvLogStore::Damaged(const ReplicaRef& replica, std::string_view what) const {
  return LogUnusable(*core_->kv, replica,
                     Error{.code = ErrorCode::kDamaged, .message = std::string(what)});
}

// -- Loading -------------------------------------------------------------------------------------

Result<std::shared_ptr<KvLogStore::ReplicaLog>> KvLogStore::Find(const ReplicaRef& replica) {
  std::shared_ptr<ReplicaLog> log;
  {
    const base::MutexLock lock(mutex_);
    std::shared_ptr<ReplicaLog>& slot = logs_[replica];
    if (slot == nullptr) slot = std::make_shared<ReplicaLog>();
    log = slot;
  }
  {
    const base::MutexLock lock(log->mutex);
    if (log->loaded) return log;
  }
  if (Result<void> fit = core_->damaged.Check(replica); !fit) return std::unexpected(fit.error());
  if (Result<void> loaded = LoadInto(replica, *log); !loaded) {
    return std::unexpected(LogUnusable(*core_->kv, replica, loaded.error()));
  }
  return log;
}

Result<void> KvLogStore::LoadInto(const ReplicaRef& replica, ReplicaLog& log) {
  const base::MutexLock loading(log.loading);
  {
    const base::MutexLock lock(log.mutex);
    if (log.loaded) return {};
  }
  const auto value = ReadState(*core_->kv, StateKind::kLog, replica);
  if (!value) return std::unexpected(value.error());
  LogState state;
  RecordMap records;
  if (value->has_value()) {
    const Result<LogState> decoded =
        DecodeLogState(StateKey(StateKind::kLog, replica), (*value)->view());
    if (!decoded) return std::unexpected(decoded.error());
    state = *decoded;
  }
  if (Result<void> read = ReadRecords(replica, state, records); !read) return read;
  const base::MutexLock lock(log.mutex);
  log.state = state;
  log.records = std::move(records);
  log.loaded = true;
  return {};
}

// A scan may leave out what it cannot read for the moment (a table for which there is no
// descriptor); a seek says so. What is missing for good is what seeks do not find either.
Result<void> KvLogStore::ReadRecords(const ReplicaRef& replica, const LogState& state,
                                     RecordMap& records) {
  Result<void> read = ReadRecords(replica, state, Steps::kScan, records);
  if (read || read.error().code != ErrorCode::kDamaged) return read;
  records = {};
  return ReadRecords(replica, state, Steps::kSeek, records);
}

// Finds the records in force among all that are there (FORMATS.md, "What is in force").
Result<void> KvLogStore::ReadRecords(const ReplicaRef& replica, const LogState& state, Steps steps,
                                     RecordMap& records) {
  // Not from the first key on: what was cut off is marked as deleted, which RocksDB 7.8 passes by
  // forgetting what it could not read.
  const KeyPair keys{EntryKey(replica, state.cut + 1), EntryKeys(replica).end};
  std::unique_ptr<KvCursor> cursor = core_->kv->Scan(Space::kEntries, keys.range());
  const auto step = [&] {
    if (steps == Steps::kScan) return cursor->Next();
    const std::string successor = std::string(cursor->key()) + '\0';
    cursor = core_->kv->Scan(Space::kEntries, {successor, keys.end});
  };
  Index end = state.cut + 1;
  std::uint64_t epoch = 0;
  for (; cursor->Valid(); step()) {
    const std::optional<Index> first = ParseEntryKey(cursor->key());
    if (!first) return Fail(ErrorCode::kDamaged, "a record has a strange key");
    if (*first <= state.cut || *first > state.last) continue;
    const Result<Record> record = CheckRecord(cursor->key(), cursor->value());
    if (!record) return std::unexpected(record.error());
    const auto [own, before] = record->epochs;
    if (own < epoch) continue;
    if (*first > end) break;
    if (own > state.epoch || (*first < end && own == epoch)) {
      return Fail(ErrorCode::kDamaged, "its records contradict each other");
    }
    if (!records.empty() && before != epoch) {
      return Fail(ErrorCode::kDamaged, "a record before entry " + Named(*first) + " is missing");
    }
    epoch = own;
    end = *first + record->count;
    records.Append({*first, cursor->value().size(), epoch});
  }
  if (Result<void> status = cursor->status(); !status) return status;
  if (end != state.last + 1) {
    return Fail(ErrorCode::kDamaged, "entries " + Span(end, state.last) + " are missing");
  }
  if (!records.empty() && epoch != state.epoch) {
    return Fail(ErrorCode::kDamaged, "a record up to entry " + Named(state.last) + " is missing");
  }
  return {};
}

Result<StoredLog> KvLogStore::Load(const ReplicaRef& replica) {
  const Result<std::shared_ptr<ReplicaLog>> log = Find(replica);
  if (!log) return std::unexpected(log.error());
  const base::MutexLock lock((*log)->mutex);
  const LogState& state = (*log)->state;
  StoredLog stored{.hard_state = state.hard_state,
                   .first = state.cut + 1,
                   .last = state.last,
                   .term_before_first = std::nullopt};
  if (state.cut_term || !state.cut) stored.term_before_first = state.cut_term;
  return stored;
}

// -- Saving --------------------------------------------------------------------------------------

std::unique_ptr<KvLogStore::Scratch> KvLogStore::TakeScratch() {
  {
    const base::MutexLock lock(mutex_);
    if (!idle_scratch_.empty()) {
      std::unique_ptr<Scratch> scratch = std::move(idle_scratch_.back());
      idle_scratch_.pop_back();
      return scratch;
    }
  }
  auto scratch = std::make_unique<Scratch>();
  scratch->batch = core_->kv->NewBatch();
  return scratch;
}

void KvLogStore::ReturnScratch(std::unique_ptr<Scratch> scratch) {
  scratch->batch->Clear();
  scratch->plans.clear();
  scratch->records.clear();
  scratch->notes.clear();
  if (scratch->value.capacity() > 4 * kRecordBytes) scratch->value = {};
  const base::MutexLock lock(mutex_);
  idle_scratch_.push_back(std::move(scratch));
}

Result<void> KvLogStore::Save(std::span<const ReplicaUpdate> updates) {
  if (Result<void> open = core_->fence.Check(); !open) return open;
  std::unique_ptr<Scratch> scratch = TakeScratch();
  Result<void> saved = SaveWith(*scratch, updates);
  ReturnScratch(std::move(scratch));
  return saved;
}

Result<void> KvLogStore::SaveWith(Scratch& scratch, std::span<const ReplicaUpdate> updates) {
  for (const ReplicaUpdate& update : updates) {
    if (Result<void> planned = PlanUpdate(scratch, update); !planned) return planned;
  }
  if (scratch.batch->empty()) return {};
  if (Result<void> lowered = LowerWitness(scratch); !lowered) return lowered;
  const Result<void> written = core_->fence.Pass(core_->kv->Write(*scratch.batch));
  if (!written) return written;
  Adopt(scratch);
  return RaiseWitness(scratch);
}

Result<void> KvLogStore::PlanUpdate(Scratch& scratch, const ReplicaUpdate& update) {
  Result<std::shared_ptr<ReplicaLog>> log = Find(update.replica);
  if (!log) return std::unexpected(log.error());
  Plan plan;
  plan.log = std::move(*log);
  plan.replica = update.replica;
  {
    const base::MutexLock lock(plan.log->mutex);
    plan.before = plan.log->state;
    if (!update.restart_behind && !update.entries.empty()) {
      plan.epoch_before = plan.log->records.EpochBefore(update.entries.front().index);
    }
  }
  plan.after = plan.before;
  if (update.hard_state) plan.after.hard_state = *update.hard_state;
  if (update.restart_behind) {
    plan.restarts = true;
    plan.after.cut = plan.after.last = update.restart_behind->index;
    plan.after.cut_term = update.restart_behind->term;
    scratch.batch->DeleteRange(Space::kEntries, EntryKeys(update.replica).range());
  }
  if (!update.entries.empty()) {
    const Index first = update.entries.front().index;
    if (first <= plan.after.cut || first > plan.after.last + 1) {
      return Fail(ErrorCode::kInvalidArgument, "entries from " + std::to_string(first.value()) +
                                                   " do not join the log of " +
                                                   logging::Name(update.replica));
    }
    PackEntries(scratch, plan, update.entries);
  } else if (plan.after == plan.before && !plan.restarts) {
    return {};
  }
  plan.records_end = scratch.records.size();
  const Key key = StateKey(StateKind::kLog, update.replica);
  EncodeLogState(scratch.value, key, plan.after);
  scratch.batch->Put(Space::kState, key, scratch.value);
  scratch.plans.push_back(std::move(plan));
  return {};
}

void KvLogStore::PackEntries(Scratch& scratch, Plan& plan, std::span<const raft::Entry> entries) {
  RecordEpochs epochs{.own = plan.after.epoch};
  if (entries.front().index <= plan.after.last) epochs.own = ++plan.after.epoch;
  epochs.before = plan.epoch_before.value_or(epochs.own);
  while (!entries.empty()) {
    const Index first = entries.front().index;
    const Key key = EntryKey(plan.replica, first);
    const std::size_t packed = PackRecord(scratch.value, key, epochs, entries);
    scratch.batch->Put(Space::kEntries, key, scratch.value);
    scratch.records.push_back({first, scratch.value.size(), epochs.own});
    epochs.before = epochs.own;
    plan.after.last = entries[packed - 1].index;
    entries = entries.subspan(packed);
  }
}

// A witness that claims more than a crash may leave would cry wolf: it backs down first.
Result<void> KvLogStore::LowerWitness(Scratch& scratch) {
  scratch.notes.clear();
  for (const Plan& plan : scratch.plans) {
    if (plan.after.last >= plan.before.last) continue;
    const WitnessLine line = core_->witness->Line(plan.replica);
    if (line.last <= plan.after.last) continue;
    scratch.notes.push_back(
        {.replica = plan.replica, .log = {{line.term, line.vote, plan.after.last}}});
  }
  if (scratch.notes.empty()) return {};
  return core_->fence.Pass(core_->witness->Lower(scratch.notes));
}

Result<void> KvLogStore::RaiseWitness(Scratch& scratch) {
  scratch.notes.clear();
  for (const Plan& plan : scratch.plans) {
    const LogState& state = plan.after;
    scratch.notes.push_back({.replica = plan.replica,
                             .log = {{state.hard_state.term, state.hard_state.vote, state.last}}});
  }
  return core_->fence.Pass(core_->witness->Raise(scratch.notes));
}

void KvLogStore::Adopt(Scratch& scratch) {
  std::size_t record = 0;
  for (Plan& plan : scratch.plans) {
    const base::MutexLock lock(plan.log->mutex);
    plan.log->state = plan.after;
    if (plan.restarts) plan.log->records.Clear();
    for (; record < plan.records_end; ++record) {
      plan.log->records.Append(scratch.records[record]);
    }
  }
}

// -- Cutting and reading -------------------------------------------------------------------------

Result<void> KvLogStore::CutThrough(const ReplicaRef& replica, Index index) {
  if (Result<void> open = core_->fence.Check(); !open) return open;
  const Result<std::shared_ptr<ReplicaLog>> found = Find(replica);
  if (!found) return std::unexpected(found.error());
  ReplicaLog& log = **found;
  LogState state;
  RecordMap::Prefix prefix;
  RecordMap::Place last_to_go;
  {
    const base::MutexLock lock(log.mutex);
    state = log.state;
    if (log.records.empty()) return {};
    prefix = log.records.PrefixThrough(std::min(index, state.last), state.last);
    if (!prefix.end) return {};
    if (prefix.end - (state.cut + 1) < kWorthCuttingEntries && prefix.bytes < kWorthCuttingBytes) {
      return {};
    }
    last_to_go = log.records.Find(prefix.end - 1, state.last);
  }
  const Result<Term> term = TermOfLast(replica, last_to_go);
  if (!term) return std::unexpected(LogUnusable(*core_->kv, replica, term.error()));

  const std::unique_ptr<KvBatch> batch = core_->kv->NewBatch();
  batch->DeleteRange(Space::kEntries, EntryKeys(replica, state.cut + 1, prefix.end).range());
  state.cut = prefix.end - 1;
  state.cut_term = *term;
  const Key key = StateKey(StateKind::kLog, replica);
  std::string value;
  EncodeLogState(value, key, state);
  batch->Put(Space::kState, key, value);
  const Result<void> written = core_->fence.Pass(core_->kv->Write(*batch));
  if (!written) return written;
  const base::MutexLock lock(log.mutex);
  log.state = state;
  log.records.DropBefore(prefix.end);
  return {};
}

Result<Term> KvLogStore::TermOfLast(const ReplicaRef& replica, const RecordMap::Place& place) {
  const Key key = EntryKey(replica, place.first);
  const Result<std::optional<base::Bytes>> value = core_->kv->Get(Space::kEntries, key);
  if (!value) return std::unexpected(value.error());
  if (!*value) return Fail(ErrorCode::kDamaged, "a record is missing");
  const Result<Record> record = CheckRecord(key, (*value)->view());
  if (!record) return std::unexpected(record.error());
  std::vector<raft::Entry> entries;
  std::uint64_t size = 0;
  const Result<bool> unpacked = UnpackEntries(**value, *record, place.first, place.end - 1,
                                              place.end, ~std::uint64_t{0}, size, entries);
  if (!unpacked) return std::unexpected(unpacked.error());
  return entries.front().term;
}

Result<std::vector<raft::Entry>> KvLogStore::Read(const ReplicaRef& replica, Index first, Index end,
                                                  std::uint64_t max_bytes) {
  const Result<std::shared_ptr<ReplicaLog>> log = Find(replica);
  if (!log) return std::unexpected(log.error());
  std::vector<raft::Entry> entries;
  std::uint64_t size = 0;
  for (Index next = first; next < end || entries.empty();) {
    RecordMap::Place place;
    {
      const base::MutexLock lock((*log)->mutex);
      const LogState& state = (*log)->state;
      if (next <= state.cut || end > state.last + 1 || first >= end) {
        return std::unexpected(Damaged(replica, "entries " + Span(first, end - 1) +
                                                    " were asked for, it holds " +
                                                    Span(state.cut + 1, state.last)));
      }
      place = (*log)->records.Find(next, state.last);
    }
    const Key key = EntryKey(replica, place.first);
    const Result<std::optional<base::Bytes>> value = core_->kv->Get(Space::kEntries, key);
    if (!value) return std::unexpected(LogUnusable(*core_->kv, replica, value.error()));
    if (!*value) return std::unexpected(Damaged(replica, "a record is missing"));
    const Result<Record> record = CheckRecord(key, (*value)->view());
    if (!record) return std::unexpected(LogUnusable(*core_->kv, replica, record.error()));
    const Index stop = std::min(end, place.end);
    const Result<bool> more =
        UnpackEntries(**value, *record, place.first, next, stop, max_bytes, size, entries);
    if (!more) return std::unexpected(LogUnusable(*core_->kv, replica, more.error()));
    if (!*more) break;
    next = stop;
  }
  return entries;
}

// -- Bootstrap and removal -----------------------------------------------------------------------

Result<void> KvLogStore::SaveBootstrap(const ReplicaRef& replica, const codec::Bootstrap& record) {
  if (Result<void> open = core_->fence.Check(); !open) return open;
  if (Result<void> fit = core_->damaged.Check(replica); !fit) return fit;
  const Key key = StateKey(StateKind::kBootstrap, replica);
  std::string value;
  BeginValue(value);
  value += codec::EncodeBootstrap(record);
  SealValue(value, key);
  const std::unique_ptr<KvBatch> batch = core_->kv->NewBatch();
  batch->Put(Space::kState, key, value);
  const Result<void> written = core_->fence.Pass(core_->kv->Write(*batch));
  if (!written) return written;
  const Witness::Note note{.replica = replica, .bootstrapped = true};
  return core_->fence.Pass(core_->witness->Raise({&note, 1}));
}

Result<std::optional<codec::Bootstrap>> KvLogStore::LoadBootstrap(const ReplicaRef& replica) {
  if (Result<void> fit = core_->damaged.Check(replica); !fit) return std::unexpected(fit.error());
  const auto value = ReadState(*core_->kv, StateKind::kBootstrap, replica);
  if (!value) return std::unexpected(LogUnusable(*core_->kv, replica, value.error()));
  if (!*value) return std::nullopt;
  const Key key = StateKey(StateKind::kBootstrap, replica);
  Result<codec::Bootstrap> record = codec::DecodeBootstrap(*OpenValue(key, (*value)->view()));
  if (!record) return std::unexpected(Damaged(replica, record.error().text()));
  return std::move(*record);
}

Result<std::vector<ReplicaRef>> KvLogStore::List() {
  return ListOf(StateKeys(StateKind::kBootstrap), core_->witness->lines());
}

Result<std::vector<ReplicaRef>> KvLogStore::List(ShardId shard) {
  return ListOf(StateKeys(StateKind::kBootstrap, shard), core_->witness->LinesOf(shard));
}

// What cannot be read is known to the witness: damage to one replica is no matter of the others.
Result<std::vector<ReplicaRef>> KvLogStore::ListOf(const KeyPair& bootstraps,
                                                   const Witness::Lines& lines) {
  std::set<ReplicaRef> replicas;
  const std::unique_ptr<KvCursor> cursor = core_->kv->Scan(Space::kState, bootstraps.range());
  for (; cursor->Valid(); cursor->Next()) {
    const std::optional<ReplicaRef> replica = ParseStateKey(cursor->key());
    if (replica) replicas.insert(*replica);
  }
  const Result<void> status = cursor->status();
  if (!status && status.error().code != ErrorCode::kDamaged) {
    return std::unexpected(status.error());
  }
  for (const auto& [replica, line] : lines) {
    if (!line.bootstrapped || replicas.contains(replica)) continue;
    // A removal that was cut short is in the database first.
    const auto mark = ReadState(*core_->kv, StateKind::kRemoved, replica);
    if (!mark && mark.error().code != ErrorCode::kDamaged) return std::unexpected(mark.error());
    if (!mark || !*mark) replicas.insert(replica);
  }
  return std::vector<ReplicaRef>(replicas.begin(), replicas.end());
}

Result<void> KvLogStore::Remove(const ReplicaRef& replica) {
  if (Result<void> open = core_->fence.Check(); !open) return open;
  const Witness::Note nothing{.replica = replica, .log = Witness::Note::Log{}};
  const Result<void> lowered = core_->fence.Pass(core_->witness->Lower({&nothing, 1}));
  if (!lowered) return lowered;

  const Key mark = StateKey(StateKind::kRemoved, replica);
  std::string value;
  BeginValue(value);
  SealValue(value, mark);
  const std::unique_ptr<KvBatch> batch = core_->kv->NewBatch();
  batch->Put(Space::kState, mark, value);
  batch->Delete(Space::kState, StateKey(StateKind::kLog, replica));
  batch->Delete(Space::kState, StateKey(StateKind::kBootstrap, replica));
  batch->DeleteRange(Space::kEntries, EntryKeys(replica).range());
  const Result<void> written = core_->fence.Pass(core_->kv->Write(*batch));
  if (!written) return written;
  {
    const base::MutexLock lock(mutex_);
    logs_.erase(replica);
  }
  core_->damaged.Forget(replica);
  // Not before: where the record is bad, only the witness tells that there is something to remove.
  const Witness::Note note{.replica = replica, .bootstrapped = false, .removed = true};
  const Result<void> raised = core_->fence.Pass(core_->witness->Raise({&note, 1}));
  if (!raised) return raised;
  return core_->fence.Pass(core_->kv->Drop(Space::kEntries, EntryKeys(replica).range()));
}

Result<bool> KvLogStore::WasRemoved(const ReplicaRef& replica) {
  if (Result<void> fit = core_->damaged.Check(replica); !fit) return std::unexpected(fit.error());
  const auto mark = ReadState(*core_->kv, StateKind::kRemoved, replica);
  if (!mark) return std::unexpected(LogUnusable(*core_->kv, replica, mark.error()));
  return mark->has_value();
}

}  // namespace drumbeat::storage
