// SPDX-License-Identifier: Apache-2.0
#include "interop/pipe_host.h"

#include <any>
#include <chrono>
#include <cstddef>
#include <string_view>
#include <utility>

#include "interop/counter_machine.h"
#include "interop/kv_machine.h"

namespace drumbeat::interop {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxContent = 64u << 10;

std::string ToHex(std::string_view bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(2 * bytes.size());
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    out += kDigits[value >> 4];
    out += kDigits[value & 15];
  }
  return out;
}

int HexDigit(char digit) { return digit <= '9' ? digit - '0' : digit - 'a' + 10; }

std::string FromHex(std::string_view text) {
  std::string out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    out += static_cast<char>(HexDigit(text[i]) << 4 | HexDigit(text[i + 1]));
  }
  return out;
}

std::uint64_t Number(const Json& request, const char* field) {
  return request.value(field, std::uint64_t{0});
}

bool Flag(const Json& request, const char* field) { return request.value(field, false); }

std::string Text(const Json& request, const char* field) {
  return request.value(field, std::string());
}

std::uint64_t RequestId(const Json& request) { return Number(request, "id"); }

ShardId Shard(const Json& request) { return ShardId(Number(request, "shard")); }

ReplicaId Replica(const Json& request) { return ReplicaId(Number(request, "replica")); }

std::chrono::milliseconds Timeout(const Json& request) {
  const std::uint64_t limit = Number(request, "timeout_ms");
  return std::chrono::milliseconds(limit == 0 ? 5000 : limit);
}

// Carries on a session that any host may have registered.
Session SessionOf(const Json& request) {
  return Session::Registered(Shard(request), Number(request, "client"), Number(request, "series"));
}

Json Describe(const Answer& answer) {
  Json reply = {
      {"found", answer.found}, {"size", answer.value.size()}, {"hash", Fnv(answer.value)}};
  if (answer.value.size() <= kMaxContent) reply["content"] = ToHex(answer.value);
  return reply;
}

Json Describe(const StateSummary& state) {
  return {{"state",
           {{"count", state.count},
            {"index", state.index},
            {"chain", state.chain},
            {"hash", state.hash},
            {"keys", state.keys},
            {"bytes", state.bytes}}}};
}

Json Describe(const MemberMap& members) {
  Json out = Json::object();
  for (const auto& [replica, address] : members) out[std::to_string(replica.value())] = address;
  return out;
}

Json Describe(const Membership& members) {
  Json removed = Json::array();
  for (const ReplicaId replica : members.removed) removed.push_back(replica.value());
  return {{"membership",
           {{"config_change_id", members.config_change_id},
            {"voters", Describe(members.voters)},
            {"non_votings", Describe(members.non_votings)},
            {"witnesses", Describe(members.witnesses)},
            {"removed", std::move(removed)}}}};
}

Json Nothing() { return Json::object(); }

ReplicaConfig ReplicaConfigOf(const Json& request) {
  const auto compression = [&](const char* field) {
    return Flag(request, field) ? Compression::kSnappy : Compression::kNone;
  };
  ReplicaConfig config;
  config.shard_id = Shard(request);
  config.replica_id = Replica(request);
  config.election_ticks = Number(request, "election_ticks");
  config.heartbeat_ticks = Number(request, "heartbeat_ticks");
  config.check_quorum = Flag(request, "check_quorum");
  config.pre_vote = Flag(request, "pre_vote");
  config.quiesce = Flag(request, "quiesce");
  config.ordered_config_change = Flag(request, "ordered_config_change");
  config.snapshot_entries = Number(request, "snapshot_entries");
  config.compaction_overhead = Number(request, "compaction_overhead");
  config.snapshot_compression = compression("snapshot_compression");
  config.entry_compression = compression("entry_compression");
  if (const std::uint64_t limit = Number(request, "max_log_bytes"); limit != 0) {
    config.max_entry_bytes = config.max_in_memory_log_bytes = limit;
  }
  if (Text(request, "role") == "nonvoting") config.role = ReplicaRole::kNonVoting;
  if (Text(request, "role") == "witness") config.role = ReplicaRole::kWitness;
  return config;
}

}  // namespace

