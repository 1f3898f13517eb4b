// SPDX-License-Identifier: Apache-2.0
#include "fuzz/replica_host.h"

#include <any>
#include <exception>
#include <utility>

#include "base/check.h"
#include "codec/command.h"
#include "codec/message_batch.h"
#include "codec/wire_message.h"
#include "fuzz/images.h"
#include "node_host/replica_start.h"

namespace drumbeat::fuzz {
namespace {

constexpr ReplicaRef kRef{ReplicaHost::kShard, ReplicaHost::kSelf};
constexpr std::size_t kMaxContexts = 8;

/// Remembers the last kilobyte that it was told.
class Tape : public StateMachine {
 public:
  Result<ApplyResult> Update(const UpdateEntry& entry) override {
    text_.append(entry.command.substr(0, 1024));
    if (text_.size() > 1024) text_.erase(0, text_.size() - 1024);
    return ApplyResult{.value = entry.index.value(),
                       .data = std::string(entry.command.substr(0, 8))};
  }
  Result<std::any> Lookup(const std::any&) const override { return std::any(text_); }
  Result<void> SaveSnapshot(SnapshotWriter& writer, std::stop_token) const override {
    return writer.Write(text_);
  }
  Result<void> RecoverFromSnapshot(SnapshotReader& reader, std::stop_token) override {
    text_ = ReadAll(reader).substr(0, 1024);
    return {};
  }

