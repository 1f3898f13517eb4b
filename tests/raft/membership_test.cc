// SPDX-License-Identifier: Apache-2.0
#include "raft/membership.h"

#include <string>

#include <gtest/gtest.h>

namespace drumbeat::raft {
namespace {

using enum ConfigChangeType;

/// Voters 1 and 2, non-voting 3, witness 4; 5 was removed; the last change stood at 9.
Membership Sample() {
  Membership members;
  members.config_change_id = 9;
  members.voters = {{ReplicaId{1}, "a:1"}, {ReplicaId{2}, "b:1"}};
  members.non_votings = {{ReplicaId{3}, "c:1"}};
  members.witnesses = {{ReplicaId{4}, "d:1"}};
  members.removed = {ReplicaId{5}};
  return members;
}

ConfigChange Make(ConfigChangeType type, std::uint64_t replica, std::string address = "new:1") {
  ConfigChange change;
  change.type = type;
  change.replica = ReplicaId{replica};
  change.address = std::move(address);
  return change;
}

struct Row {
  const char* what;
  ConfigChangeType type;
  std::uint64_t replica;
  const char* address;
  bool accepted;
};

// Every rule of Dragonboat's, one by one.
TEST(MembershipTest, AcceptsAndRefusesAsDragonboatDoes) {
  const Row rows[] = {
      {"a new voter", kAddVoter, 6, "new:1", true},
      {"a new non-voting member", kAddNonVoting, 6, "new:1", true},
      {"a new witness", kAddWitness, 6, "new:1", true},
      {"a removed id as voter", kAddVoter, 5, "new:1", false},
      {"a removed id as non-voting", kAddNonVoting, 5, "new:1", false},
      {"a removed id as witness", kAddWitness, 5, "new:1", false},
      {"a voter again", kAddVoter, 1, "new:1", false},
      {"a voter again at its address", kAddVoter, 1, "a:1", false},
      {"a non-voting member again", kAddNonVoting, 3, "new:1", false},
      {"a non-voting member again at its address", kAddNonVoting, 3, "c:1", false},
      {"a witness again", kAddWitness, 4, "new:1", false},
      {"a witness again at its address", kAddWitness, 4, "d:1", false},
      {"a voter becomes non-voting", kAddNonVoting, 1, "new:1", false},
      {"a voter becomes non-voting at its address", kAddNonVoting, 1, "a:1", false},
      {"a voter becomes a witness", kAddWitness, 1, "new:1", false},
      {"a witness becomes a voter", kAddVoter, 4, "d:1", false},
      {"a witness becomes a voter elsewhere", kAddVoter, 4, "new:1", false},
      {"a witness becomes non-voting", kAddNonVoting, 4, "d:1", false},
      {"a non-voting member becomes a witness", kAddWitness, 3, "c:1", false},
      {"a promotion", kAddVoter, 3, "c:1", true},
      {"a promotion at the address in capitals", kAddVoter, 3, " C:1 ", true},
      {"a promotion at another address", kAddVoter, 3, "new:1", false},
      {"a promotion at a voter's address", kAddVoter, 3, "a:1", false},
      {"a voter at a voter's address", kAddVoter, 6, "a:1", false},
      {"a voter at a non-voting member's address", kAddVoter, 6, "c:1", false},
      {"a voter at a witness's address", kAddVoter, 6, "d:1", false},
      {"a voter at an address in capitals", kAddVoter, 6, "A:1", false},
      {"a voter at an address with spaces", kAddVoter, 6, "  a:1\t", false},
      {"a non-voting member at a voter's address", kAddNonVoting, 6, "b:1", false},
      {"a witness at a non-voting member's address", kAddWitness, 6, "c:1", false},
      {"removing a voter", kRemove, 1, "", true},
      {"removing a non-voting member", kRemove, 3, "", true},
      {"removing a witness", kRemove, 4, "", true},
      {"removing a stranger", kRemove, 77, "", true},
      {"removing a removed one", kRemove, 5, "", true},
      {"removing id 0", kRemove, 0, "", true},
      {"adding id 0", kAddVoter, 0, "new:1", true},
  };
  for (const Row& row : rows) {
    const auto why =
        WhyRefused(Sample(), Make(row.type, row.replica, row.address), ChangeOrder::kAny);
    EXPECT_EQ(!why.has_value(), row.accepted) << row.what << ": " << why.value_or("accepted");
    EXPECT_NE(why, "") << row.what;
  }
}

TEST(MembershipTest, TheLastVoterStays) {
  Membership members = Sample();
  members.voters.erase(ReplicaId{2});
  EXPECT_TRUE(WhyRefused(members, Make(kRemove, 1), ChangeOrder::kAny));
  // The others go, and witnesses and non-voting members do not help.
  EXPECT_FALSE(WhyRefused(members, Make(kRemove, 3), ChangeOrder::kAny));
  EXPECT_FALSE(WhyRefused(members, Make(kRemove, 4), ChangeOrder::kAny));
  EXPECT_FALSE(WhyRefused(members, Make(kRemove, 99), ChangeOrder::kAny));
}

TEST(MembershipTest, OrderedChangesNameTheVersionTheySaw) {
  ConfigChange change = Make(kAddVoter, 6);
  change.config_change_id = 9;
  EXPECT_FALSE(WhyRefused(Sample(), change, ChangeOrder::kOrdered));
  change.config_change_id = 8;
  EXPECT_TRUE(WhyRefused(Sample(), change, ChangeOrder::kOrdered));
  EXPECT_FALSE(WhyRefused(Sample(), change, ChangeOrder::kAny));
  change.initialize = true;
  EXPECT_FALSE(WhyRefused(Sample(), change, ChangeOrder::kOrdered));
}

TEST(MembershipTest, ApplyingMovesTheMemberAndTheVersion) {
  Membership members = Sample();
  Apply(members, Make(kAddVoter, 3, "c:1"), Index{20});
  EXPECT_EQ(members.voters.at(ReplicaId{3}), "c:1");
  EXPECT_TRUE(members.non_votings.empty());
  EXPECT_EQ(members.config_change_id, 20u);

  Apply(members, Make(kAddNonVoting, 7, "e:1"), Index{21});
  EXPECT_EQ(members.non_votings.at(ReplicaId{7}), "e:1");
  Apply(members, Make(kAddWitness, 8, "f:1"), Index{22});
  EXPECT_EQ(members.witnesses.at(ReplicaId{8}), "f:1");
  EXPECT_EQ(members.config_change_id, 22u);
}

TEST(MembershipTest, RemovingBansTheIdAlsoOfStrangers) {
  Membership members = Sample();
  Apply(members, Make(kRemove, 2), Index{20});
  Apply(members, Make(kRemove, 3), Index{21});
  Apply(members, Make(kRemove, 4), Index{22});
  Apply(members, Make(kRemove, 77), Index{23});
  EXPECT_EQ(members.voters.size(), 1u);
  EXPECT_TRUE(members.non_votings.empty());
  EXPECT_TRUE(members.witnesses.empty());
  EXPECT_EQ(members.removed,
            (std::set{ReplicaId{2}, ReplicaId{3}, ReplicaId{4}, ReplicaId{5}, ReplicaId{77}}));
  EXPECT_TRUE(WhyRefused(members, Make(kAddVoter, 77), ChangeOrder::kAny));
}

TEST(MembershipTest, TheFoundersEndAtTheVersionOfTheLastOne) {
  Membership members;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    ConfigChange change = Make(kAddVoter, i, "host" + std::to_string(i) + ":1");
    change.initialize = true;
    ASSERT_FALSE(WhyRefused(members, change, ChangeOrder::kOrdered));
    Apply(members, change, Index{i});
  }
  EXPECT_EQ(members.voters.size(), 3u);
  EXPECT_EQ(members.config_change_id, 3u);
}

TEST(MembershipTest, IsMemberCoversEveryKind) {
  const Membership members = Sample();
  for (std::uint64_t id : {1u, 2u, 3u, 4u}) EXPECT_TRUE(IsMember(members, ReplicaId{id})) << id;
  EXPECT_FALSE(IsMember(members, ReplicaId{5}));
  EXPECT_FALSE(IsMember(members, ReplicaId{6}));
}

}  // namespace
}  // namespace drumbeat::raft
