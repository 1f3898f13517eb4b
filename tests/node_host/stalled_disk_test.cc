// SPDX-License-Identifier: Apache-2.0
#include <any>
#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "local_hosts.h"

namespace drumbeat::node_host {
namespace {

class StalledDiskTest : public LocalHostsTest {
 protected:
  StalledDiskTest() { max_in_memory_log_bytes_ = 1u << 20; }
};

// S-15, P-08, B-16: a leader that waits for its disk sends no heartbeats, so it is replaced.
TEST_F(StalledDiskTest, ALeaderThatCannotWriteIsReplaced) {
  const std::uint64_t leader = LeaderSeenBy(1);
  ASSERT_TRUE(Propose(leader, "a").has_value());
  disks_[leader].Stall(true);
  Request<ApplyResult> waits =
      hosts_[leader]->Propose(kShard, Session::NoOp(kShard), "b", milliseconds(100));
  const std::uint64_t other = leader % 3 + 1;
  const std::uint64_t next = LeaderSeenBy(other, leader);
  EXPECT_NE(next, leader);
  const auto written = Propose(other, "c");
  EXPECT_TRUE(written.has_value()) << written.error().text();

  disks_[leader].Stall(false);
  // The request ends, and what it says is true: "b" may have reached the others before the stall.
  const Result<ApplyResult> outcome = waits.Get();
  EXPECT_TRUE(outcome || outcome.error().code == ErrorCode::kTimeout);
  EXPECT_EQ(LeaderSeenBy(leader, leader), LeaderSeenBy(other));
  ASSERT_TRUE(Propose(leader, "d").has_value());
  const auto text = [&](std::uint64_t id) {
    const auto read = hosts_[id]->Read(kShard, {}, milliseconds(5000)).Get();
    return read ? std::any_cast<std::string>(*read) : std::string(read.error().text());
  };
  EXPECT_EQ(text(leader), text(other));
  EXPECT_NE(text(leader).find('c'), std::string::npos);
}

// P-05: when a follower goes on after several election timeouts, its leader's messages wait beside
// as many ticks; those do not make it campaign before it has read them.
TEST_F(StalledDiskTest, AFollowerThatGoesOnDoesNotCountLateTicksAsSilence) {
  constexpr auto kElection = kElectionTicks * kTick;
  // A busy machine may hold up the leader, too, and an election is due then, but not each time.
  bool disturbed = true;
  for (int tries = 0; disturbed && tries < 5; ++tries) {
    const std::uint64_t leader = LeaderSeenBy(1);
    const std::uint64_t follower = leader % 3 + 1;
    LeaderSeenBy(follower);
    const Result<LeaderInfo> before = hosts_[leader]->GetLeader(kShard);
    ASSERT_TRUE(before.has_value());
    disks_[follower].Stall(true);
    const auto end = std::chrono::steady_clock::now() + 5 * kElection;
    while (std::chrono::steady_clock::now() < end) (void)Propose(leader, "x");
    disks_[follower].Stall(false);
    // Until it has caught up, and whoever it would have disturbed has told it so.
    EXPECT_TRUE(Eventually([&] {
      return hosts_[follower]->Read(kShard, {}, milliseconds(2000)).Get() && Propose(leader, "y");
    }));
    LeaderSeenBy(follower);
    const Result<LeaderInfo> after = hosts_[follower]->GetLeader(kShard);
    ASSERT_TRUE(after.has_value());
    disturbed = after->term != before->term;
  }
  EXPECT_FALSE(disturbed) << "each time it campaigned";
}

// A removal that waits for somebody who stays and is away.
class HeldRemovalTest : public StalledDiskTest {
 protected:
  void SetUp() override {
    StalledDiskTest::SetUp();
    leader_ = LeaderSeenBy(1);
    away_ = leader_ % 3 + 1;
    leaver_ = std::to_string(6 - leader_ - away_);
    // Nothing is removed while one of the others has not shown itself.
    ASSERT_TRUE(Propose(6 - leader_ - away_, "a").has_value());
    ASSERT_TRUE(Propose(away_, "b").has_value());
  }
  Request<Membership> Remove() {
    disks_[away_].Stall(true);
    return hosts_[leader_]->RequestChange(kShard,
                                          {.type = raft::ConfigChangeType::kRemove,
                                           .replica = ReplicaId(6 - leader_ - away_),
                                           .address = ""},
                                          milliseconds(20'000));
  }

  std::uint64_t leader_ = 0;
  std::uint64_t away_ = 0;
  std::string leaver_;
};

TEST_F(HeldRemovalTest, IsLoggedOnce) {
  auto removed = Remove();
  const std::string waits = " waits to remove replica " + leaver_ + " until more of the members " +
                            std::to_string(away_) + " answer";
  EXPECT_TRUE(Eventually([&] { return Log(leader_)->Has(waits); }));
  EXPECT_FALSE(removed.done());
  disks_[away_].Stall(false);
  const std::string ended = " waits no more to remove replica " + leaver_;
  EXPECT_TRUE(Eventually([&] { return Log(leader_)->Has(ended); }));
  EXPECT_TRUE(removed.Get().has_value());
  EXPECT_EQ(Log(leader_)->Count(waits), 1);
  EXPECT_EQ(Log(leader_)->Count(ended), 1);
}

TEST_F(HeldRemovalTest, IsNotLoggedWhenItEndsSoon) {
  const Index before = hosts_[leader_]->GetReplicaInfo(kShard)->committed;
  const auto begin = std::chrono::steady_clock::now();
  auto removed = Remove();
  // The removal, and the entry that tells of it.
  ASSERT_TRUE(
      Eventually([&] { return hosts_[leader_]->GetReplicaInfo(kShard)->committed >= before + 2; }));
  disks_[away_].Stall(false);
  ASSERT_TRUE(removed.Get().has_value());
  ASSERT_TRUE(Propose(leader_, "c").has_value());
  // Unless the machine is too busy to be quick.
  if (std::chrono::steady_clock::now() - begin > 2 * kElectionTicks * kTick) return;
  EXPECT_FALSE(Log(leader_)->Has(" to remove replica"));
}

// S-15: whoever waits for the disk is told in time, and what waits with it is bounded.
TEST_F(StalledDiskTest, RequestsEndInTimeAndDoNotPileUp) {
  const std::uint64_t leader = LeaderSeenBy(1);
  ASSERT_TRUE(Propose(leader, "a").has_value());
  Host& host = *hosts_[leader];
  disks_[leader].Stall(true);
  const milliseconds soon(100);
  const milliseconds limit(10'000);
  auto write = host.Propose(kShard, Session::NoOp(kShard), "b", soon);
  auto read = host.Read(kShard, {}, soon);
  const auto written = write.GetWithin(limit);
  ASSERT_TRUE(written && !*written);
  EXPECT_EQ(written->error().code, ErrorCode::kTimeout);
  EXPECT_TRUE(read.GetWithin(limit).has_value());
  auto transfer = host.RequestLeaderTransfer(kShard, ReplicaId(leader % 3 + 1), soon);
  EXPECT_TRUE(transfer.GetWithin(limit).has_value());

  int busy = 0;
  const std::string command(10'000, 'c');
  for (int i = 0; i < 1000; ++i) {
    auto more = host.Propose(kShard, Session::NoOp(kShard), command, limit);
    if (!more.done()) continue;
    const Result<ApplyResult> refused = more.Get();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kBusy);
    ++busy;
  }
  EXPECT_GT(busy, 700);

  disks_[leader].Stall(false);
  EXPECT_TRUE(Eventually([&] { return Propose(leader, "d").has_value(); }));
}

}  // namespace
}  // namespace drumbeat::node_host
