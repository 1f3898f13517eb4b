// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "test_cluster.h"

namespace drumbeat::node_host {
namespace {

constexpr ShardId kShard = TestCluster::kShard;
constexpr ShardId kOther{129};
constexpr milliseconds kTimeout(20'000);

/// What Update waits at while it is closed.
class Gate {
 public:
  void Close(bool closed) {
    const std::lock_guard lock(mutex_);
    closed_ = closed;
    changed_.notify_all();
  }
  void Pass() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !closed_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;
};

class GatedMachine : public TextMachine {
 public:
  explicit GatedMachine(Gate& gate) : gate_(gate) {}
  Result<ApplyResult> Update(const UpdateEntry& entry) override {
    gate_.Pass();
    return TextMachine::Update(entry);
  }

 private:
  Gate& gate_;
};

/// Three hosts with two shards: state machines of the first wait at their host's gate.
class SlowUpdateTest : public testing::Test {
 protected:
  void SetUp() override {
    StartOptions options;
    for (std::uint64_t id = 1; id <= 3; ++id) {
      options.initial_members[ReplicaId(id)] = cluster_.Host(id).address;
    }
    for (std::uint64_t id = 1; id <= 3; ++id) {
      ReplicaConfig config = cluster_.Config(id);
      config.max_entry_bytes = 64u << 10;
      config.max_in_memory_log_bytes = 1u << 20;
      const auto gated = [this, id](ShardId, ReplicaId) {
        return std::make_unique<GatedMachine>(gates_[id - 1]);
      };
      ASSERT_TRUE(cluster_.At(id).StartReplica(options, gated, config).has_value());
      config.shard_id = kOther;
      const auto text = [](ShardId, ReplicaId) { return std::make_unique<TextMachine>(); };
      ASSERT_TRUE(cluster_.At(id).StartReplica(options, text, config).has_value());
    }
    leader_ = cluster_.WaitForLeader();
    ASSERT_NE(leader_, 0u);
    ASSERT_TRUE(cluster_.Propose(leader_, "-").has_value());
    before_ = cluster_.At(leader_).GetLeader(kShard).value();
  }
  void TearDown() override {
    for (Gate& gate : gates_) gate.Close(false);
  }

  /// For five election timeouts the shard keeps its leader, and the other one is served.
  void ExpectAllGoOnBeside(std::uint64_t held) {
    gates_[held - 1].Close(true);
    std::vector<Request<ApplyResult>> requests;
    for (int i = 0; i < 100; ++i) {
      requests.push_back(
          cluster_.At(leader_).Propose(kShard, Session::NoOp(kShard), "x", kTimeout));
    }
    const ReplicaConfig config = cluster_.Config(held);
    const auto end = std::chrono::steady_clock::now() +
                     5 * config.election_ticks * cluster_.At(held).config().tick;
    while (std::chrono::steady_clock::now() < end) {
      ASSERT_TRUE(Eventually([&] {
        return cluster_.At(held)
            .Propose(kOther, Session::NoOp(kOther), "y", kTimeout)
            .Get()
            .has_value();
      }));
    }
    for (std::uint64_t id = 1; id <= 3; ++id) {
      EXPECT_EQ(cluster_.At(id).GetLeader(kShard).value(), before_) << id;
    }
    gates_[held - 1].Close(false);
    for (Request<ApplyResult>& request : requests) {
      const auto done = request.Get();
      EXPECT_TRUE(done.has_value()) << done.error().text();
    }
    text_ += std::string(100, 'x');
    for (std::uint64_t id = 1; id <= 3; ++id) EXPECT_TRUE(cluster_.WaitForText(id, text_)) << id;
  }

  std::array<Gate, 3> gates_;
  TestCluster cluster_{3};
  std::uint64_t leader_ = 0;
  LeaderInfo before_;
  std::string text_ = "-";
};

// P-10.
TEST_F(SlowUpdateTest, OfTheLeaderStopsNoHeartbeatsAndNoOtherShard) {
  ExpectAllGoOnBeside(leader_);
}

TEST_F(SlowUpdateTest, OfAFollowerNeither) { ExpectAllGoOnBeside(leader_ % 3 + 1); }

// Its memory would grow without end: neither the leader nor whoever passes proposals on to it has
// much that is not applied.
TEST_F(SlowUpdateTest, OfAFollowerLimitsWhatIsProposedAtAnother) {
  const std::uint64_t held = leader_ % 3 + 1;
  NodeHost& other = cluster_.At(held % 3 + 1);
  gates_[held - 1].Close(true);
  const std::string command(64u << 10, 'x');
  bool refused = false;
  for (int i = 0; i < 3000 && !refused; ++i) {
    refused = !other.Propose(kShard, Session::NoOp(kShard), command, milliseconds(2000)).Get();
  }
  EXPECT_TRUE(refused);
}

}  // namespace
}  // namespace drumbeat::node_host
