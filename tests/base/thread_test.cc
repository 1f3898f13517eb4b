// SPDX-License-Identifier: Apache-2.0
#include "base/thread.h"

#include <csignal>

#include <gtest/gtest.h>
#include <unistd.h>

namespace drumbeat::base {
namespace {

bool IsBlocked(int signal) {
  sigset_t blocked;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  return ::sigismember(&blocked, signal) == 1;
}

TEST(ThreadTest, TakesNoSignalsOfTheProgram) {
  StartThread("test", [] {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGUSR1, SIGCHLD, SIGALRM}) {
      EXPECT_TRUE(IsBlocked(signal)) << signal;
    }
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGPROF}) {
      EXPECT_FALSE(IsBlocked(signal)) << signal;
    }
  }).join();
  EXPECT_FALSE(IsBlocked(SIGTERM));
}

// Linux ends a process at once whose thread faults with the signal blocked.
TEST(ThreadDeathTest, AFaultReachesTheProgramsHandler) {
  const auto fault = [] {
    std::signal(SIGFPE, [](int) { ::_exit(42); });
    StartThread("test", [] { ::raise(SIGFPE); }).join();
  };
  EXPECT_EXIT(fault(), testing::ExitedWithCode(42), "");
}

}  // namespace
}  // namespace drumbeat::base
