// SPDX-License-Identifier: Apache-2.0
//
// One of three processes with a replica each, small limits, and more to propose than they allow.
// `flood_node REPLICA FOLDER LOG_MIB QUEUE_MIB STORE_MIB` obeys lines on stdin, one answer each:
//   leader                  leader N, or 0
//   flood BYTES MIB MS      proposes commands of BYTES as fast as it can, without waiting for any,
//                           until MIB of them were applied or MS have passed
//   answers                 answers APPLIED REFUSED OPEN, of all that were proposed
//   state                   state COUNT HASH
#include <any>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include "drumbeat/node_host.h"

#include "bench/counter_machine.h"

namespace drumbeat::system {
namespace {

using std::chrono::milliseconds;

constexpr ShardId kShard(1);
constexpr std::size_t kTooMuch = 512u << 20;

std::string Address(std::uint64_t replica) {
  return "localhost:" + std::to_string(63000 + replica);
}

/// Says what went wrong by ending.
template <class T>
T Must(Result<T> result) {
  if (!result) {
    std::cerr << result.error().text() << "\n";
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

class Node {
 public:
  Node(std::uint64_t replica, const std::string& folder, std::size_t log_mib, std::size_t queue_mib,
       std::size_t store_mib) {
    NodeHostConfig config;
    config.data_dir = folder;
    config.raft_address = Address(replica);
    config.tick = milliseconds(20);
    config.log_store_memory_bytes = store_mib << 20;
    config.transport.max_send_queue_bytes = queue_mib << 20;
    config.transport.max_receive_queue_bytes = queue_mib << 20;
    host_ = Must(NodeHost::Open(config));
    ReplicaConfig own;
    own.shard_id = kShard;
    own.replica_id = ReplicaId(replica);
    own.election_ticks = 50;
    own.snapshot_entries = 200;
    own.compaction_overhead = 50;
    own.max_in_memory_log_bytes = log_mib << 20;
    own.max_entry_bytes = 1u << 20;
    StartOptions options;
    for (std::uint64_t id = 1; id <= 3; ++id) options.initial_members[ReplicaId(id)] = Address(id);
    Must(host_->StartReplica(
        options, [](ShardId, ReplicaId) { return std::make_unique<bench::CounterMachine>(); },
        own));
  }
  ~Node() { host_->Close(milliseconds(0)); }

  std::string Obey(std::istringstream line) {
    std::string command;
    std::size_t bytes = 0;
    std::size_t mib = 0;
    std::uint64_t ms = 0;
    line >> command >> bytes >> mib >> ms;
    if (command == "leader") return "leader " + std::to_string(Leader());
    if (command == "flood") return Flood(bytes, mib << 20, milliseconds(ms));
    if (command == "state") return State();
    return "answers " + std::to_string(applied_) + " " + std::to_string(refused_) + " " +
           std::to_string(open_);
  }

 private:
  std::uint64_t Leader() const {
    const auto leader = host_->GetLeader(kShard);
    return leader ? leader->leader.value() : 0;
  }

  std::string State() const {
    const auto state = Must(host_->StaleRead(kShard, 1));
    const auto [count, hash] = std::any_cast<bench::CounterState>(state);
    return "state " + std::to_string(count) + " " + std::to_string(hash);
  }

  std::string Flood(std::size_t bytes, std::size_t most, milliseconds time) {
    std::string payload(bytes, 'x');
    const std::uint64_t before = applied_;
    const auto end = std::chrono::steady_clock::now() + time;
    // Only so much is open when nothing is refused, for the sake of whoever else computes here.
    while ((applied_ - before) * bytes < most && open_ * bytes < kTooMuch &&
           std::chrono::steady_clock::now() < end) {
      const std::string number = std::to_string(next_++);
      payload.replace(0, number.size(), number);
      ++open_;
      host_->Propose(kShard, Session::NoOp(kShard), payload, std::chrono::minutes(1))
          .Then([this](const Result<ApplyResult>& result) {
            if (result) ++applied_;
            if (!result && result.error().outcome() == Outcome::kDidNotHappen) ++refused_;
            --open_;
          });
    }
    return "flooded";
  }

  std::uint64_t next_ = 1;
  std::atomic<std::uint64_t> applied_ = 0;
  std::atomic<std::uint64_t> refused_ = 0;
  std::atomic<std::uint64_t> open_ = 0;
  std::unique_ptr<NodeHost> host_;
};

int Run(char** words) {
  const auto number = [words](int at) { return std::strtoull(words[at], nullptr, 10); };
  Node node(number(1), words[2], number(3), number(4), number(5));
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << node.Obey(std::istringstream(line)) << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace drumbeat::system

int main(int count, char** words) { return count == 6 ? drumbeat::system::Run(words) : 2; }
