// SPDX-License-Identifier: Apache-2.0
#include "raft/explored_replica.h"

#include <string>

#include "base/check.h"
#include "raft/membership.h"
#include "raft/safety_checker.h"
#include "raft/state_hash.h"

namespace drumbeat::raft::testing {
namespace {

LogWord WordOf(const Entry& entry) {
  return static_cast<LogWord>(entry.term.value() << 8 | entry.key);
}

// So low that every tick is a timeout, and no dice decide.
Options ExploredOptions(std::uint64_t id, const ExploredSetup& setup) {
  Options options;
  options.read_change = &DecodeChange;
  options.shard = kShard;
  options.replica = ReplicaId(id);
  options.election_ticks = 1;
  options.heartbeat_ticks = 1;
  options.check_quorum = false;
  options.pre_vote = setup.pre_vote;
  const Membership& members = setup.members;
  if (members.witnesses.contains(options.replica)) options.initial_role = Role::kWitness;
  if (members.non_votings.contains(options.replica)) options.initial_role = Role::kNonVoting;
  return options;
}

void Found(FakeDisk& disk, const Membership& members) {
  const auto add = [&](const MemberMap& of_kind, const std::string& kind) {
    for (const auto& [id, address] : of_kind) {
      Entry entry = Change(kind + " " + std::to_string(id.value()));
      entry.key = 0;
      entry.term = Term{1};
      disk.Append(std::move(entry));
    }
  };
  add(members.voters, "voter");
  add(members.non_votings, "nonvoting");
  add(members.witnesses, "witness");
  disk.set_hard_state({.term = Term{1}, .vote = ReplicaId{0}, .commit = disk.last()});
}

}  // namespace

ExploredReplica::ExploredReplica(std::uint64_t id, const ExploredSetup& setup, DiskSwitch& disk)
    : id_(id), setup_(&setup), switch_(&disk) {
  // One who is no founder joins with an empty disk.
  if (IsMember(setup.members, ReplicaId(id))) Found(disk_, setup.members);
  Start();
  Work();
  while (has_to_apply()) Apply();
}

void ExploredReplica::Begin() {
  switch_->Use(disk_);
  reads_.clear();
}

void ExploredReplica::Start() {
  Begin();
  members_ = {};
  applied_.clear();
  to_apply_.clear();
  output_.reset();
  core_.emplace(ExploredOptions(id_, *setup_),
                StoredState{.hard_state = disk_.hard_state(), .membership = {}, .applied = {}},
                *switch_);
}

// -- What may happen ------------------------------------------------------------------------------

std::vector<Envelope> ExploredReplica::Tick() {
  Begin();
  core_->Tick();
  return Work();
}

std::vector<Envelope> ExploredReplica::Propose(std::uint64_t which) {
  Begin();
  const std::string& text = setup_->proposals.at(which - 1);
  Entry entry = DecodeChange(Change(text)) ? Change(text) : Command(text);
  entry.key = which;
  core_->Propose({entry});
  return Work();
}

std::vector<Envelope> ExploredReplica::Read(std::uint64_t which) {
  Begin();
  core_->ReadIndex({.low = which, .high = 1});
  return Work();
}

std::vector<Envelope> ExploredReplica::Transfer(std::uint64_t to) {
  Begin();
  core_->TransferLeadership(ReplicaId(to));
  return Work();
}

std::vector<Envelope> ExploredReplica::Deliver(Envelope envelope) {
  Begin();
  core_->Step(std::move(envelope));
  return Work();
}

std::vector<Envelope> ExploredReplica::Save() {
  Begin();
  std::vector<Envelope> sent;
  Finish(*std::exchange(output_, std::nullopt), sent);
  for (Envelope& message : Work()) sent.push_back(std::move(message));
  return sent;
}

std::vector<Envelope> ExploredReplica::Apply() {
  Begin();
  for (const Entry& entry : std::exchange(to_apply_, {})) ApplyEntry(entry);
  core_->Applied(Index(applied_.size()));
  return Work();
}

std::vector<Envelope> ExploredReplica::Crash(UnderWay under_way) {
  if (under_way == UnderWay::kWritten) disk_.Write(*output_);
  disk_.LoseUnsynced();
  HardState state = disk_.hard_state();
  if (setup_->fault == HostFault::kForgetsVote) state.vote = ReplicaId{0};
  if (setup_->fault == HostFault::kLosesLastEntry && disk_.last() > state.commit) {
    disk_.LoseLast();
  }
  disk_.set_hard_state(state);
  Start();
  std::vector<Envelope> sent = Work();
  DRUMBEAT_CHECK(sent.empty(), "a start sends nothing");
  return sent;
}

// -- The host -------------------------------------------------------------------------------------

std::vector<Envelope> ExploredReplica::Work() {
  std::vector<Envelope> sent;
  while (!output_ && core_->HasOutput()) {
    Output output = core_->TakeOutput();
    Send(output.messages_now, sent);
    SendTooEarly(output, sent);
    if (!output.must_sync) {
      Finish(std::move(output), sent);
      continue;
    }
    if (setup_->fault == HostFault::kCountsBeforeSave && !output.entries.empty()) {
      core_->Saved(output.entries.back().term, output.entries.back().index);
    }
    output_ = std::move(output);
  }
  return sent;
}

void ExploredReplica::SendTooEarly(Output& output, std::vector<Envelope>& sent) const {
  std::erase_if(output.messages_after_save, [&](const Envelope& message) {
    const bool early = (setup_->fault == HostFault::kVotesBeforeSave &&
                        std::holds_alternative<VoteReply>(message.message)) ||
                       (setup_->fault == HostFault::kAcknowledgesBeforeSave &&
                        std::holds_alternative<AppendReply>(message.message));
    if (early) sent.push_back(message);
    return early;
  });
}

void ExploredReplica::Finish(Output output, std::vector<Envelope>& sent) {
  disk_.Write(output);
  const bool any = !output.entries.empty();
  core_->Saved(any ? output.entries.back().term : Term{0},
               any ? output.entries.back().index : Index{0});
  Send(output.messages_after_save, sent);
  for (const ReadReady& read : output.reads) reads_.emplace_back(read.context.low, read.index);
  for (Entry& entry : output.committed) to_apply_.push_back(std::move(entry));
  if (setup_->apply_by_hand || to_apply_.empty()) return;
  for (const Entry& entry : std::exchange(to_apply_, {})) ApplyEntry(entry);
  core_->Applied(Index(applied_.size()));
}

void ExploredReplica::Send(std::vector<Envelope>& messages, std::vector<Envelope>& sent) {
  for (Envelope& message : messages) {
    // A host with a fault breaks promises; the question is whether the shard is seen to suffer.
    if (setup_->fault == HostFault::kNone) CheckPromise(message);
    sent.push_back(std::move(message));
  }
  messages.clear();
}

// What a message promises is durable when it leaves.
void ExploredReplica::CheckPromise(const Envelope& message) const {
  const bool asks = std::holds_alternative<RequestPreVote>(message.message) ||
                    std::holds_alternative<PreVoteReply>(message.message);
  const HardState durable = DurableState();
  if (!asks && message.term > durable.term)
    throw Violation("a term is spoken in before it is saved");
  if (const auto* vote = std::get_if<VoteReply>(&message.message)) {
    if (!vote->rejected && durable.term == message.term && durable.vote != message.to) {
      throw Violation("a vote is sent before it is saved");
    }
  }
  const auto* reply = std::get_if<AppendReply>(&message.message);
  if (reply && !reply->rejected && durable.term == message.term && reply->index > disk_.last()) {
    throw Violation("entries are acknowledged before they are saved");
  }
}

void ExploredReplica::ApplyEntry(const Entry& entry) {
  DRUMBEAT_CHECK(entry.index == Index(applied_.size() + 1), "entries are applied in order");
  applied_.push_back(WordOf(entry));
  if (entry.type != EntryType::kConfigChange) return;
  const auto change = DecodeChange(entry);
  const bool accepted = change && !WhyRefused(members_, *change, ChangeOrder::kAny);
  if (accepted) raft::Apply(members_, *change, entry.index);
  core_->ConfigChangeApplied(entry.index, accepted, members_);
}

// -- Views ----------------------------------------------------------------------------------------

std::uint64_t ExploredReplica::Hash() const {
  StateHash hash;
  hash.Add(id_);
  hash.Add(core_->fields());
  hash.Add(disk_.hard_state());
  hash.Add(DurableState());
  if (disk_.last()) hash.Add(*disk_.Read(Index{1}, disk_.last() + 1, ~std::uint64_t{0}));
  hash.Add(output_);
  hash.Add(to_apply_);
  hash.Add(applied_);
  hash.Add(members_);
  return hash.value();
}

std::vector<LogWord> ExploredReplica::DurableLog() const {
  std::vector<LogWord> words;
  if (!disk_.last()) return words;
  const auto entries = disk_.Read(Index{1}, disk_.last() + 1, ~std::uint64_t{0});
  for (const Entry& entry : *entries) words.push_back(WordOf(entry));
  return words;
}

HardState ExploredReplica::DurableState() const { return disk_.synced(); }

}  // namespace drumbeat::raft::testing
