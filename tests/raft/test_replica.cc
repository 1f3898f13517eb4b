// SPDX-License-Identifier: Apache-2.0
#include "raft/test_replica.h"

#include <sstream>
#include <utility>

#include "base/check.h"
#include "raft/membership.h"

namespace drumbeat::raft::testing {
namespace {

std::string Address(std::uint64_t id) { return "host" + std::to_string(id) + ":1"; }

std::string Describe(const Entry& entry) {
  const bool kept = entry.type != EntryType::kMetadata;
  return std::to_string(entry.term.value()) + "/" +
         (kept ? std::string(entry.command.view()) : "metadata");
}

}  // namespace

Membership Members(std::vector<std::uint64_t> voters, std::vector<std::uint64_t> non_votings,
                   std::vector<std::uint64_t> witnesses) {
  Membership members;
  for (std::uint64_t id : voters) members.voters[ReplicaId(id)] = Address(id);
  for (std::uint64_t id : non_votings) members.non_votings[ReplicaId(id)] = Address(id);
  for (std::uint64_t id : witnesses) members.witnesses[ReplicaId(id)] = Address(id);
  return members;
}

Entry Command(std::string_view text, std::uint64_t key) {
  Entry entry;
  entry.key = key;
  entry.client_id = 1;
  entry.command = base::Bytes::Copy(text);
  return entry;
}

Entry Change(std::string_view text) {
  Entry entry = Command(text);
  entry.type = EntryType::kConfigChange;
  return entry;
}

std::optional<ConfigChange> DecodeChange(const Entry& entry) {
  std::istringstream in{std::string(entry.command.view())};
  std::string kind;
  std::uint64_t id = 0;
  if (!(in >> kind >> id)) return std::nullopt;
  ConfigChange change;
  change.replica = ReplicaId(id);
  change.address = Address(id);
  if (kind == "voter") {
    change.type = ConfigChangeType::kAddVoter;
  } else if (kind == "remove") {
    change.type = ConfigChangeType::kRemove;
  } else if (kind == "nonvoting") {
    change.type = ConfigChangeType::kAddNonVoting;
  } else if (kind == "witness") {
    change.type = ConfigChangeType::kAddWitness;
  } else {
    return std::nullopt;
  }
  return change;
}

TestReplica::TestReplica(const Options& options, const Membership& members, Images& images)
    : options_(options), images_(images) {
  options_.shard = kShard;
  options_.read_change = &DecodeChange;
  Bootstrap(members);
}

void TestReplica::Bootstrap(const Membership& members) {
  const auto add = [this](const MemberMap& of_kind, std::string_view kind) {
    for (const auto& [id, address] : of_kind) {
      Entry entry = Change(std::string(kind) + " " + std::to_string(id.value()));
      entry.term = Term{1};
      disk_.Append(std::move(entry));
    }
  };
  add(members.voters, "voter");
  add(members.non_votings, "nonvoting");
  add(members.witnesses, "witness");
  if (disk_.last()) {
    disk_.set_hard_state({.term = Term{1}, .vote = ReplicaId{0}, .commit = disk_.last()});
  }
}

void TestReplica::Start() {
  const SnapshotRecord& snapshot = disk_.snapshot();
  members_ = snapshot.membership;
  history_ = snapshot.index ? images_.at(snapshot.index.value()) : History{};
  to_apply_.clear();
  next_to_apply_ = 0;
  recovery_.reset();
  const StoredState stored{
      .hard_state = disk_.hard_state(), .membership = members_, .applied = snapshot.index};
  raft_ = std::make_unique<Raft>(options_, stored, disk_);
}

void TestReplica::Crash(bool lose_unsynced) {
  raft_.reset();
  if (lose_unsynced) disk_.LoseUnsynced();
}

void TestReplica::Save(const Output& output) {
  disk_.Write(output);
  const bool any = !output.entries.empty();
  raft_->Saved(any ? output.entries.back().term : Term{0},
               any ? output.entries.back().index : Index{0});
}

void TestReplica::Finish(Output& output) {
  if (output.received_snapshot) {
    // What waits to be applied is older than the snapshot, which holds its effect.
    to_apply_.clear();
    next_to_apply_ = 0;
    recovery_ = std::move(output.received_snapshot);
  }
  for (Entry& entry : output.committed) to_apply_.push_back(std::move(entry));
  const auto append = [](auto& to, auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  append(reads, output.reads);
  append(dropped_reads, output.dropped_reads);
  append(dropped, output.dropped_proposals);
  append(snapshots, output.snapshots_to_send);
  if (output.leader_change) leader_changes.push_back(*output.leader_change);
}

void TestReplica::Apply(std::size_t limit) {
  if (recovery_) Recover();
  for (; limit > 0 && next_to_apply_ < to_apply_.size(); --limit) {
    ApplyEntry(to_apply_[next_to_apply_++]);
  }
  if (next_to_apply_ == to_apply_.size()) {
    to_apply_.clear();
    next_to_apply_ = 0;
  }
  raft_->Applied(applied());
}

void TestReplica::Recover() {
  const SnapshotRecord snapshot = *std::exchange(recovery_, std::nullopt);
  history_ = images_.at(snapshot.index.value());
  members_ = snapshot.membership;
  raft_->SnapshotRestored(snapshot);
}

void TestReplica::ApplyEntry(const Entry& entry) {
  DRUMBEAT_CHECK(entry.index == applied() + 1, "entries are applied in order, each once");
  if (on_apply) on_apply(entry);
  history_.push_back(Describe(entry));
  if (entry.type != EntryType::kConfigChange) return;
  const auto change = DecodeChange(entry);
  const bool accepted = change && !WhyRefused(members_, *change, ChangeOrder::kAny);
  if (accepted) raft::Apply(members_, *change, entry.index);
  raft_->ConfigChangeApplied(entry.index, accepted, members_);
}

std::vector<Envelope> TestReplica::RunOnce() {
  Output output = Take();
  std::vector<Envelope> messages = std::move(output.messages_now);
  Save(output);
  for (Envelope& message : output.messages_after_save) messages.push_back(std::move(message));
  Finish(output);
  Apply();
  return messages;
}

void TestReplica::TakeSnapshot(std::uint64_t keep) {
  const Index index = applied();
  if (index <= disk_.snapshot().index) return;
  const auto term = disk_.TermAt(index);
  images_[index.value()] = history_;
  SnapshotRecord record;
  record.index = index;
  record.term = term->value();
  record.membership = members_;
  record.image_bytes = 1;
  disk_.SetSnapshot(record);
  if (index.value() > keep) disk_.Cut(index - keep);
  raft_->SnapshotTaken(record);
}

}  // namespace drumbeat::raft::testing
