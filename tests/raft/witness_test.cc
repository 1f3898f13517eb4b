// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "raft/quorum.h"
#include "raft/test_shard.h"

// Groups that have witnesses: they vote, but have nothing to lead with.
namespace drumbeat::raft::testing {
namespace {

/// So many heartbeats without an answer, and a leader does without a voter.
constexpr std::uint64_t kUntilMissed = 4;

struct Group {
  std::uint64_t voters;
  std::uint64_t witnesses;

  std::uint64_t size() const { return voters + witnesses; }
  Membership members() const {
    std::vector<std::uint64_t> ids(size());
    std::iota(ids.begin(), ids.end(), 1);
    const auto end_of_voters = ids.begin() + static_cast<std::ptrdiff_t>(voters);
    return Members({ids.begin(), end_of_voters}, {}, {end_of_voters, ids.end()});
  }
  std::string name() const {
    return std::to_string(voters) + " voters, " + std::to_string(witnesses) + " witnesses";
  }
};

constexpr Group kGroups[] = {{2, 1}, {3, 1}, {4, 1}, {1, 2}, {2, 2}, {3, 2}};

/// Members 2 and up, as bits.
using Others = std::uint64_t;
Others AllOthers(const Group& group) { return (Others{1} << group.size()) - 2; }
bool Has(Others set, std::uint64_t id) { return (set >> (id - 1) & 1) != 0; }

bool HasVoter(const Group& group, Others set) {
  return (set & ((Others{1} << group.voters) - 1)) != 0;
}

bool IsMajority(const Group& group, Others set, std::size_t more = 0) {
  return static_cast<std::size_t>(std::popcount(set)) + more >= QuorumSize(group.size());
}

void CrashAllBut(TestShard& shard, const Group& group, Others alive) {
  for (std::uint64_t id = 2; id <= group.size(); ++id) {
    if (!Has(alive, id)) shard[id].Crash();
  }
}

// Whomever the leader's last entry has reached when it goes for good, and whoever is left.
TEST(WitnessTest, AnyLiveMajorityElectsWhenTheLeaderIsGone) {
  for (const Group& group : kGroups) {
    SCOPED_TRACE(group.name());
    for (Others reached = 0; reached <= AllOthers(group); reached += 2) {
      for (Others alive = 0; alive <= AllOthers(group); alive += 2) {
        if (!IsMajority(group, alive) || !HasVoter(group, alive)) continue;
        TestShard shard(group.members());
        ASSERT_TRUE(shard.Elect(1));
        for (std::uint64_t id = 2; id <= group.size(); ++id) {
          if (!Has(reached, id)) shard.Cut(1, id);
        }
        shard.Propose(1, "the last");
        shard[1].Crash();
        CrashAllBut(shard, group, alive);
        ASSERT_NE(shard.WaitForLeader(), 0u) << "reached " << reached << ", alive " << alive;
      }
    }
  }
}

// It had known for a while that some are dead; they stay so.
TEST(WitnessTest, AnyLiveMajorityElectsWhenTheLeaderOfFewIsGone) {
  for (const Group& group : kGroups) {
    SCOPED_TRACE(group.name());
    for (Others alive = 0; alive <= AllOthers(group); alive += 2) {
      if (!IsMajority(group, alive) || !HasVoter(group, alive)) continue;
      for (Others reached = 0; reached <= AllOthers(group); reached += 2) {
        if ((reached & ~alive) != 0) continue;
        TestShard shard(group.members());
        ASSERT_TRUE(shard.Elect(1));
        CrashAllBut(shard, group, alive);
        shard.TickAll(kUntilMissed);
        for (std::uint64_t id = 2; id <= group.size(); ++id) {
          if (!Has(reached, id)) shard.Cut(1, id);
        }
        shard.Propose(1, "the last");
        shard[1].Crash();
        ASSERT_NE(shard.WaitForLeader(), 0u) << "reached " << reached << ", alive " << alive;
      }
    }
  }
}

TEST(WitnessTest, ALeaderCommitsWithAnyLiveMajority) {
  for (const Group& group : kGroups) {
    SCOPED_TRACE(group.name());
    for (Others alive = 0; alive <= AllOthers(group); alive += 2) {
      if (!IsMajority(group, alive, 1)) continue;
      TestShard shard(group.members());
      ASSERT_TRUE(shard.Elect(1));
      CrashAllBut(shard, group, alive);
      shard.Propose(1, "on");
      shard.TickAll(kUntilMissed);
      ASSERT_EQ(shard[1].history().back(), "2/on") << "alive " << alive;
    }
  }
}

TEST(WitnessTest, ABrokenConnectionIsEnoughToDoWithoutAVoter) {
  TestShard shard(Members({1, 2}, {}, {3}));
  ASSERT_TRUE(shard.Elect(1));
  shard[2].Crash();
  shard.raft(1).Unreachable(ReplicaId{2});
  shard.Propose(1, "at once");
  EXPECT_EQ(shard[1].history().back(), "2/at once");
}

TEST(WitnessTest, ALeaderIsNeverUnreachableToItself) {
  TestShard shard(Members({1}, {}, {2, 3}));
  ASSERT_TRUE(shard.Elect(1));
  shard.raft(1).Unreachable(ReplicaId{1});
  shard.Propose(1, "on");
  EXPECT_EQ(shard[1].history().back(), "2/on");
}

// It answers heartbeats, but its disk stands still.
TEST(WitnessTest, AVoterThatLagsIsNotWaitedForLong) {
  TestShard shard(Members({1, 2}, {}, {3}));
  ASSERT_TRUE(shard.Elect(1));
  shard.TickAll(2);
  shard.filter = [](const Envelope& e) {
    return !std::holds_alternative<AppendReply>(e.message) || e.from != ReplicaId{2};
  };
  shard.Propose(1, "slow");
  shard.TickAll(kUntilMissed);
  EXPECT_NE(shard[1].history().back(), "2/slow");
  shard.TickAll(2 * TestShard::DefaultOptions().election_ticks);
  EXPECT_EQ(shard[1].history().back(), "2/slow");
  shard.Propose(1, "without it");
  EXPECT_EQ(shard[1].history().back(), "2/without it");

  shard.filter = nullptr;
  shard.TickAll(2 * TestShard::DefaultOptions().election_ticks);
  shard.Cut(1, 2);
  shard.Propose(1, "with it");
  EXPECT_NE(shard[1].history().back(), "2/with it") << "it has caught up";
}

// The leader and the witness could commit its removal: then the witness would be ahead of all who
// stay for ever.
TEST(WitnessTest, AVoterThatIsRemovedLeavesNoWitnessAheadOfThoseWhoStay) {
  TestShard shard(Members({1, 2}, {}, {3}));
  ASSERT_TRUE(shard.Elect(1));
  shard.Cut(1, 2);
  shard.Change(1, "remove 1");
  shard.Propose(1, "behind");
  shard.TickAll(kUntilMissed);
  EXPECT_TRUE(shard[1].members().voters.contains(ReplicaId{1})) << "nobody could lead without it";
  EXPECT_EQ(shard.raft(3).status().last_index + 2, shard.raft(1).status().last_index);

  shard.Heal();
  shard.TickAll(kUntilMissed);
  EXPECT_FALSE(shard[1].members().voters.contains(ReplicaId{1}));
  shard[1].Crash();
  ASSERT_EQ(shard.WaitForLeader(), 2u);
  shard.Propose(2, "on");
  EXPECT_EQ(shard[2].history().back().substr(2), "on");
  EXPECT_EQ(shard.raft(3).status().last_index, shard.raft(2).status().last_index);
}

TEST(WitnessTest, TheRemovalOfADeadVoterNeedsTheWitnessOnly) {
  TestShard shard(Members({1, 2}, {}, {3}));
  ASSERT_TRUE(shard.Elect(1));
  shard[2].Crash();
  shard.Change(1, "remove 2");
  shard.TickAll(kUntilMissed);
  EXPECT_FALSE(shard[1].members().voters.contains(ReplicaId{2}));
}

TEST(WitnessTest, TheLastVotersRemovalIsRefusedAndHoldsUpNothing) {
  TestShard shard(Members({1}, {}, {2}));
  ASSERT_TRUE(shard.Elect(1));
  shard.Change(1, "remove 1");
  shard.Propose(1, "a");
  EXPECT_EQ(shard[1].history().back(), "2/a");
}

}  // namespace
}  // namespace drumbeat::raft::testing
