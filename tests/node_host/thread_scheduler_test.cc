// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <chrono>
#include <cstdint>
#include <sys/syscall.h>
#include <thread>

#include <gtest/gtest.h>
#include <time.h>
#include <unistd.h>

#include "node_host/scheduler.h"

namespace {

/// What this program's wall clock is off by, in seconds.
std::atomic<std::int64_t> wall_clock_offset{0};

}  // namespace

// Takes the place of the C library's, also for std::chrono.
extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  const auto result = static_cast<int>(::syscall(SYS_clock_gettime, clock, now));
  if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += wall_clock_offset.load();
  return result;
}

namespace drumbeat::node_host {
namespace {

using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;

/// Sets the wall clock off, for as long as it lives.
class WallClockJump {
 public:
  explicit WallClockJump(std::chrono::seconds by) { wall_clock_offset.store(by.count()); }
  ~WallClockJump() { wall_clock_offset.store(0); }
};

/// How often a period of 5 ms passed, and how often it may have.
class Ticks {
 public:
  Ticks() : task_(scheduler_->Every("ticks", milliseconds(5), [this] { ++count_; })) {}

  /// Waits for `more` ticks; false if they take 10 s.
  bool Await(int more) const {
    const int end = count_.load() + more;
    const Steady::time_point limit = Steady::now() + std::chrono::seconds(10);
    while (count_.load() < end) {
      if (Steady::now() > limit) return false;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return true;
  }
  int count() const { return count_.load(); }
  std::int64_t most() const { return (Steady::now() - begin_) / milliseconds(5) + 2; }

 private:
  const Steady::time_point begin_ = Steady::now();
  const std::unique_ptr<Scheduler> scheduler_ = MakeThreadScheduler();
  std::atomic<int> count_{0};
  const std::unique_ptr<Task> task_;
};

TEST(ThreadSchedulerTest, TheJumpIsSeenByWhoAsksForTheTime) {
  const std::unique_ptr<Scheduler> scheduler = MakeThreadScheduler();
  const std::uint64_t before = scheduler->UnixNanoseconds();
  const WallClockJump jump(std::chrono::hours(24));
  EXPECT_GT(scheduler->UnixNanoseconds() - before, 23u * 3600 * 1'000'000'000);
}

// P-06.
TEST(ThreadSchedulerTest, TicksGoOnWhenTheWallClockIsSetBack) {
  const Ticks ticks;
  ASSERT_TRUE(ticks.Await(3));
  const WallClockJump jump(-std::chrono::hours(24));
  EXPECT_TRUE(ticks.Await(10));
}

TEST(ThreadSchedulerTest, TicksDoNotHurryWhenTheWallClockIsSetAhead) {
  const Ticks ticks;
  for (int i = 0; i < 20; ++i) {
    const WallClockJump jump(i % 2 == 0 ? std::chrono::hours(24) : -std::chrono::hours(24));
    ASSERT_TRUE(ticks.Await(1));
  }
  EXPECT_LE(ticks.count(), ticks.most());
}

}  // namespace
}  // namespace drumbeat::node_host
