// SPDX-License-Identifier: Apache-2.0
#include "simulation/log_oracle.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <variant>

#include "raft/quorum.h"

namespace drumbeat::simulation {
namespace {

std::string Text(auto id) { return std::to_string(id.value()); }

/// Leaders' logs are compared with this many of the newest committed entries.
constexpr std::uint64_t kCompared = 300;

std::uint64_t ContentOf(const raft::Entry& entry) {
  std::uint64_t hash = std::hash<std::string_view>()(entry.command.view());
  for (const std::uint64_t part : {static_cast<std::uint64_t>(entry.type), entry.key,
                                   entry.client_id, entry.series_id, entry.responded_to}) {
    hash = (hash ^ part) * 0x9e3779b97f4a7c15u;
  }
  return hash;
}

}  // namespace

void LogOracle::Broken(ReplicaId replica, const std::string& what) {
  world_.Broken("replica " + Text(replica) + " " + what);
}

Term LogOracle::Disk::TermAt(Index index) const {
  if (index < first || index > last()) return Term{0};
  return log[index - first].term;
}

// -- What the disks hold --------------------------------------------------------------------------

// An index and a term stand for one entry, and for one before it. A witness gets no commands.
void LogOracle::CheckMatching(ReplicaId replica, const raft::Entry& entry, Term previous) {
  const bool stripped = entry.type == raft::EntryType::kMetadata;
  const std::uint64_t content = stripped ? 0 : ContentOf(entry);
  const auto [at, fresh] = entries_.try_emplace(std::pair(entry.index, entry.term),
                                                Known{.previous = previous, .content = content});
  if (fresh) return;
  Known& known = at->second;
  if (!known.previous) known.previous = previous;
  if (known.content == 0) known.content = content;
  if ((previous && known.previous != previous) || (!stripped && known.content != content)) {
    Broken(replica, "has another entry " + Text(entry.index) + " of term " + Text(entry.term) +
                        " than others");
  }
}

LogOracle::Replaced::Replaced(const Disk& disk, Index where)
    : term(disk.term), known_committed(std::max(disk.commit, disk.seen_committed)), from(where) {
  for (Index i = from; from && i <= disk.last(); ++i) terms.push_back(disk.TermAt(i));
}

// What a replica knows to be committed stays, and so does what the leader of its term was told to
// be there, and what was committed in its term or before: whoever has led since has it.
void LogOracle::CheckReplaced(ReplicaId replica, const Replaced& before) {
  const Disk& now = disks_[replica];
  const Index promised = now.acknowledged_in == now.term ? now.acknowledged : Index{0};
  for (Index i = before.from; i <= std::max(before.last(), now.last()); ++i) {
    const Term had = before.TermAt(i);
    const Term has = now.TermAt(i);
    if (i.value() <= committed_.size()) {
      const CommittedEntry& committed = committed_[i.value() - 1];
      const bool differs = has ? has != committed.term : had == committed.term;
      if (committed.term && committed.by <= before.term && differs) {
        return Broken(replica, "takes another entry " + Text(i) + " than was committed before");
      }
    }
    if (!had || had == has) continue;
    if (i <= before.known_committed) {
      return Broken(replica, "replaces entry " + Text(i) + ", which it knows to be committed");
    }
    if (i <= promised) {
      return Broken(replica, "dropped what it had acknowledged: entry " + Text(i));
    }
  }
}

// Who was away while others committed an entry may take that of an older leader for it; a quorum
// has what is committed all the same.
void LogOracle::CheckKept(ReplicaId replica, const Replaced& before) {
  const Disk& now = disks_[replica];
  for (Index i = before.from; i <= before.last() && i.value() <= committed_.size(); ++i) {
    const Term committed = committed_[i.value() - 1].term;
    const bool lost = committed && before.TermAt(i) == committed && now.TermAt(i) != committed;
    if (lost && !OnQuorum(i, committed)) {
      return Broken(replica, "replaces entry " + Text(i) + ", which was committed by its copy");
    }
  }
}

void LogOracle::Put(Disk& disk, std::span<const raft::Entry> entries) {
  disk.log.resize(entries.front().index - disk.first);
  for (const raft::Entry& entry : entries) {
    disk.log.push_back(
        {.term = entry.term, .change = entry.type == raft::EntryType::kConfigChange});
  }
}

void LogOracle::Saved(const storage::ReplicaUpdate& update) {
  const ReplicaId replica = update.replica.replica;
  Disk& disk = disks_[replica];
  const Replaced before(disk, update.entries.empty() ? Index{} : update.entries.front().index);
  if (update.hard_state) {
    const raft::HardState& state = *update.hard_state;
    if (state.term < disk.term) Broken(replica, "stores an older term than before");
    if (state.term == disk.term && disk.vote && state.vote != disk.vote) {
      Broken(replica, "changes its vote in term " + Text(state.term));
    }
    if (state.commit < disk.commit) Broken(replica, "stores a smaller commit index than before");
    disk.term = state.term;
    disk.vote = state.vote;
    disk.commit = state.commit;
  }
  if (update.restart_behind) {
    const Index behind = update.restart_behind->index;
    if (behind > disk.image) Broken(replica, "begins its log behind a snapshot that it lacks");
    disk.log.clear();
    disk.first = behind + 1;
    // Of a leader of a later term it may be, in which that need not be so any more.
    disk.acknowledged = std::min(disk.acknowledged, behind);
  }
  if (!update.entries.empty()) {
    const Index from = update.entries.front().index;
    if (from > disk.last() + 1 || from < disk.first) {
      return Broken(replica, "stores entries that do not join its log");
    }
    Term previous = disk.TermAt(from - 1);
    for (const raft::Entry& entry : update.entries) {
      CheckMatching(replica, entry, previous);
      previous = entry.term;
    }
    Put(disk, update.entries);
    CheckReplaced(replica, before);
    CheckKept(replica, before);
  }
  if (disk.acknowledged_in == disk.term && disk.last() < disk.acknowledged) {
    Broken(replica, "dropped what it had acknowledged");
  }
  if (disk.commit > disk.last()) Broken(replica, "stores a commit index beyond its log");
  CheckChanges(replica, disk);
}

// A restart must not leave two changes of which neither is known to be committed.
void LogOracle::CheckChanges(ReplicaId replica, const Disk& disk) {
  const Index committed = std::max({disk.commit, disk.first - 1, disk.image});
  int changes = 0;
  for (Index i = committed + 1; i <= disk.last(); ++i) {
    changes += disk.log[i - disk.first].change ? 1 : 0;
  }
  if (changes > 1) Broken(replica, "stores two uncommitted changes of the members");
}

void LogOracle::SaveFailed(const storage::ReplicaUpdate& update) {
  Disk& disk = disks_[update.replica.replica];
  Index from = disk.last() + 1;
  if (!update.entries.empty()) from = update.entries.front().index;
  if (update.restart_behind) from = Index{1};
  disk.doubtful_from = std::min(from, disk.doubtful_from.value_or(from));
}

void LogOracle::Cut(ReplicaId replica, Index through) {
  Disk& disk = disks_[replica];
  if (through > disk.image) Broken(replica, "gives up entries that no snapshot holds");
  while (disk.first <= through && !disk.log.empty()) {
    disk.log.pop_front();
    ++disk.first;
  }
}

void LogOracle::Loaded(ReplicaId replica, const storage::StoredLog& log,
                       std::span<const raft::Entry> entries) {
  Disk& disk = disks_[replica];
  const raft::HardState& state = log.hard_state;
  const bool doubtful = disk.doubtful_from.has_value();
  if (state.term < disk.term || (state.term == disk.term && disk.vote && state.vote != disk.vote)) {
    Broken(replica, "finds another term or vote than it stored");
  }
  if (!doubtful && (state.term != disk.term || state.vote != disk.vote)) {
    Broken(replica, "finds a term or vote that it never stored");
  }
  if (log.first > disk.image + 1) {
    Broken(replica, "has a gap between its snapshot and its log");
  }
  const Index sure_end =
      doubtful ? std::min(*disk.doubtful_from, disk.last() + 1) : disk.last() + 1;
  if (log.last + 1 < sure_end) Broken(replica, "finds fewer entries than it stored");
  if (!doubtful && log.last > disk.last()) Broken(replica, "finds entries that it never stored");
  for (Index i = std::max(log.first, disk.first); i < sure_end; ++i) {
    if (i > log.last) break;
    if (entries[i - log.first].term != disk.TermAt(i)) {
      return Broken(replica, "finds another entry " + Text(i) + " than it stored");
    }
  }
  if (state.term == disk.acknowledged_in && log.last < disk.acknowledged) {
    Broken(replica, "lost what it had acknowledged");
  }
  Term previous = log.term_before_first.value_or(Term{0});
  for (const raft::Entry& entry : entries) {
    CheckMatching(replica, entry, previous);
    previous = entry.term;
  }
  disk.term = state.term;
  disk.vote = state.vote;
  disk.commit = state.commit;
  disk.log.clear();
  disk.first = log.first;
  if (!entries.empty()) Put(disk, entries);
  disk.doubtful_from.reset();
  disk.seen_committed = Index{0};
}

void LogOracle::ImageStored(ReplicaId replica, const raft::SnapshotRecord& record) {
  Disk& disk = disks_[replica];
  if (record.index > disk.image) {
    if (record.index.value() > committed_.size()) Commit(replica, record.index);
    if (record.index.value() <= committed_.size()) {
      const Term committed = committed_[record.index.value() - 1].term;
      if (committed && committed != record.term) {
        Broken(replica, "stores a snapshot of another entry " + Text(record.index));
      }
    }
    disk.image = record.index;
  }
}

// -- What the replicas do -------------------------------------------------------------------------

void LogOracle::Elected(ReplicaId replica, Term term) {
  if (term <= newest_leader_) return;
  newest_leader_ = term;
  const Disk& disk = disks_[replica];
  const std::uint64_t end = committed_.size();
  for (std::uint64_t i = end > kCompared ? end - kCompared : 0; i < end; ++i) {
    const Term committed = committed_[i].term;
    if (committed && !disk.Holds(Index(i + 1), committed)) {
      return Broken(replica, "leads term " + Text(term) + " without entry " +
                                 std::to_string(i + 1) + ", which is committed");
    }
  }
}

void LogOracle::Sent(const raft::Envelope& message) {
  Disk& disk = disks_[message.from];
  const ReplicaId self = message.from;
  // A pre-vote speaks of a term that may never be; who comes back says NoOp in the first term.
  const bool vague =
      std::holds_alternative<raft::RequestPreVote>(message.message) ||
      std::holds_alternative<raft::PreVoteReply>(message.message) ||
      (std::holds_alternative<raft::NoOp>(message.message) && message.term == Term{1});
  if (!vague && message.term > disk.term) Broken(self, "speaks in a term that is not durable");
  if (const auto* vote = std::get_if<raft::VoteReply>(&message.message); vote && !vote->rejected) {
    if (message.term == disk.term && disk.vote != message.to) {
      Broken(self, "gives a vote that is not durable");
    }
  }
  if (std::holds_alternative<raft::RequestVote>(message.message) && message.term == disk.term &&
      disk.vote != self) {
    Broken(self, "campaigns without a durable vote for itself");
  }
  if (std::holds_alternative<raft::Heartbeat>(message.message)) Elected(self, message.term);
  if (const auto* append = std::get_if<raft::AppendEntries>(&message.message)) {
    Elected(self, message.term);
    Term previous = append->previous_term;
    for (const raft::Entry& entry : append->entries) {
      CheckMatching(self, entry, previous);
      previous = entry.term;
    }
  }
  const auto* reply = std::get_if<raft::AppendReply>(&message.message);
  // In an older term the log may have been cut for a newer leader since.
  if (reply != nullptr && !reply->rejected && message.term == disk.term) {
    if (reply->index > std::max(disk.last(), disk.image)) {
      Broken(self, "acknowledges what is not durable");
    }
    if (disk.acknowledged_in != message.term) disk.acknowledged = Index{0};
    disk.acknowledged_in = message.term;
    disk.acknowledged = std::max(disk.acknowledged, reply->index);
  }
}

bool LogOracle::OnQuorumOf(const Membership& members, Index index, Term term) const {
  std::size_t voting = 0;
  std::size_t durable = 0;
  for (const MemberMap* kind : {&members.voters, &members.witnesses}) {
    for (const auto& [id, address] : *kind) {
      ++voting;
      const auto disk = disks_.find(id);
      durable += disk != disks_.end() && disk->second.Holds(index, term) ? 1 : 0;
    }
  }
  return voting > 0 && durable >= raft::QuorumSize(voting);
}

bool LogOracle::OnQuorum(Index index, Term term) const {
  // The newest change may have been applied just after the commit.
  auto members = memberships_.rbegin();
  for (int i = 0; i < 2 && members != memberships_.rend(); ++i, ++members) {
    if (OnQuorumOf(members->second, index, term)) return true;
  }
  return false;
}

std::optional<Term> LogOracle::TermOnQuorum(Index index) const {
  for (const auto& [replica, disk] : disks_) {
    const Term term = disk.TermAt(index);
    if (term && OnQuorum(index, term)) return term;
  }
  return std::nullopt;
}

void LogOracle::Commit(ReplicaId replica, Index index) {
  const std::optional<Term> term = TermOnQuorum(index);
  if (!term) {
    return Broken(replica, "takes entry " + Text(index) +
                               " for committed, which is on the disks of no majority");
  }
  const Term by = std::max(newest_leader_, disks_[replica].term);
  for (std::uint64_t i = committed_.size() + 1; i <= index.value(); ++i) {
    Term of_it;
    for (const auto& [other, disk] : disks_) {
      if (disk.TermAt(index) == *term && disk.TermAt(Index(i))) of_it = disk.TermAt(Index(i));
    }
    committed_.push_back({.term = of_it, .by = by});
  }
}

void LogOracle::Committed(ReplicaId replica, Index index, const Membership& members) {
  // Before the founding members' own entries are applied, some of them seem to be few.
  if (members.config_change_id >= founders_) {
    memberships_.try_emplace(members.config_change_id, members);
  }
  Disk& disk = disks_[replica];
  if (index < disk.seen_committed) Broken(replica, "takes back a commit");
  disk.seen_committed = index;
  if (index.value() > committed_.size() && !memberships_.empty()) Commit(replica, index);
}

void LogOracle::Applied(ReplicaId replica, Index index) {
  const Disk& disk = disks_[replica];
  if (index > std::max(disk.last(), disk.image)) {
    return Broken(replica, "applies entry " + Text(index) + " before it is durable there");
  }
  if (index.value() > committed_.size()) Commit(replica, index);
  if (index.value() > committed_.size()) return;  // which is broken, and said so
  const Term committed = committed_[index.value() - 1].term;
  const Term own = disk.TermAt(index);
  if (committed && own && committed != own) {
    Broken(replica, "applies another entry " + Text(index) + " than was committed");
  }
}

}  // namespace drumbeat::simulation
