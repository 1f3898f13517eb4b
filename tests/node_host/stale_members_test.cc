// SPDX-License-Identifier: Apache-2.0
#include <future>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "local_hosts.h"

// What a replica that is behind is asked to do with members that it does not know as they are.
namespace drumbeat::node_host {
namespace {

using Type = raft::ConfigChangeType;

constexpr milliseconds kLong(20'000);
constexpr milliseconds kShort(50);

class StaleMembersTest : public LocalHostsTest {
 protected:
  void SetUp() override {
    LocalHostsTest::SetUp();
    leader_ = LeaderSeenBy(1);
    behind_ = leader_ % 3 + 1;
    ASSERT_TRUE(Propose(behind_, "a").has_value());
  }

  Request<Membership> Ask(std::uint64_t id, Type type, std::uint64_t replica,
                          const std::string& address = "", milliseconds timeout = kLong) {
    return hosts_[id]->RequestChange(
        kShard, {.type = type, .replica = ReplicaId(replica), .address = address}, timeout);
  }
  void Change(Type type, std::uint64_t replica, const std::string& address = "") {
    const Result<Membership> changed = Ask(leader_, type, replica, address).Get();
    ASSERT_TRUE(changed.has_value()) << changed.error().text();
  }
  Membership KnownBehind() { return hosts_[behind_]->GetReplicaInfo(kShard)->membership; }
  /// The one that is behind learns nothing any more.
  void Stall() { disks_[behind_].Stall(true); }
  template <class T>
  Result<T> GoOn(Request<T> request) {
    disks_[behind_].Stall(false);
    return request.Get();
  }

  std::uint64_t leader_ = 0;
  std::uint64_t behind_ = 0;
};

TEST_F(StaleMembersTest, AChangeMayFollowTheAnswerToTheLastOne) {
  for (std::uint64_t replica = 4; replica < 44; ++replica) {
    Change(Type::kAddNonVoting, replica, Address(4));
    Change(Type::kRemove, replica);
  }
}

TEST_F(StaleMembersTest, AMemberThatIsNotKnownYetIsRemoved) {
  Stall();
  Change(Type::kAddNonVoting, 4, Address(4));
  ASSERT_FALSE(KnownBehind().non_votings.contains(ReplicaId(4)));
  const auto removed = GoOn(Ask(behind_, Type::kRemove, 4));
  ASSERT_TRUE(removed.has_value()) << removed.error().text();
  EXPECT_TRUE(removed->removed.contains(ReplicaId(4)));
}

TEST_F(StaleMembersTest, AnAddressThatWasGivenUpIsFree) {
  Change(Type::kAddNonVoting, 4, Address(4));
  ASSERT_TRUE(Eventually([&] { return KnownBehind().non_votings.contains(ReplicaId(4)); }));
  Stall();
  Change(Type::kRemove, 4);
  const auto added = GoOn(Ask(behind_, Type::kAddNonVoting, 5, Address(4)));
  ASSERT_TRUE(added.has_value()) << added.error().text();
  EXPECT_TRUE(added->non_votings.contains(ReplicaId(5)));
}

TEST_F(StaleMembersTest, ARefusalGivesTheReasonThatHolds) {
  Change(Type::kAddNonVoting, 4, Address(4));
  ASSERT_TRUE(Eventually([&] { return KnownBehind().non_votings.contains(ReplicaId(4)); }));
  Stall();
  Change(Type::kRemove, 4);
  const auto added = GoOn(Ask(behind_, Type::kAddNonVoting, 4, Address(4)));
  ASSERT_FALSE(added.has_value());
  EXPECT_EQ(added.error().code, ErrorCode::kRejected);
  EXPECT_NE(added.error().text().find("was removed before"), std::string::npos)
      << added.error().text();
}

TEST_F(StaleMembersTest, WhatIsRefusedForEverIsRefusedAtOnce) {
  Change(Type::kAddNonVoting, 4, Address(4));
  Change(Type::kRemove, 4);
  ASSERT_TRUE(Eventually([&] { return KnownBehind().removed.contains(ReplicaId(4)); }));
  Stall();
  Change(Type::kAddNonVoting, 5, Address(5));
  EXPECT_EQ(Ask(behind_, Type::kAddVoter, 4, Address(4)).Get().error().code, ErrorCode::kRejected);
  EXPECT_EQ(Ask(behind_, Type::kRemove, 4).Get().error().code, ErrorCode::kRejected);
  EXPECT_EQ(Ask(behind_, Type::kRemove, 0).Get().error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Ask(behind_, Type::kAddVoter, 6, "6").Get().error().code, ErrorCode::kInvalidAddress);
  const auto moved = hosts_[behind_]->RequestLeaderTransfer(kShard, ReplicaId(4), kLong).Get();
  EXPECT_EQ(moved.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(StaleMembersTest, AVoterThatIsNotKnownYetBecomesLeader) {
  Stall();
  Change(Type::kAddVoter, 4, Address(4));
  Start(4, {.initial_members = {}, .join = true});
  ASSERT_TRUE(Propose(4, "b").has_value());
  ASSERT_FALSE(KnownBehind().voters.contains(ReplicaId(4)));
  auto moved =
      GoOn(hosts_[behind_]->RequestLeaderTransfer(kShard, ReplicaId(4), milliseconds(1000)));
  // On a busy machine the leader may give up before the target is there.
  ASSERT_TRUE(moved || moved.error().code == ErrorCode::kTimeout) << moved.error().text();
  EXPECT_TRUE(Eventually([&] {
    moved = hosts_[behind_]->RequestLeaderTransfer(kShard, ReplicaId(4), milliseconds(1000)).Get();
    return moved && moved->leader == ReplicaId(4);
  }));
}

TEST_F(StaleMembersTest, ATargetThatIsNoVoterIsRefused) {
  const auto moved = hosts_[behind_]->RequestLeaderTransfer(kShard, ReplicaId(9), kLong).Get();
  ASSERT_FALSE(moved.has_value());
  EXPECT_EQ(moved.error().code, ErrorCode::kInvalidArgument) << moved.error().text();
}

TEST_F(StaleMembersTest, WithoutAnAnswerFromTheLeaderNothingHappened) {
  Stall();
  Change(Type::kAddNonVoting, 4, Address(4));
  const auto removed = Ask(behind_, Type::kRemove, 9, "", kShort).Get();
  ASSERT_FALSE(removed.has_value());
  EXPECT_EQ(removed.error().code, ErrorCode::kNoLeader) << removed.error().text();
  const auto moved = hosts_[behind_]->RequestLeaderTransfer(kShard, ReplicaId(9), kShort).Get();
  ASSERT_FALSE(moved.has_value());
  EXPECT_EQ(moved.error().code, ErrorCode::kNoLeader) << moved.error().text();
}

TEST_F(StaleMembersTest, NothingHappenedEitherWhenTheHostCloses) {
  for (const std::uint64_t id : {1u, 2u, 3u}) disks_[id].Stall(id != leader_);
  auto waits = hosts_[leader_]->Propose(kShard, Session::NoOp(kShard), "b", kLong);
  auto removed = Ask(leader_, Type::kRemove, 9);
  hosts_[leader_]->Close(milliseconds(0));
  const Result<Membership> result = removed.Get();
  ASSERT_FALSE(result.has_value());
  // The leader may have given up by then.
  EXPECT_TRUE(result.error().code == ErrorCode::kClosed ||
              result.error().code == ErrorCode::kNoLeader)
      << result.error().text();
}

// The other members are asked without the thread that waits.
TEST_F(StaleMembersTest, ACallbackMayWaitForARefusal) {
  std::promise<std::optional<Result<Membership>>> told;
  hosts_[behind_]
      ->Propose(kShard, Session::NoOp(kShard), "b", kLong)
      .Then([&](const Result<ApplyResult>&) {
        told.set_value(Ask(behind_, Type::kRemove, 9).GetWithin(kLong));
      });
  const std::optional<Result<Membership>> refused = told.get_future().get();
  ASSERT_TRUE(refused && !*refused);
  EXPECT_EQ(refused->error().code, ErrorCode::kRejected) << refused->error().text();
}

}  // namespace
}  // namespace drumbeat::node_host
