// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "simulation/sim_host.h"
#include "simulation/sim_network.h"
#include "simulation/sim_shard.h"

namespace drumbeat::simulation {
namespace {

using raft::ConfigChangeType;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kTimeout(3000);
constexpr ShardId kShard(128);

/// A tour through everything that hosts say to each other. Each byte of it goes past the referee:
/// the tests fail at once if one would end or corrupt a Dragonboat process, and at the end if some
/// rule had nothing to judge.
class SentBytesTest : public testing::TestWithParam<std::uint64_t> {
 protected:
  void Found(bool pre_vote, Compression compression) {
    plan_.settings.pre_vote = network_.referee.pre_vote = pre_vote;
    plan_.settings.compression = compression;
    for (std::uint64_t id = 1; id <= 6; ++id) {
      hosts_.push_back(std::make_unique<SimHost>(world_, network_, id));
      if (id > 3) continue;
      shard_.founders[ReplicaId(id)] = hosts_.back()->address();
      hosts_.back()->TakePart(shard_, SimHost::Part::kFounder, ReplicaRole::kVoter);
    }
    network_.observer = [this](const raft::Envelope& message) {
      At(message.from.value()).TellLogOracle(shard_, message);
    };
    for (std::uint64_t id = 1; id <= 3; ++id) At(id).Start();
  }
  SimHost& At(std::uint64_t id) { return *hosts_[id - 1]; }
  node_host::Host& Host(std::uint64_t id) { return At(id).host(); }

  /// Asks until it succeeds, and returns what came.
  template <class Ask>
  auto Done(Ask ask) {
    using Answer = decltype(ask().Get());
    for (int attempt = 0; attempt < 100; ++attempt) {
      auto answer = std::make_shared<std::optional<Answer>>();
      ask().Then([answer](Answer result) { *answer = std::move(result); });
      while (!*answer) world_.RunUntil(world_.now() + milliseconds(50));
      if (**answer) return std::move(**answer);
      world_.RunUntil(world_.now() + milliseconds(500));
    }
    ADD_FAILURE() << "never succeeded";
    return Answer(Fail(ErrorCode::kTimeout));
  }

  void Write(std::uint64_t at, const Session& session) {
    const std::string command = "command " + std::to_string(++written_);
    Done([&] { return Host(at).Propose(kShard, session, command, kTimeout); });
  }
  void WriteAndReadEverywhere(const std::vector<std::uint64_t>& ids) {
    for (const std::uint64_t id : ids) {
      Session session = *Done([&] { return Host(id).OpenSession(kShard, kTimeout); });
      Write(ids.front(), session);
      session.ProposalCompleted();
      Write(id, session);
      Done([&] { return Host(id).Read(kShard, {}, kTimeout); });
    }
  }
  void Change(ConfigChangeType type, std::uint64_t id) {
    const raft::ConfigChange change{
        .type = type,
        .replica = ReplicaId(id),
        .address = type == ConfigChangeType::kRemove ? "" : At(id).address()};
    // A change that went through without an answer is refused when asked for again.
    Done([&]() -> Request<Membership> {
      for (const std::uint64_t at : {1, 2, 3}) {
        const Result<ReplicaInfo> info = Host(at).GetReplicaInfo(kShard);
        if (info && Holds(info->membership, type, ReplicaId(id))) {
          return Request<Membership>::Completed(info->membership);
        }
      }
      return Host(2).RequestChange(kShard, change, kTimeout);
    });
  }
  static bool Holds(const Membership& members, ConfigChangeType type, ReplicaId id) {
    switch (type) {
      case ConfigChangeType::kAddVoter: return members.voters.contains(id);
      case ConfigChangeType::kRemove: return members.removed.contains(id);
      case ConfigChangeType::kAddNonVoting: return members.non_votings.contains(id);
      case ConfigChangeType::kAddWitness: return members.witnesses.contains(id);
    }
    return false;
  }
  void Join(std::uint64_t id, ConfigChangeType type, ReplicaRole role) {
    Change(type, id);
    At(id).TakePart(shard_, SimHost::Part::kJoiner, role);
    At(id).Start();
  }
  /// The leader gets one by itself and one from a follower before that is committed.
  void TwoChangesAtOnce() {
    const std::uint64_t leader = Leader();
    for (const std::uint64_t id : {4, 5}) {
      const raft::ConfigChange change{.type = ConfigChangeType::kAddNonVoting,
                                      .replica = ReplicaId(id),
                                      .address = At(id).address()};
      Host(id == 4 ? leader % 3 + 1 : leader)
          .RequestChange(kShard, change, kTimeout)
          .Then([](auto) {});
    }
  }
  void CutLogs() {
    for (const std::uint64_t id : {1, 2, 3}) {
      Write(id, Session::NoOp(kShard));
      Done([&] { return Host(id).RequestSnapshot(kShard, {.compaction_overhead = 0}, kTimeout); });
    }
  }
  std::uint64_t Leader() {
    return Done([&] { return Host(2).ReadIndex(kShard, kTimeout); })
               ? Host(2).GetLeader(kShard)->leader.value()
               : 0;
  }
  /// A follower misses some entries, whose announcements are then refused by it.
  void LoseSome() {
    const std::uint64_t leader = Leader();
    const std::uint64_t follower = leader % 3 + 1;
    network_.cut = {{At(leader).address(), At(follower).address()}};
    for (int i = 0; i < 5; ++i) Write(leader, Session::NoOp(kShard));
    network_.cut.clear();
    world_.RunUntil(world_.now() + seconds(3));
  }