 private:
  std::string text_;
};

/// As in a node host, but with limits that few messages reach.
raft::Options TightOptions(const ReplicaConfig& config) {
  raft::Options options = node_host::RaftOptions(config, 1);
  options.max_append_bytes = 1000;
  options.max_apply_bytes = 2000;
  options.max_inflight_messages = 4;
  return options;
}

}  // namespace

ReplicaHost::ReplicaHost(const ReplicaConfig& config, const StartOptions& options)
    : config_(config),
      options_(options),
      disk_(std::make_shared<storage::MemoryDisk>(storage::MemoryDisk::Crashes::kSimulated)) {
  Start();
}

void ReplicaHost::Fail(std::string what) {
  if (wrong_.empty()) wrong_ = std::move(what);
}

template <class Step>
void ReplicaHost::Guarded(Step step) {
  if (over() || !wrong_.empty()) return;
  try {
    const base::ReplicaScope scope(kShard, kSelf);
    step();
    Look();
  } catch (const std::exception& broken) {
    Fail(broken.what());
  }
}

void ReplicaHost::Start() {
  auto opened =
      storage::OpenMemoryStores(disk_, [this] { return now_ += std::chrono::seconds(2); });
  if (!opened) return Fail("the stores open again: " + opened.error().message);
  stores_ = std::make_unique<storage::Stores>(std::move(*opened));
  receiver_ = std::make_unique<node_host::SnapshotReceiver>(*stores_->snapshots, 1, 4);
  node_host::ReplicaStarter starter(*stores_->log, *stores_->snapshots, "a:1");
  const auto checked = starter.Check(options_, config_);
  if (!checked) return Fail("the replica may start again: " + checked.error().message);
  const auto start = starter.Prepare(*checked);
  if (!start) return Fail("the replica starts again: " + start.error().message);
  log_ = std::make_unique<node_host::ReplicaLog>(*stores_->log, kRef, start->log, start->snapshot);
  runtime_ = state_machine::Runtime::Make(
      {.replica = kRef, .witness = config_.role == ReplicaRole::kWitness},
      config_.role == ReplicaRole::kWitness ? nullptr : std::make_unique<Tape>());
  if (start->snapshot.index && !Restore(start->snapshot)) return;
  raft::StoredState stored;
  stored.hard_state = start->log.hard_state;
  stored.hard_state.commit = std::max(stored.hard_state.commit, start->snapshot.index);
  stored.membership = start->snapshot.membership;
  stored.applied = start->snapshot.index;
  stored_ = stored.hard_state;
  if (stored_.term < spoken_term_) return Fail("a term that it has spoken in is forgotten");
  const auto vote = votes_.find(stored_.term);
  if (vote != votes_.end() && vote->second != stored_.vote) return Fail("a vote is forgotten");
  next_committed_ = start->snapshot.index + 1;
  try {
    const base::ReplicaScope scope(kShard, kSelf);
    raft_ = std::make_unique<raft::Raft>(TightOptions(config_), stored, *log_);
    seen_committed_ = raft_->committed();
    // What was handed out may be replaced by a leader that lies, if nobody noted its commit.
    committed_.erase(committed_.upper_bound(seen_committed_), committed_.end());
    Look();
  } catch (const std::exception& broken) {
    Fail(broken.what());
  }
}

void ReplicaHost::CrashAndStart(std::size_t kept) {
  if (over() || !wrong_.empty()) return;
  raft_.reset();
  runtime_.reset();
  log_.reset();
  receiver_.reset();
  stores_.reset();
  work_.clear();
  installing_ = false;
  unwritten_.reset();
  disk_->Crash(kept);
  Start();
}

void ReplicaHost::Look() {
  const raft::Status status = raft_->status();
  if (status.committed < seen_committed_) Fail("the commit index fell");
  if (status.committed > status.last_index) Fail("more is committed than there is");
  if (status.applied > status.committed) Fail("more is applied than is committed");
  if (status.saved > status.last_index) Fail("more is saved than there is");
  if (status.term < stored_.term) Fail("the term fell");
  if (status.term == stored_.term && stored_.vote && status.vote != stored_.vote) {
    Fail("the vote of a term changed");
  }
  for (const raft::MemberStatus& member : status.members) {
    if (member.next <= member.match) Fail("what comes next to a member is behind what it has");
    if (member.match > status.last_index) Fail("a member has more than its leader");
  }
  const bool passive = config_.role != ReplicaRole::kVoter;
  if (passive && status.role == raft::Role::kLeader && !members().voters.contains(kSelf)) {
    Fail("who does not vote does not lead");
  }
  seen_committed_ = status.committed;
  if (raft_->complaint()) raft_.reset();
}

// -- Inputs --------------------------------------------------------------------------------------

void ReplicaHost::Tick() {
  Guarded([&] { raft_->Tick(); });
}

void ReplicaHost::Receive(std::string_view payload) {
  auto batch = codec::DecodeMessageBatch(base::Bytes::Copy(payload));
  if (!batch) return;
  for (raft::Envelope& message : batch->messages) Deliver(std::move(message));
}

// As the host does it (node_host/host_messages.cc).
void ReplicaHost::Deliver(raft::Envelope message) {
  if (message.shard != kShard || message.to != kSelf || message.from == kSelf) return;
  if (const std::vector<raft::Entry>* entries = codec::EntriesOf(message.message)) {
    for (const raft::Entry& entry : *entries) {
      if (codec::WhyEntryUnfit(entry)) return;
    }
  }
  if (std::holds_alternative<raft::SnapshotReceived>(message.message)) {
    return SnapshotStatus(message.from, false);
  }
  Guarded([&] { raft_->Step(std::move(message)); });
}

void ReplicaHost::Receive(const codec::Chunk& chunk) {
  if (over() || !wrong_.empty() || installing_) return;
  if (chunk.shard != kShard || chunk.to != kSelf) return;
  if (!raft::IsMember(members(), chunk.from) && status().leader != chunk.from) return;
  if (status().leader == kSelf) return;
  if (chunk.witness && config_.role != ReplicaRole::kWitness) return;
  const auto step = receiver_->Add(
      chunk, {.now_tick = 0, .committed = status().committed, .leader = status().leader});
  if (!step || step->progress == node_host::SnapshotReceiver::Progress::kMore) return;
  installing_ = true;
  Guarded([&] {
    raft_->Step({.shard = kShard,
                 .from = chunk.from,
                 .to = kSelf,
                 .term = {},
                 .message = raft::InstallSnapshot{step->snapshot}});
  });
  Round();
}

void ReplicaHost::Propose(raft::Entry entry) {
  Guarded([&] { raft_->Propose({std::move(entry)}); });
}

void ReplicaHost::Read() {
  Guarded([&] { raft_->ReadIndex({.low = next_context_++, .high = 0}); });
}

void ReplicaHost::TransferLeadership(ReplicaId target) {
  Guarded([&] { raft_->TransferLeadership(target); });
}

void ReplicaHost::SnapshotStatus(ReplicaId to, bool failed) {
  Guarded([&] { raft_->SnapshotStatus(to, failed); });
}

void ReplicaHost::Unreachable(ReplicaId to) {
  Guarded([&] { raft_->Unreachable(to); });
}

// -- The host's own steps ------------------------------------------------------------------------

void ReplicaHost::Round() {
  Guarded([&] {
    if (!raft_->HasOutput()) return;
    raft::Output output = raft_->TakeOutput();
    CheckMessages(output.messages_now);
    Save(output);
    CheckMessages(output.messages_after_save);
    HandOver(output);
  });
  if (work_.empty()) installing_ = false;
}

/// Every message rests on a term that is stored, and every peer would take it.
void ReplicaHost::CheckMessages(const std::vector<raft::Envelope>& messages) {
  for (const raft::Envelope& message : messages) {
    if (message.to == kSelf || message.from != kSelf || !message.to) Fail("a message to nobody");
    const bool pre_vote = std::holds_alternative<raft::RequestPreVote>(message.message) ||
                          std::holds_alternative<raft::PreVoteReply>(message.message);
    if (!pre_vote && message.term > stored_.term)
      Fail("a message speaks before its term is stored");
    if (!pre_vote) spoken_term_ = std::max(spoken_term_, message.term);
    const auto* vote = std::get_if<raft::VoteReply>(&message.message);
    if (vote != nullptr && !vote->rejected) {
      const auto [given, first] = votes_.emplace(message.term, message.to);
      if (given->second != message.to) Fail("two votes in one term");
      if (message.term == stored_.term && stored_.vote != message.to) Fail("a vote is not stored");
    }
    const auto* reply = std::get_if<raft::AppendReply>(&message.message);
    if (reply != nullptr && !reply->rejected && reply->index > log_->last()) {
      Fail("what is acknowledged is not stored");
    }
    if (const auto* beat = std::get_if<raft::Heartbeat>(&message.message); beat && beat->context) {
      contexts_.push_back(beat->context);
      if (contexts_.size() > kMaxContexts) contexts_.pop_front();
    }
    std::string bytes;
    codec::AppendMessage(bytes, message);
    codec::AppendBatchTrailer(bytes, 1, "a:1");
    const auto batch = codec::DecodeMessageBatch(base::Bytes::Copy(bytes));
    if (!batch || batch->refused != 0 || batch->messages.size() != 1) {
      Fail("a message that our own decoder refuses");
    }
  }
}

void ReplicaHost::Save(const raft::Output& output) {
  if (output.hard_state) unwritten_ = output.hard_state;
  if (output.must_sync || !output.entries.empty() || output.received_snapshot) {
    const storage::ReplicaUpdate update{.replica = kRef,
                                        .hard_state = unwritten_,
                                        .entries = output.entries,
                                        .restart_behind = output.received_snapshot};
    if (unwritten_) stored_ = *unwritten_;
    unwritten_.reset();
    if (const auto saved = stores_->log->Save({&update, 1}); !saved) {
      return Fail("what it owes can be saved: " + saved.error().message);
    }
  }
  if (output.received_snapshot) log_->Restarted(*output.received_snapshot);
  log_->Saved(output.entries);
  const bool any = !output.entries.empty();
  raft_->Saved(any ? output.entries.back().term : Term(0),
               any ? output.entries.back().index : Index(0));
}

void ReplicaHost::HandOver(raft::Output& output) {
  if (output.received_snapshot) {
    next_committed_ = output.received_snapshot->index + 1;
    work_.emplace_back(*output.received_snapshot);
  }
  for (const raft::Entry& entry : output.committed) {
    if (entry.index != next_committed_) return Fail("committed entries come in order, each once");
    ++next_committed_;
    if (entry.index > log_->last()) return Fail("a committed entry is not stored");
    const auto [known, first] = committed_.emplace(entry.index, entry);
    if (!(known->second == entry)) return Fail("a committed entry has changed");
  }
  if (!output.committed.empty()) work_.emplace_back(std::move(output.committed));
}

void ReplicaHost::Apply(std::size_t limit) {
  for (; limit > 0 && !work_.empty() && !over() && wrong_.empty(); --limit) {
    const Work work = std::move(work_.front());
    work_.pop_front();
    if (const auto* entries = std::get_if<std::vector<raft::Entry>>(&work)) {
      ApplyEntries(*entries);
      continue;
    }
    const auto& snapshot = std::get<raft::SnapshotRecord>(work);
    installing_ = false;
    if (!Restore(snapshot)) return;
    Guarded([&] {
      raft_->SnapshotRestored(snapshot);
      raft_->Applied(snapshot.index);
    });
  }
}

void ReplicaHost::ApplyEntries(const std::vector<raft::Entry>& entries) {
  std::vector<state_machine::AppliedEntry> outcomes;
  const auto applied = runtime_->Apply(entries, outcomes);
  if (!applied) return Fail("committed entries can be applied: " + applied.error().message);
  bool removed = false;
  Guarded([&] {
    for (const state_machine::AppliedEntry& entry : outcomes) {
      const bool accepted = entry.outcome == state_machine::AppliedAs::kChangeAccepted;
      if (!accepted && entry.outcome != state_machine::AppliedAs::kChangeRefused) continue;
      raft_->ConfigChangeApplied(entry.index, accepted, runtime_->membership());
      removed |= accepted && entry.change->type == raft::ConfigChangeType::kRemove &&
                 entry.change->replica == kSelf;
    }
    raft_->Applied(runtime_->applied());
  });
  if (removed) raft_.reset();
}

/// False when the image cannot be used: its checksums were right, what they cover is not.
bool ReplicaHost::Restore(const raft::SnapshotRecord& snapshot) {
  std::unique_ptr<SnapshotReader> stream;
  if (config_.role != ReplicaRole::kWitness) {
    auto image = stores_->snapshots->Open(kRef, snapshot.index);
    if (!image) {
      Fail("the image that was received is there: " + image.error().message);
      return false;
    }
    auto opened = codec::OpenImage(std::move(*image), snapshot.image_bytes);
    if (opened) stream = std::move(*opened);
  }
  const bool done = (stream != nullptr || config_.role == ReplicaRole::kWitness) &&
                    runtime_->Recover(snapshot, std::move(stream), {}).has_value();
  if (!done) raft_.reset();
  return done;
}

void ReplicaHost::TakeSnapshot(std::uint64_t keep) {
  if (over() || !wrong_.empty() || installing_ || config_.role == ReplicaRole::kWitness) return;
  if (runtime_->applied() <= log_->snapshot().index) return;
  auto sink = stores_->snapshots->Create(kRef);
  if (!sink || !(*sink)->Append(std::string(codec::kImageHeaderBytes, '\0'))) {
    return Fail("a snapshot can be begun");
  }
  const auto saved = runtime_->Save(**sink, config_.snapshot_compression, 1, {});
  if (!saved) return Fail("a snapshot can be taken: " + saved.error().message);
  if (!(*sink)->Rewrite(saved->header)) return Fail("a snapshot gets its header");
  // One that was received but not taken up may be newer.
  if (!(*sink)->Commit(saved->record)) return;
  const Index index = saved->record.index;
  Guarded([&] {
    log_->SetSnapshot(saved->record);
    const auto cut = log_->CutThrough(index.value() > keep ? index - keep : Index(0));
    if (!cut) Fail("the log can be cut: " + cut.error().message);
    raft_->SnapshotTaken(saved->record);
  });
}

}  // namespace drumbeat::fuzz
