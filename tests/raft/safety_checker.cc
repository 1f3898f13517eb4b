// SPDX-License-Identifier: Apache-2.0
#include "raft/safety_checker.h"

#include <algorithm>
#include <utility>

#include "raft/message_check.h"
#include "raft/quorum.h"

namespace drumbeat::raft::testing {
namespace {

std::string Text(auto id) { return std::to_string(id.value()); }

[[noreturn]] void Fail(const std::string& what) { throw Violation(what); }

bool IsWitness(const TestReplica& replica) {
  return replica.options().initial_role == Role::kWitness;
}

Term TermOnDisk(const FakeDisk& disk, Index index) {
  if (index + 1 < disk.first() || index > disk.last()) return Term{0};
  return disk.TermAt(index)->value();
}

}  // namespace

void SafetyChecker::AfterInput(TestReplica& replica) {
  Raft& raft = replica.raft();
  if (raft.complaint()) Fail("replica " + Text(replica.id()) + " complains: " + *raft.complaint());
  Seen& seen = seen_[replica.id()];
  if (raft.committed() < seen.committed) Fail("commit index of " + Text(replica.id()) + " fell");
  if (raft.term() < seen.term) Fail("term of " + Text(replica.id()) + " fell");
  if (raft.role() == Role::kLeader) {
    CheckLeader(replica);
    if (raft.committed() > seen.committed) CheckCommitIsOnQuorum(replica, raft.committed());
  }
  seen = {.committed = raft.committed(), .term = raft.term()};
}

void SafetyChecker::OnStart(TestReplica& replica) {
  seen_[replica.id()] = {.committed = replica.raft().committed(), .term = replica.raft().term()};
  if (replica.raft().term() < sent_term_[replica.id()]) {
    Fail("replica " + Text(replica.id()) + " forgot a term that it has spoken in");
  }
}

void SafetyChecker::CheckLeader(TestReplica& replica) {
  const Term term = replica.raft().term();
  const auto [known, first] = leader_of_.emplace(term, replica.id());
  if (known->second != replica.id()) {
    Fail("term " + Text(term) + " has two leaders: " + Text(known->second) + " and " +
         Text(replica.id()));
  }
}

// What is committed must survive whatever a minority does: it is on the disks of a majority.
void SafetyChecker::CheckCommitIsOnQuorum(TestReplica& replica, Index committed) {
  const Term term = replica.raft().term();
  std::size_t voting = 0;
  std::size_t durable = 0;
  const auto count = [&](const MemberMap& members) {
    for (const auto& [id, address] : members) {
      ++voting;
      const auto found = replicas_.find(id.value());
      if (found == replicas_.end()) continue;
      const FakeDisk& disk = found->second->disk();
      durable += TermOnDisk(disk, committed) == term || disk.snapshot().index >= committed;
    }
  };
  count(replica.members().voters);
  count(replica.members().witnesses);
  if (durable < QuorumSize(voting)) {
    Fail("leader " + Text(replica.id()) + " commits " + Text(committed) + ", which is on " +
         std::to_string(durable) + " of " + std::to_string(voting) + " disks");
  }
}

void SafetyChecker::OnWrite(const TestReplica& replica, const Output& output) {
  if (IsWitness(replica) || output.entries.empty()) return;
  CheckMatching(output.entries, TermOnDisk(replica.disk(), output.entries.front().index - 1));
}

// From when it is on a disk or on its way to another replica, an entry is known by index and term,
// and so is the one before it.
void SafetyChecker::CheckMatching(const std::vector<Entry>& entries, Term previous) {
  for (const Entry& entry : entries) {
    const Term before = std::exchange(previous, entry.term);
    if (entry.type == EntryType::kMetadata) continue;
    const std::string text(entry.command.view());
    const auto [at, first] = entries_.emplace(std::pair(entry.index, entry.term),
                                              Known{.previous = before, .text = text});
    Known& known = at->second;
    if (known.text != text) {
      Fail("entry " + Text(entry.index) + " of term " + Text(entry.term) + " exists twice: '" +
           known.text + "' and '" + text + "'");
    }
    if (!known.previous) known.previous = before;
    if (before && known.previous != before) {
      Fail("entry " + Text(entry.index) + " of term " + Text(entry.term) + " follows one of term " +
           Text(known.previous) + " and one of term " + Text(before));
    }
  }
}

void SafetyChecker::AfterWrite(TestReplica& replica) {
  const FakeDisk& disk = replica.disk();
  if (disk.hard_state().commit > disk.last()) Fail("a stored commit index is beyond the log");
  // Its leader counts on what was acknowledged for as long as its term lasts.
  const Acknowledged& acknowledged = acknowledged_[replica.id()];
  if (acknowledged.term == disk.hard_state().term && disk.last() < acknowledged.index) {
    Fail("replica " + Text(replica.id()) + " dropped what it had acknowledged");
  }
  CheckOneUncommittedChange(replica);
  if (replica.raft().role() == Role::kLeader) CheckLeaderHasCommitted(replica);
}

void SafetyChecker::CheckLeaderHasCommitted(TestReplica& replica) {
  const FakeDisk& disk = replica.disk();
  for (Index i = std::max(disk.first(), Index{1}); i.value() <= canonical_.size(); ++i) {
    const Committed& entry = canonical_[i.value() - 1];
    if (entry.seen_in >= replica.raft().term()) continue;
    if (TermOnDisk(disk, i) != entry.term) {
      Fail("leader " + Text(replica.id()) + " of term " + Text(replica.raft().term()) +
           " lacks committed entry " + Text(i));
    }
  }
}

// A restart must not leave two changes of which neither is known to be committed.
void SafetyChecker::CheckOneUncommittedChange(const TestReplica& replica) {
  FakeDisk disk = replica.disk();
  disk.LoseUnsynced();
  const Index committed = std::max(disk.hard_state().commit, disk.first() - 1);
  if (committed >= disk.last()) return;
  const auto entries = disk.Read(committed + 1, disk.last() + 1, ~std::uint64_t{0});
  const auto changes = std::ranges::count(*entries, EntryType::kConfigChange, &Entry::type);
  if (changes > 1) Fail("replica " + Text(replica.id()) + " stores two uncommitted changes");
}

void SafetyChecker::OnSend(TestReplica& replica, const Envelope& message) {
  if (!IsWellFormed(message)) Fail("replica " + Text(replica.id()) + " sent a malformed message");
  if (message.from != replica.id() || !message.to || message.to == message.from) {
    Fail("replica " + Text(replica.id()) + " sent a message with a wrong address");
  }
  const bool carries_term =
      std::visit([]<class M>(const M&) { return kCarriesTerm<M>; }, message.message);
  if (!carries_term && message.term) Fail("a request without a term was sent with one");
  if (const auto* append = std::get_if<AppendEntries>(&message.message)) {
    CheckMatching(append->entries, append->previous_term);
  }
  CheckPromises(replica, message);
}

void SafetyChecker::CheckPromises(TestReplica& replica, const Envelope& message) {
  FakeDisk disk = replica.disk();
  disk.LoseUnsynced();
  const HardState& durable = disk.hard_state();
  // A pre-vote and its answer speak of a term that nobody may ever reach.
  const bool hypothetical = std::holds_alternative<RequestPreVote>(message.message) ||
                            std::holds_alternative<PreVoteReply>(message.message);
  if (message.term && !hypothetical) {
    Term& last = sent_term_[replica.id()];
    if (message.term < last && !std::holds_alternative<AppendEntries>(message.message)) {
      Fail("replica " + Text(replica.id()) + " speaks in an older term than before");
    }
    last = std::max(last, message.term);
    if (message.term > durable.term) Fail("a message was sent in a term that is not durable");
  }
  if (const auto* vote = std::get_if<VoteReply>(&message.message); vote && !vote->rejected) {
    const auto [known, first] = votes_.emplace(std::pair(replica.id(), message.term), message.to);
    if (known->second != message.to) Fail("replica " + Text(replica.id()) + " voted twice");
    if (durable.term == message.term && durable.vote != message.to) {
      Fail("a vote was sent that is not durable");
    }
  }
  if (std::holds_alternative<RequestVote>(message.message)) {
    const auto [known, first] = votes_.emplace(std::pair(replica.id(), message.term), replica.id());
    if (known->second != replica.id()) Fail("replica " + Text(replica.id()) + " voted twice");
  }
  const auto* reply = std::get_if<AppendReply>(&message.message);
  // In an older term the log may have been cut for a newer leader since: the promise was kept for
  // as long as it was owed. Whoever counts it held every vote of that newer term to the longer log.
  if (reply && !reply->rejected && durable.term == message.term && reply->index > disk.last()) {
    Fail("replica " + Text(replica.id()) + " acknowledged what is not durable");
  }
  if (reply && !reply->rejected && message.term == durable.term) {
    Acknowledged& acknowledged = acknowledged_[replica.id()];
    if (acknowledged.term != message.term) acknowledged = {.term = message.term, .index = {}};
    acknowledged.index = std::max(acknowledged.index, reply->index);
  }
}

void SafetyChecker::OnApply(TestReplica& replica, const Entry& entry) {
  const std::size_t at = entry.index.value() - 1;
  if (at > canonical_.size()) Fail("entry " + Text(entry.index) + " was applied before others");
  if (at == canonical_.size()) {
    canonical_.push_back({.term = entry.term, .text = {}, .seen_in = replica.raft().term()});
  }
  Committed& committed = canonical_[at];
  if (committed.term != entry.term) {
    Fail("entry " + Text(entry.index) + " was applied with terms " + Text(committed.term) +
         " and " + Text(entry.term));
  }
  if (entry.index > replica.disk().last()) Fail("an entry was applied before it was durable");
  if (entry.index > replica.raft().committed()) Fail("an entry was applied but is not committed");
  if (entry.type == EntryType::kMetadata) {
    if (!IsWitness(replica)) Fail("replica " + Text(replica.id()) + " was fed metadata");
    return;
  }
  if (IsWitness(replica) && entry.type != EntryType::kConfigChange) {
    Fail("a witness was sent data");
  }
  const std::string text(entry.command.view());
  if (!committed.known) {
    committed.known = true;
    committed.text = text;
    if (!text.empty() && entry.type != EntryType::kConfigChange) {
      if (!applied_texts_.insert(text).second) Fail("'" + text + "' was applied twice");
      if (dropped_texts_.contains(text)) Fail("'" + text + "' was dropped and applied");
    }
  }
  if (committed.text != text) {
    Fail("entry " + Text(entry.index) + " is '" + committed.text + "' and '" + text + "'");
  }
  if (entry.type == EntryType::kConfigChange) {
    // As of before this change: compared when the next one comes, from everyone alike.
    const Membership& members = replica.members();
    const auto [known, first] = memberships_.emplace(members.config_change_id, members);
    if (known->second != members) {
      Fail("memberships differ at change " + std::to_string(members.config_change_id));
    }
  }
}

void SafetyChecker::OnReadReady(Index floor, Index got) const {
  if (got < floor) {
    Fail("a read got index " + Text(got) + " although " + Text(floor) +
         " was applied before it began");
  }
}

void SafetyChecker::OnDropped(const std::string& text) {
  dropped_texts_.insert(text);
  if (applied_texts_.contains(text)) Fail("'" + text + "' was applied and dropped");
}

}  // namespace drumbeat::raft::testing
