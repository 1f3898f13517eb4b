// SPDX-License-Identifier: Apache-2.0
//
// A disk that fills up under a replica.
#include <filesystem>
#include <string>
#include <sys/mount.h>

#include <gtest/gtest.h>

#include "system/cluster.h"
#include "system/namespace.h"
#include "system/system_test.h"

namespace drumbeat::system {
namespace {

class DiskFullTest : public SystemTest {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    if (IsSkipped()) return;
    std::filesystem::create_directories(cluster_.data(3));
    ASSERT_TRUE(MountSmallDisk(cluster_.data(3), 8U << 20));
  }
  void TearDown() override {
    if (!IsSkipped()) Unmount(cluster_.data(3));
  }

  // Says large messages at replica 1 until replica 3 has complained or ended.
  void FillTheDisk() {
    const std::string text(200'000, 'x');
    Program& small = cluster_.replica(3);
    for (int i = 1; i <= 100 && !Complained(); ++i) {
      ASSERT_TRUE(cluster_.Say(1, "large " + std::to_string(i) + text, {1, 2}));
      ++large_;
    }
    EXPECT_TRUE(Complained()) << small.err().Tail();
  }

  bool Complained() {
    return cluster_.replica(3).err().Contains("space") || !cluster_.replica(3).Running();
  }

  Cluster cluster_;
  std::uint64_t large_ = 0;
};

TEST_F(DiskFullTest, TheReplicaSaysSoAndIsBackWhenThereIsSpace) {
  cluster_.StartAndAwaitLeader();
  FillTheDisk();
  ASSERT_FALSE(HasFatalFailure());
  // Whoever led, the others go on.
  EXPECT_EQ(cluster_.Say(2, "without the third", {1, 2}), large_ + 2);

  // It has no use for its folder any more, and ends, without a crash.
  const auto ending = cluster_.replica(3).AwaitEnd(kLongWait);
  ASSERT_TRUE(ending) << cluster_.replica(3).err().Tail();
  EXPECT_FALSE(ending->by_signal);
  EXPECT_EQ(ending->status, 1);
  EXPECT_TRUE(cluster_.replica(3).err().Contains("; free some space"))
      << cluster_.replica(3).err().Tail();
  cluster_.AwaitEnd(3);

  // A start on the full disk is refused, or serves; it neither crashes nor spoils anything.
  cluster_.Start(3);
  const auto again = cluster_.replica(3).AwaitEnd(std::chrono::seconds(2));
  if (again) {
    EXPECT_EQ(again->status, 1) << cluster_.replica(3).err().Tail();
    EXPECT_FALSE(again->by_signal);
  }
  cluster_.Kill(3);

  ASSERT_EQ(::mount(nullptr, cluster_.data(3).c_str(), nullptr, MS_REMOUNT, "size=268435456"), 0);
  cluster_.Start(3);
  EXPECT_EQ(cluster_.Say(3, "with the third"), large_ + 3);
}

}  // namespace
}  // namespace drumbeat::system
