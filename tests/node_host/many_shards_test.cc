// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include <gtest/gtest.h>

#include "base/resident_memory.h"
#include "test_cluster.h"

// N-14, R-03: what a host has once is not multiplied by its shards.
namespace drumbeat::node_host {
namespace {

constexpr milliseconds kTimeout(10'000);

/// Sockets that this process holds.
int Sockets() {
  int count = 0;
  std::error_code failure;
  for (const auto& fd : std::filesystem::directory_iterator("/proc/self/fd")) {
    count += std::filesystem::read_symlink(fd, failure).string().starts_with("socket:") ? 1 : 0;
  }
  return count;
}

/// `hosts` hosts, each of which founds `shards` shards with the others.
class ManyShards {
 public:
  ManyShards(std::uint64_t hosts, std::uint64_t shards)
      : hosts_(hosts), shards_(shards), cluster_(hosts) {}

  Result<void> Start(std::uint64_t id, std::uint64_t shard) {
    ReplicaConfig config = cluster_.Config(id);
    config.shard_id = ShardId(shard);
    config.election_ticks = 100;
    config.heartbeat_ticks = 10;
    StartOptions options;
    for (std::uint64_t member = 1; member <= hosts_; ++member) {
      options.initial_members[ReplicaId(member)] = cluster_.Host(member).address;
    }
    return cluster_.At(id).StartReplica(
        options, [](ShardId, ReplicaId) { return std::make_unique<TextMachine>(); }, config);
  }
  void StartAll(std::uint64_t id) {
    for (std::uint64_t shard = 1; shard <= shards_; ++shard) {
      const Result<void> started = Start(id, shard);
      ASSERT_TRUE(started.has_value()) << started.error().text();
    }
  }
  /// Every shard takes a command at host `id`.
  void SayAll(std::uint64_t id, const std::string& text) {
    std::map<std::uint64_t, Request<ApplyResult>> waiting;
    std::vector<std::uint64_t> open;
    for (std::uint64_t shard = 1; shard <= shards_; ++shard) open.push_back(shard);
    ASSERT_TRUE(Eventually([&] {
      for (const std::uint64_t shard : open) {
        waiting.insert_or_assign(
            shard,
            cluster_.At(id).Propose(ShardId(shard), Session::NoOp(ShardId(shard)), text, kTimeout));
      }
      std::erase_if(open, [&](std::uint64_t shard) { return waiting.at(shard).Get().has_value(); });
      return open.empty();
    })) << open.size()
        << " shards take nothing";
  }

  TestCluster& cluster() { return cluster_; }

 private:
  const std::uint64_t hosts_;
  const std::uint64_t shards_;
  TestCluster cluster_;
};

TEST(ManyShardsTest, ShareTheConnectionsAlsoAfterAllComeBackAtOnce) {
  ManyShards many(3, 200);
  for (std::uint64_t id = 1; id <= 3; ++id) many.StartAll(id);
  many.SayAll(1, "a");
  // Two ends of a connection each way between any two, and what each host listens to.
  const int sockets = 6 * 2 + 3 * 2;
  EXPECT_TRUE(Eventually([&] { return Sockets() <= sockets; })) << Sockets();
  for (int round = 0; round < 3; ++round) {
    many.cluster().Stop(2);
    many.cluster().Open(2);
    many.StartAll(2);
    many.SayAll(2, "b");
    EXPECT_TRUE(Eventually([&] { return Sockets() <= sockets; })) << Sockets();
  }
}

TEST(ManyShardsTest, AThousandElectAtOnceAndEachCostsLittleMemory) {
  constexpr std::uint64_t kShards = 1000;
  ManyShards many(1, kShards);
  const std::uint64_t before = base::ResidentBytes();
  many.StartAll(1);
  many.SayAll(1, "a");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(base::ResidentBytes() - before, kShards * (24u << 10));
#else
  (void)before;
#endif
}

}  // namespace
}  // namespace drumbeat::node_host
