// SPDX-License-Identifier: Apache-2.0
//
// Links that are cut, by nftables: each replica runs as a user of its own, which needs real root.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "system/cluster.h"
#include "system/namespace.h"
#include "system/system_test.h"

namespace drumbeat::system {
namespace {

using std::chrono::seconds;

class PartitionTest : public SystemTest {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    if (IsSkipped()) return;
    firewall_ = std::make_unique<Firewall>();
    if (!CanRunAsOthers() || !firewall_->works()) {
      GTEST_SKIP() << "*** NOT TESTED: partitions need real root and nftables ***";
    }
    std::filesystem::permissions(cluster_.directory(), std::filesystem::perms(0755));
    std::filesystem::create_directories(cluster_.data());
    // Where it was built, they may not look.
    const auto program = cluster_.directory() / "example-helloworld";
    std::filesystem::copy_file(cluster_.Options(1).executable, program);
    for (const int replica : Cluster::kFounders) {
      std::filesystem::create_directory(cluster_.data(replica));
      std::filesystem::permissions(cluster_.data(replica), std::filesystem::perms(0700));
      ASSERT_EQ(::chown(cluster_.data(replica).c_str(), User(replica), User(replica)), 0);
      ProgramOptions options = cluster_.Options(replica);
      options.user = User(replica);
      options.executable = program;
      cluster_.Start(replica, options);
    }
    ASSERT_TRUE(cluster_.Say(1, "the first message"));
    leader_ = cluster_.Leader();
    ASSERT_NE(leader_, 0);
  }

  static uid_t User(int replica) { return static_cast<uid_t>(20'000 + replica); }
  void CutOneWay(int from, int to) {
    firewall_->Drop(User(from), static_cast<std::uint16_t>(63000 + to));
  }
  void Cut(int a, int b) {
    CutOneWay(a, b);
    CutOneWay(b, a);
  }

  // All serve again, and none has a history of its own.
  void ExpectHeals(const std::string& what) {
    firewall_->Heal();
    ASSERT_TRUE(firewall_->works());
    for (const int replica : Cluster::kFounders) {
      EXPECT_TRUE(Say(replica, what + " healed " + std::to_string(replica)));
    }
  }

  // A line that may have to wait for an election, and be typed again.
  bool Say(int typed, const std::string& message) {
    for (int i = 0; i < 4; ++i) {
      Program& program = cluster_.replica(typed);
      const std::size_t mark = program.err().Mark();
      const std::string attempt = message + " try " + std::to_string(i);
      program.Type(attempt);
      const auto deadline = Clock::now() + kLongWait;
      while (Clock::now() < deadline && !program.err().Contains("failed to get a", mark) &&
             !program.err().Contains("SyncPropose returned error", mark)) {
        if (cluster_.AwaitUpdate(typed, attempt, std::chrono::milliseconds(50))) return true;
      }
    }
    return false;
  }

  Cluster cluster_;
  std::unique_ptr<Firewall> firewall_;
  int leader_ = 0;
};

TEST_F(PartitionTest, ALeaderAloneConfirmsNothing) {
  const int left = leader_ % 3 + 1;
  const int right = left % 3 + 1;
  Cut(leader_, left);
  Cut(leader_, right);
  Program& alone = cluster_.replica(leader_);
  alone.Type("said alone");
  EXPECT_TRUE(alone.err().Await(
      [](const std::string& line) {
        return line.find("failed to get a proposal session") != std::string::npos ||
               line.find("may still be applied") != std::string::npos;
      },
      kLongWait))
      << alone.err().Tail();
  EXPECT_TRUE(Say(left, "the majority goes on"));
  EXPECT_FALSE(alone.out().Contains("the majority goes on"));
  const bool not_proposed = alone.err().Contains("failed to get a proposal session");
  ExpectHeals("isolation");
  const History history = cluster_.GetHistory();
  if (not_proposed) {
    EXPECT_EQ(history.CountOf("said alone"), 0U);
  }
}

TEST_F(PartitionTest, ALinkThatWorksOneWayOnlyStopsNobodyForLong) {
  const int left = leader_ % 3 + 1;
  const int right = left % 3 + 1;
  // The leader is heard but does not hear; then one follower cannot be heard of by the leader.
  CutOneWay(left, leader_);
  EXPECT_TRUE(Say(right, "one way"));
  CutOneWay(leader_, right);
  EXPECT_TRUE(Say(right, "two ways of one kind"));
  ExpectHeals("one way");
}

TEST_F(PartitionTest, AChainKeepsServing) {
  const int left = leader_ % 3 + 1;
  const int right = left % 3 + 1;
  Cut(leader_, right);
  for (int i = 1; i <= 3; ++i) EXPECT_TRUE(Say(left, "chain " + std::to_string(i)));
  ExpectHeals("chain");
}

TEST_F(PartitionTest, LossSlowsButDoesNotLose) {
  firewall_->DropAtRandom(10);
  int said = 0;
  for (int i = 1; i <= 10; ++i) said += Say(i % 3 + 1, "through loss " + std::to_string(i)) ? 1 : 0;
  EXPECT_GE(said, 5);
  ExpectHeals("loss");
}

}  // namespace
}  // namespace drumbeat::system
