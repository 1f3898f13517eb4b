// SPDX-License-Identifier: Apache-2.0
#include "signal_watch.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stop_token>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

namespace helloworld {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::ExitedWithCode;
using testing::KilledBySignal;

void WaitForStop(const SignalWatch& watch) {
  while (!watch.stop_source().stop_requested()) std::this_thread::yield();
}

// Each test runs in a process of its own, which the signals are for.
class SignalWatchDeathTest : public testing::TestWithParam<int> {
 protected:
  SignalWatchDeathTest() { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};

TEST_P(SignalWatchDeathTest, EndsInOrderThenByTheSignal) {
  EXPECT_EXIT(
      {
        const SignalWatch watch{hours(1)};
        ::kill(::getpid(), GetParam());
        WaitForStop(watch);
        std::fputs("closed in order\n", stderr);
        watch.DieIfSignalled();
        std::_Exit(7);
      },
      KilledBySignal(GetParam()), "closed in order");
}

TEST_P(SignalWatchDeathTest, EndsAnywayWhenTheLimitHasPassed) {
  EXPECT_EXIT(
      {
        const SignalWatch watch{milliseconds(1)};
        ::kill(::getpid(), GetParam());
        while (true) ::pause();
      },
      KilledBySignal(GetParam()), "");
}

TEST_P(SignalWatchDeathTest, EndsAtOnceAtTheSecondSignal) {
  EXPECT_EXIT(
      {
        const SignalWatch watch{hours(1)};
        ::kill(::getpid(), GetParam());
        WaitForStop(watch);
        ::kill(::getpid(), SIGTERM);
        while (true) ::pause();
      },
      KilledBySignal(SIGTERM), "");
}

INSTANTIATE_TEST_SUITE_P(EachSignal, SignalWatchDeathTest,
                         testing::Values(SIGINT, SIGTERM, SIGHUP));

class SignalWatchEndDeathTest : public testing::Test {
 protected:
  SignalWatchEndDeathTest() { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};

TEST_F(SignalWatchEndDeathTest, WithoutASignalNothingHappens) {
  EXPECT_EXIT(
      {
        {
          const SignalWatch watch{hours(1)};
          watch.DieIfSignalled();
        }
        std::_Exit(7);
      },
      ExitedWithCode(7), "");
}

TEST_F(SignalWatchEndDeathTest, AfterItsEndASignalEndsAtOnce) {
  EXPECT_EXIT(
      {
        {
          const SignalWatch watch{hours(1)};
        }
        ::kill(::getpid(), SIGINT);
        std::_Exit(7);
      },
      KilledBySignal(SIGINT), "");
}

TEST_F(SignalWatchEndDeathTest, AnIgnoredHangUpStaysIgnored) {
  EXPECT_EXIT(
      {
        std::signal(SIGHUP, SIG_IGN);
        const SignalWatch watch{hours(1)};
        ::kill(::getpid(), SIGHUP);
        ::kill(::getpid(), SIGTERM);
        WaitForStop(watch);
        watch.DieIfSignalled();
      },
      KilledBySignal(SIGTERM), "");
}

TEST_F(SignalWatchEndDeathTest, ABrokenPipeIsNoEnd) {
  EXPECT_EXIT(
      {
        const SignalWatch watch{hours(1)};
        ::raise(SIGPIPE);
        std::_Exit(7);
      },
      ExitedWithCode(7), "");
}

}  // namespace
}  // namespace helloworld
