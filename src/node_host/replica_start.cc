// SPDX-License-Identifier: Apache-2.0
#include "node_host/replica_start.h"

#include <array>
#include <utility>

#include "transport/address.h"

namespace drumbeat::node_host {
namespace {

std::unexpected<Error> Mismatch(std::string text) {
  return Fail(ErrorCode::kBootstrapMismatch, std::move(text));
}

std::string Words(const ReplicaRef& replica) {
  return "replica " + std::to_string(replica.replica.value()) + " of shard " +
         std::to_string(replica.shard.value());
}

std::optional<raft::ConfigChange> ReadChange(const raft::Entry& entry) {
  Result<raft::ConfigChange> change = codec::DecodeConfigChange(entry.command.view());
  return change ? std::optional(*std::move(change)) : std::nullopt;
}

}  // namespace

raft::Options RaftOptions(const ReplicaConfig& config, std::uint64_t seed) {
  raft::Options options;
  options.shard = config.shard_id;
  options.replica = config.replica_id;
  options.election_ticks = config.election_ticks;
  options.heartbeat_ticks = config.heartbeat_ticks;
  options.check_quorum = config.check_quorum;
  options.pre_vote = config.pre_vote;
  options.quiesce = config.quiesce;
  options.max_in_memory_log_bytes = config.max_in_memory_log_bytes;
  options.seed = seed;
  options.read_change = &ReadChange;
  switch (config.role) {
    case ReplicaRole::kVoter: break;
    case ReplicaRole::kNonVoting: options.initial_role = raft::Role::kNonVoting; break;
    case ReplicaRole::kWitness: options.initial_role = raft::Role::kWitness; break;
  }
  return options;
}

ReplicaStarter::ReplicaStarter(storage::LogStore& log_store, storage::SnapshotStore& snapshot_store,
                               std::string raft_address)
    : log_store_(log_store),
      snapshot_store_(snapshot_store),
      raft_address_(std::move(raft_address)) {}

Result<ReplicaStarter::Checked> ReplicaStarter::Check(const StartOptions& options,
                                                      const ReplicaConfig& config) {
  const ReplicaRef replica{config.shard_id, config.replica_id};
  Result<MemberMap> members = CheckMembers(options, config);
  if (!members) return std::unexpected(members.error());
  if (Result<void> good = CheckFolder(replica); !good) return std::unexpected(good.error());
  return CheckBootstrap(replica, *members, options.join);
}

Result<ReplicaStart> ReplicaStarter::Prepare(const Checked& checked) {
  if (checked.first) {
    const Result<void> saved = log_store_.SaveBootstrap(checked.replica, *checked.first);
    if (!saved) return std::unexpected(saved.error());
  }
  Result<ReplicaStart> start = Reconcile(checked.replica);
  if (!start || checked.founders.empty()) return start;
  const bool fresh = start->snapshot.index == Index(0) && start->log.last == Index(0) &&
                     start->log.hard_state == raft::HardState();
  if (!fresh) return start;
  const Result<void> written = WriteFoundingEntries(checked.replica, checked.founders);
  if (!written) return std::unexpected(written.error());
  return Reconcile(checked.replica);
}

Result<MemberMap> ReplicaStarter::CheckMembers(const StartOptions& options,
                                               const ReplicaConfig& config) const {
  if (options.join && !options.initial_members.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "a joining replica takes no initial members: it learns them from the group");
  }
  const auto syntax = config.allow_ipv6_members ? transport::AddressSyntax::kIpv6Too
                                                : transport::AddressSyntax::kDragonboat;
  MemberMap members;
  std::set<std::string> addresses;
  for (const auto& [replica, address] : options.initial_members) {
    if (!replica) return Fail(ErrorCode::kInvalidArgument, "replica ids are at least 1");
    if (!transport::ParseAddress(address, syntax)) {
      return Fail(ErrorCode::kInvalidAddress, "'" + address + "' is not a host:port address");
    }
    const std::string normal = transport::NormalizeAddress(address);
    if (!addresses.insert(normal).second) {
      return Fail(ErrorCode::kInvalidArgument, "two initial members have the address " + normal);
    }
    members[replica] = normal;
  }
  if (members.empty()) return members;
  const auto self = members.find(config.replica_id);
  if (self == members.end()) {
    return Fail(ErrorCode::kInvalidArgument,
                "replica " + std::to_string(config.replica_id.value()) +
                    " is not among the initial members; start it with join after it was added");
  }
  if (self->second != raft_address_) {
    return Fail(ErrorCode::kInvalidArgument, "the initial members say " + self->second +
                                                 " for this replica, its host is " + raft_address_);
  }
  if (config.role != ReplicaRole::kVoter) {
    return Fail(ErrorCode::kInvalidArgument, "an initial member must be a voter");
  }
  return members;
}

