// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "fuzz/hostile_messages.h"
#include "fuzz/input.h"
#include "fuzz/replica_host.h"
#include "fuzz/targets.h"

namespace drumbeat::fuzz {
namespace {

constexpr int kMaxSteps = 300;

ReplicaConfig ConfigOf(std::uint8_t byte, bool join, std::uint8_t role) {
  ReplicaConfig config;
  config.shard_id = ReplicaHost::kShard;
  config.replica_id = ReplicaHost::kSelf;
  config.election_ticks = 5;
  config.check_quorum = (byte & 1) != 0;
  config.pre_vote = (byte & 2) != 0;
  config.quiesce = (byte & 4) != 0;
  config.max_in_memory_log_bytes = (byte & 8) != 0 ? 4000 : 0;
  config.snapshot_compression = (byte & 16) != 0 ? Compression::kSnappy : Compression::kNone;
  if (join) config.role = static_cast<ReplicaRole>(role % 3);
  return config;
}

StartOptions StartOf(bool join, std::uint8_t members) {
  StartOptions options{.initial_members = {}, .join = join};
  for (std::uint64_t id = 1; !join && id <= 1u + members % 3; ++id) {
    options.initial_members[ReplicaId(id)] = static_cast<char>('a' + id - 1) + std::string(":1");
  }
  return options;
}

class Drama {
 public:
  Drama(Input& input, const ReplicaConfig& config, const StartOptions& options)
      : input_(input), host_(config, options), peers_(input, host_) {}

  std::string Run() {
    for (int step = 0; step < kMaxSteps && !input_.empty(); ++step) {
      if (!host_.wrong().empty() || host_.over()) break;
      Step(input_.Byte() % 16);
      if (!lazy_) Settle();
    }
    return host_.wrong();
  }

 private:
  void Settle() {
    for (int round = 0; round < 3; ++round) {
      host_.Round();
      host_.Apply(100);
    }
  }

  void Step(int what) {
    switch (what) {
      case 0: return Ticks();
      case 6: return host_.Propose(peers_.Proposal());
      case 7: return host_.Propose(peers_.Change());
      case 8: return host_.Read();
      case 9: return Report();
      case 10: return host_.CrashAndStart(input_.Below(4));
      case 11: host_.Round(); return host_.Apply(input_.Below(4));
      case 12: return host_.TakeSnapshot(input_.Below(8));
      case 13: return host_.Receive(peers_.Snapshot());
      case 14: return host_.Receive(input_.Text());
      case 15: lazy_ = !lazy_; return;
      default: return host_.Receive(peers_.Batch());
    }
  }

  void Ticks() {
    for (int left = 1 + input_.Below(12); left > 0; --left) {
      host_.Tick();
      if (!lazy_) host_.Round();
    }
  }

  void Report() {
    switch (input_.Below(4)) {
      case 0: return host_.TransferLeadership(ReplicaId(input_.Below(5)));
      case 1: return host_.Unreachable(peers_.Peer());
      default: return host_.SnapshotStatus(peers_.Peer(), input_.Bool());
    }
  }

  Input& input_;
  ReplicaHost host_;
  HostileMessages peers_;
  /// The host takes its time: several inputs come before it goes on.
  bool lazy_ = false;
};

}  // namespace

std::string FuzzReplica(std::string_view bytes) {
  Input input(bytes);
  const std::uint8_t config = input.Byte();
  const std::uint8_t members = input.Byte();
  const bool join = (config & 32) != 0;
  return Drama(input, ConfigOf(config, join, members), StartOf(join, members)).Run();
}

}  // namespace drumbeat::fuzz