PipeHost::~PipeHost() {
  if (host_ != nullptr) host_->Close();
  workers_.reset();
}

void PipeHost::Exit(std::uint64_t id) {
  if (host_ != nullptr) host_->Close();
  workers_.reset();
  Send(id, Nothing());
}

void PipeHost::Send(std::uint64_t id, Json reply) {
  reply["id"] = id;
  const std::string line = reply.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::lock_guard lock(output_mutex_);
  output_(line);
}

template <class T, class Describer>
void PipeHost::Reply(std::uint64_t id, const Result<T>& result, Describer describe) {
  if (!result) {
    const bool unknown = result.error().outcome() == Outcome::kUnknown;
    Send(id,
         {{"error", std::string(result.error().text())}, {"outcome", unknown ? "unknown" : "no"}});
  } else if constexpr (std::is_void_v<T>) {
    Send(id, describe());
  } else {
    Send(id, describe(*result));
  }
}

template <class T, class Describer>
void PipeHost::ReplyLater(std::uint64_t id, Request<T> request, Describer describe) {
  std::move(request).Then([this, id, describe](Result<T> result) { Reply(id, result, describe); });
}

void PipeHost::Obey(Json request) {
  const std::string command = Text(request, "cmd");
  if (command == "host") return OpenHost(request);
  if (command == "stats") return GiveStats(request);
  if (host_ == nullptr) {
    return Send(RequestId(request), {{"error", "the node host is not open"}, {"outcome", "no"}});
  }
  if (command == "start") return workers_->Run([this, request] { StartReplica(request); });
  if (command == "stop") {
    return ReplyLater(RequestId(request), host_->StopShard(Shard(request)), Nothing);
  }
  if (command == "propose") return Propose(request);
  if (command.ends_with("_session")) return SessionCommand(request);
  if (command == "read") return Read(request);
  if (command == "stale" || command == "state") {
    return workers_->Run([this, request] { StaleRead(request); });
  }
  if (command.starts_with("add") || command == "remove") return ChangeMembership(request);
  if (command == "membership") return GetMembership(request);
  if (command == "leader") return GetLeader(request);
  if (command == "transfer") return TransferLeadership(request);
  if (command == "snapshot") return TakeSnapshot(request);
  Send(RequestId(request), {{"error", "unknown command " + command}, {"outcome", "no"}});
}

void PipeHost::OpenHost(const Json& request) {
  NodeHostConfig config;
  config.data_dir = Text(request, "dir");
  config.raft_address = Text(request, "address");
  config.tick = std::chrono::milliseconds(Number(request, "tick_ms"));
  config.deployment_id = Number(request, "deployment_id");
  config.listener = events_;
  if (request.contains("tls")) {
    const Json& tls = request["tls"];
    config.tls = TlsConfig{.ca_file = Text(tls, "ca"),
                           .certificate_file = Text(tls, "cert"),
                           .key_file = Text(tls, "key")};
  }
  Result<std::unique_ptr<NodeHost>> opened = NodeHost::Open(std::move(config));
  Reply(RequestId(request), opened, [](const auto&) { return Nothing(); });
  if (opened) host_ = std::move(*opened);
}

void PipeHost::StartReplica(const Json& request) {
  StartOptions options;
  options.join = Flag(request, "join");
  if (request.contains("members")) {
    for (const auto& [replica, address] : request["members"].items()) {
      options.initial_members[ReplicaId(std::stoull(replica))] = address.get<std::string>();
    }
  }
  const bool counter = Text(request, "machine") == "counter";
  const StateMachineFactory factory = [counter](ShardId, ReplicaId) {
    std::unique_ptr<StateMachine> machine;
    if (counter) {
      machine = std::make_unique<CounterMachine>();
    } else {
      machine = std::make_unique<KvMachine>();
    }
    return machine;
  };
  Reply(RequestId(request), host_->StartReplica(options, factory, ReplicaConfigOf(request)),
        Nothing);
}

