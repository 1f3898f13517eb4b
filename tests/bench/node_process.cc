// SPDX-License-Identifier: Apache-2.0
#include "bench/node_process.h"

#include <any>
#include <chrono>
#include <iostream>
#include <memory>
#include <sstream>
#include <utility>

#include "drumbeat/log.h"
#include "drumbeat/node_host.h"

#include "bench/closed_loop.h"
#include "bench/counter_machine.h"
#include "bench/system.h"

namespace drumbeat::bench {

namespace {

const ShardId kShard(1);

Result<std::unique_ptr<NodeHost>> OpenHost(const NodeOptions& options) {
  NodeHostConfig config;
  config.data_dir = options.folder;
  config.raft_address = "127.0.0.1:" + std::to_string(options.ports.at(options.replica - 1));
  config.listen_fd = options.listen_fd;
  config.tick = std::chrono::milliseconds(options.settings.tick_ms);
  config.engine_workers = options.settings.engine_workers;
  config.apply_workers = options.settings.apply_workers;
  config.log_store_memory_bytes = options.settings.log_store_mib << 20;
  config.log_level = LogLevel::kWarning;
  return NodeHost::Open(std::move(config));
}

Result<void> StartReplica(NodeHost& host, const NodeOptions& options) {
  StartOptions start;
  for (std::size_t i = 0; i < options.ports.size(); ++i) {
    start.initial_members[ReplicaId(i + 1)] = "127.0.0.1:" + std::to_string(options.ports[i]);
  }
  ReplicaConfig config;
  config.shard_id = kShard;
  config.replica_id = ReplicaId(options.replica);
  config.snapshot_entries = options.settings.snapshot_entries;
  config.compaction_overhead = options.settings.snapshot_entries / 2;
  return host.StartReplica(
      start, [](ShardId, ReplicaId) { return std::make_unique<CounterMachine>(); }, config);
}

std::string Failure(const Error& error) { return "error " + std::string(error.text()); }

std::string Leader(NodeHost& host) {
  const Result<LeaderInfo> leader = host.GetLeader(kShard);
  return std::to_string(leader ? leader->leader.value() : 0);
}

std::string State(NodeHost& host) {
  const Result<std::any> found = host.StaleRead(kShard, std::any(true));
  if (!found) return Failure(found.error());
  const auto state = std::any_cast<CounterState>(*found);
  return std::to_string(state.count) + " " + std::to_string(state.hash);
}

std::string Load(NodeHost& host, std::istream& arguments) {
  std::string operation;
  Cell cell;
  LoadWindow window;
  std::uint64_t start_ns = 0;
  arguments >> operation >> cell.in_flight >> cell.payload_bytes >> start_ns >> window.from_ns >>
      window.to_ns;
  cell.operation = operation == "read" ? Operation::kRead : Operation::kWrite;
  SleepUntilNs(start_ns);
  const LoadReport report = ClosedLoop(host, kShard, cell, window).Run();
  std::ostringstream answer;
  answer << report.acknowledged << ' ' << report.busy << ' ' << report.errors << ' '
         << report.latency.count() << ' ' << report.latency.Percentile(50) << ' '
         << report.latency.Percentile(99) << ' ' << report.latency.Percentile(99.9) << ' '
         << report.latency.max() << ' ' << report.first_error;
  return answer.str();
}

std::string Answer(NodeHost& host, const std::string& line) {
  std::istringstream arguments(line);
  std::string command;
  arguments >> command;
  if (command == "leader") return Leader(host);
  if (command == "state") return State(host);
  if (command == "load") return Load(host, arguments);
  return "error unknown command";
}

}  // namespace

int RunNode(const NodeOptions& options) {
  Result<std::unique_ptr<NodeHost>> host = OpenHost(options);
  if (!host) {
    std::cout << Failure(host.error()) << std::endl;
    return 1;
  }
  if (const Result<void> started = StartReplica(**host, options); !started) {
    std::cout << Failure(started.error()) << std::endl;
    return 1;
  }
  std::cout << "started" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << Answer(**host, line) << std::endl;
  }
  (*host)->Close(std::chrono::milliseconds(0));
  return 0;
}

}  // namespace drumbeat::bench