  void Tour() {
    WriteAndReadEverywhere({1, 2, 3});
    Write(1, Session::NoOp(kShard));
    Done([&] { return Host(3).Propose(kShard, Session::NoOp(kShard), "", kTimeout); });
    LoseSome();
    TwoChangesAtOnce();
    Join(4, ConfigChangeType::kAddNonVoting, ReplicaRole::kNonVoting);
    WriteAndReadEverywhere({4});
    Change(ConfigChangeType::kAddVoter, 4);
    CutLogs();
    Join(5, ConfigChangeType::kAddVoter, ReplicaRole::kVoter);
    WriteAndReadEverywhere({5});
    CutLogs();
    Join(6, ConfigChangeType::kAddWitness, ReplicaRole::kWitness);
    WriteAndReadEverywhere({1, 3, 5});
    for (const std::uint64_t target : {3, 1, 2}) {
      Done([&] {
        return Host(target == 3 ? 2 : 3).RequestLeaderTransfer(kShard, ReplicaId(target), kTimeout);
      });
    }
    const std::uint64_t leader = Leader();
    At(leader).Crash();
    world_.RunUntil(world_.now() + seconds(20));
    At(leader).Start();
    Change(ConfigChangeType::kRemove, 4);
    WriteAndReadEverywhere({1, 2, 3, 5});
    world_.RunUntil(world_.now() + seconds(5));
  }

  World world_{GetParam()};
  SimNetwork network_{world_};
  Plan plan_;
  SimShard shard_{world_, plan_, kShard};
  std::vector<std::unique_ptr<SimHost>> hosts_;
  std::uint64_t written_ = 0;
};

TEST_P(SentBytesTest, NothingThatEndsDragonboat) {
  Found(true, Compression::kNone);
  Tour();
  for (std::size_t rule = 0; rule < static_cast<std::size_t>(WireRule::kCount_); ++rule) {
    EXPECT_GT(network_.referee.Judged(WireRule(rule)), 0u) << NameOf(WireRule(rule));
  }
}

TEST_P(SentBytesTest, NothingThatEndsDragonboatWithoutPreVotesAndWithCompression) {
  Found(false, Compression::kSnappy);
  Tour();
  EXPECT_EQ(network_.referee.Judged(WireRule::kPreVote), 0u);
  EXPECT_GT(network_.referee.Judged(WireRule::kEncodedCommand), 0u);
  EXPECT_GT(network_.referee.Judged(WireRule::kChunkHead), 0u);
}

// A leader that loses its leadership and comes back starts anew, but not what is still on its way:
// the receiver takes the second for the first begun again, refuses the rest of the first, whose end
// starts the third, and so on for ever.
TEST_P(SentBytesTest, OneSnapshotAtATimeToEachReceiver) {
  Found(true, Compression::kNone);
  WriteAndReadEverywhere({1, 2, 3});
  CutLogs();
  network_.chunk_delay = seconds(20);
  Join(4, ConfigChangeType::kAddVoter, ReplicaRole::kVoter);
  const std::uint64_t leader = Leader();
  world_.RunUntil(world_.now() + seconds(5));
  for (const std::uint64_t target : {leader % 3 + 1, leader}) {
    Done([&] {
      return Host(6 - target - Leader()).RequestLeaderTransfer(kShard, ReplicaId(target), kTimeout);
    });
    Write(target, Session::NoOp(kShard));
    world_.RunUntil(world_.now() + seconds(4));
  }
  WriteAndReadEverywhere({4});
  world_.RunUntil(world_.now() + seconds(90));
}

INSTANTIATE_TEST_SUITE_P(Seeds, SentBytesTest, testing::Values(1, 2, 3, 4, 5));

}  // namespace
}  // namespace drumbeat::simulation
