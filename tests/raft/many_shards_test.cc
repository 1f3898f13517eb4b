// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "raft/test_shard.h"

// a host has replicas of very many shards. What a cut does to one of them it does to all at
// once, and what all do then must not come at once.
namespace drumbeat::raft::testing {
namespace {

constexpr std::size_t kShards = 500;
constexpr std::uint64_t kTimeout = 10;

/// Shards of the same three hosts, all of which host 1 leads.
class ManyShardsTest : public ::testing::Test {
 protected:
  void Begin(const Options& options) {
    base::Random seeds(1);
    for (std::size_t n = 0; n < kShards; ++n) {
      auto shard = std::make_unique<TestShard>(3, options);
      for (std::uint64_t id = 1; id <= 3; ++id) {
        (*shard)[id].Crash();
        (*shard)[id].options().seed = seeds.Next();
        (*shard)[id].Start();
      }
      ASSERT_TRUE(shard->Elect(1));
      shard->TickAll(2);
      shard->sent.clear();
      shards_.push_back(std::move(shard));
    }
  }
  /// One tick of all hosts; how many messages of kind M it made them send.
  template <class M>
  std::size_t Tick() {
    std::size_t messages = 0;
    for (const auto& shard : shards_) {
      shard->TickAll();
      messages += Only<M>(shard->sent).size();
      shard->sent.clear();
    }
    return messages;
  }
  std::size_t Led() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(shards_, [](const auto& shard) { return shard->Leader() > 1; }));
  }
  std::uint64_t Terms() const {
    std::uint64_t sum = 0;
    for (const auto& shard : shards_) sum += shard->raft(2).term().value();
    return sum;
  }

  std::vector<std::unique_ptr<TestShard>> shards_;
};

TEST_F(ManyShardsTest, TheirElectionsAreSpreadOverATimeout) {
  Options options = TestShard::DefaultOptions();
  options.election_ticks = kTimeout;
  Begin(options);
  const std::uint64_t terms = Terms();
  for (const auto& shard : shards_) (*shard)[1].Crash();
  std::size_t most = 0;
  std::size_t all = 0;
  for (std::uint64_t ticks = 0; ticks < 6 * kTimeout; ++ticks) {
    const std::size_t asked = Tick<RequestVote>();
    most = std::max(most, asked);
    all += asked;
  }
  EXPECT_GT(Led(), kShards * 98 / 100);
  // Each of the two that are left asks two. Both of one shard campaign in the same tick in one case
  // of ten, and then again.
  EXPECT_LT(most, kShards * 2 / 3) << "in one tick";
  EXPECT_LT(all, kShards * 3);
  EXPECT_LT(Terms() - terms, kShards * 3 / 2) << "rounds";
}

TEST_F(ManyShardsTest, AHostThatComesBackElectsNobodyAnew) {
  Options options = TestShard::DefaultOptions();
  options.election_ticks = kTimeout;
  options.pre_vote = true;
  Begin(options);
  for (const auto& shard : shards_) shard->Isolate(1);
  for (std::uint64_t ticks = 0; ticks < 6 * kTimeout; ++ticks) Tick<RequestVote>();
  ASSERT_EQ(Led(), kShards);
  const std::uint64_t terms = Terms();
  for (const auto& shard : shards_) shard->Heal();
  std::size_t asked = 0;
  for (std::uint64_t ticks = 0; ticks < 3 * kTimeout; ++ticks) asked += Tick<RequestVote>();
  EXPECT_EQ(asked, 0u);
  EXPECT_EQ(Terms(), terms);
  EXPECT_EQ(Led(), kShards);
}

}  // namespace
}  // namespace drumbeat::raft::testing