void PipeHost::Propose(const Json& request) {
  ReplyLater(RequestId(request),
             host_->Propose(Shard(request), SessionOf(request), FromHex(Text(request, "command")),
                            Timeout(request)),
             [](const ApplyResult& result) {
               return Json{{"value", result.value}, {"data", ToHex(result.data)}};
             });
}

void PipeHost::SessionCommand(const Json& request) {
  if (Text(request, "cmd") == "open_session") {
    return ReplyLater(RequestId(request), host_->OpenSession(Shard(request), Timeout(request)),
                      [](const Session& session) { return Json{{"client", session.client_id()}}; });
  }
  ReplyLater(RequestId(request), host_->CloseSession(SessionOf(request), Timeout(request)),
             Nothing);
}

void PipeHost::Read(const Json& request) {
  ReplyLater(RequestId(request),
             host_->Read(Shard(request), Query{.key = Text(request, "key")}, Timeout(request)),
             [](const std::any& found) { return Describe(std::any_cast<const Answer&>(found)); });
}

void PipeHost::StaleRead(const Json& request) {
  const bool summary = Text(request, "cmd") == "state";
  Reply(RequestId(request),
        host_->StaleRead(Shard(request), Query{.key = Text(request, "key"), .summary = summary}),
        [summary](const std::any& found) {
          const Answer& answer = std::any_cast<const Answer&>(found);
          return summary ? Describe(answer.state) : Describe(answer);
        });
}

void PipeHost::ChangeMembership(const Json& request) {
  const std::string command = Text(request, "cmd");
  const std::uint64_t change_id = Number(request, "config_change_id");
  const auto add = [&](auto change) {
    ReplyLater(RequestId(request),
               ((*host_).*change)(Shard(request), Replica(request), Text(request, "address"),
                                  Timeout(request), change_id),
               [](const Membership& members) { return Describe(members); });
  };
  if (command == "add") return add(&NodeHost::RequestAddReplica);
  if (command == "add_nonvoting") return add(&NodeHost::RequestAddNonVoting);
  if (command == "add_witness") return add(&NodeHost::RequestAddWitness);
  ReplyLater(
      RequestId(request),
      host_->RequestDeleteReplica(Shard(request), Replica(request), Timeout(request), change_id),
      [](const Membership& members) { return Describe(members); });
}

void PipeHost::GetMembership(const Json& request) {
  ReplyLater(RequestId(request), host_->GetShardMembership(Shard(request), Timeout(request)),
             [](const Membership& members) { return Describe(members); });
}

void PipeHost::GetLeader(const Json& request) {
  Reply(RequestId(request), host_->GetLeader(Shard(request)), [](const LeaderInfo& info) {
    return Json{{"leader", info.leader.value()}, {"term", info.term.value()}};
  });
}

void PipeHost::TransferLeadership(const Json& request) {
  ReplyLater(RequestId(request),
             host_->RequestLeaderTransfer(Shard(request), Replica(request), Timeout(request)),
             [](const LeaderInfo& info) {
               return Json{{"leader", info.leader.value()}, {"term", info.term.value()}};
             });
}

void PipeHost::TakeSnapshot(const Json& request) {
  const SnapshotOptions options{.compaction_overhead = Number(request, "compaction_overhead")};
  ReplyLater(RequestId(request), host_->RequestSnapshot(Shard(request), options, Timeout(request)),
             [](Index index) { return Json{{"index", index.value()}}; });
}

void PipeHost::GiveStats(const Json& request) {
  Send(RequestId(request), {{"stats",
                             {{"leader_changes", events_->leader_changes.load()},
                              {"snapshots_taken", events_->snapshots_taken.load()},
                              {"snapshots_sent", events_->snapshots_sent.load()},
                              {"snapshots_failed", events_->snapshots_failed.load()},
                              {"snapshots_received", events_->snapshots_received.load()},
                              {"snapshots_recovered", events_->snapshots_recovered.load()},
                              {"log_compactions", events_->log_compactions.load()}}}});
}

}  // namespace drumbeat::interop