Result<void> ReplicaStarter::CheckFolder(const ReplicaRef& replica) {
  Result<bool> removed = log_store_.WasRemoved(replica);
  if (!removed) return std::unexpected(removed.error());
  if (*removed) {
    return Fail(ErrorCode::kReplicaRemoved, "the data of " + Words(replica) + " was removed here");
  }
  Result<std::vector<ReplicaRef>> known = log_store_.List(replica.shard);
  if (!known) return std::unexpected(known.error());
  for (const ReplicaRef& other : *known) {
    if (other.replica != replica.replica) {
      return Mismatch("this folder holds " + Words(other) + ", not replica " +
                      std::to_string(replica.replica.value()));
    }
  }
  return {};
}

Result<ReplicaStarter::Checked> ReplicaStarter::CheckBootstrap(const ReplicaRef& replica,
                                                               const MemberMap& members,
                                                               bool join) {
  Result<std::optional<codec::Bootstrap>> recorded = log_store_.LoadBootstrap(replica);
  if (!recorded) return std::unexpected(recorded.error());
  if (!*recorded) {
    if (!join && members.empty()) {
      return Mismatch(Words(replica) +
                      " was never started here: give its initial members, or let it join");
    }
    codec::Bootstrap record;
    record.addresses = members;
    record.join = join;
    return Checked{.replica = replica, .founders = members, .first = std::move(record)};
  }
  const codec::Bootstrap& first = **recorded;
  if (first.join && !members.empty()) {
    return Mismatch("shard settings are invalid: " + Words(replica) +
                    " was first started to join its group, start it with -join again");
  }
  if (!first.join && join) {
    return Mismatch("shard settings are invalid: " + Words(replica) +
                    " was first started as a founding member, start it without -join");
  }
  if (!members.empty() && members != first.addresses) {
    return Mismatch("shard settings are invalid: " + Words(replica) +
                    " was first started with other initial members");
  }
  return Checked{.replica = replica, .founders = first.addresses, .first = {}};
}

Result<void> ReplicaStarter::WriteFoundingEntries(const ReplicaRef& replica,
                                                  const MemberMap& members) {
  const std::vector<raft::Entry> entries = codec::BootstrapEntries(members);
  const std::array<storage::ReplicaUpdate, 1> updates{storage::ReplicaUpdate{
      .replica = replica,
      .hard_state = raft::HardState{.term = Term(1), .vote = {}, .commit = entries.back().index},
      .entries = entries}};
  return log_store_.Save(updates);
}

Result<ReplicaStart> ReplicaStarter::Reconcile(const ReplicaRef& replica) {
  Result<std::optional<raft::SnapshotRecord>> newest = snapshot_store_.Newest(replica);
  if (!newest) return std::unexpected(newest.error());
  Result<storage::StoredLog> log = log_store_.Load(replica);
  if (!log) return std::unexpected(log.error());
  ReplicaStart start{.log = std::move(*log)};
  if (*newest) start.snapshot = **newest;
  Result<bool> ahead = SnapshotIsAhead(replica, start);
  if (!ahead) return std::unexpected(ahead.error());
  if (*ahead) {
    if (Result<void> anew = RestartBehindSnapshot(replica, start); !anew) {
      return std::unexpected(anew.error());
    }
  }
  const Index snapshot = start.snapshot.index;
  const bool begins = start.log.first == Index(1) || start.log.first <= snapshot + 1;
  if (!begins || start.log.hard_state.commit > start.log.last) {
    return Fail(ErrorCode::kDamaged, "the stored log of " + Words(replica) +
                                         " is incomplete: remove it and add a new id");
  }
  return start;
}

Result<bool> ReplicaStarter::SnapshotIsAhead(const ReplicaRef& replica, const ReplicaStart& start) {
  const Index snapshot = start.snapshot.index;
  if (snapshot > start.log.last) return true;
  if (snapshot < start.log.first || snapshot <= start.log.hard_state.commit) return false;
  // Beyond the commit index the log may hold what a deposed leader wrote.
  Result<std::vector<raft::Entry>> entry = log_store_.Read(replica, snapshot, snapshot + 1, 0);
  if (!entry) return std::unexpected(entry.error());
  return entry->front().term != start.snapshot.term;
}

Result<void> ReplicaStarter::RestartBehindSnapshot(const ReplicaRef& replica, ReplicaStart& start) {
  const Index snapshot = start.snapshot.index;
  raft::HardState state = start.log.hard_state;
  if (start.snapshot.term > state.term)
    state = {.term = start.snapshot.term, .vote = {}, .commit = {}};
  state.commit = snapshot;
  const std::array<storage::ReplicaUpdate, 1> updates{storage::ReplicaUpdate{
      .replica = replica, .hard_state = state, .restart_behind = start.snapshot}};
  if (Result<void> saved = log_store_.Save(updates); !saved) return saved;
  start.log = {.hard_state = state,
               .first = snapshot + 1,
               .last = snapshot,
               .term_before_first = start.snapshot.term};
  return {};
}

}  // namespace drumbeat::node_host
