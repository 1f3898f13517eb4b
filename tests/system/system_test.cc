// SPDX-License-Identifier: Apache-2.0
#include "system/system_test.h"

#include <csignal>

#include "system/namespace.h"

namespace drumbeat::system {

void SystemTest::SetUp() {
  // The harness writes into pipes of programs that it kills.
  std::signal(SIGPIPE, SIG_IGN);
  if (const auto problem = EnterNamespace()) {
    GTEST_SKIP() << "*** NOT TESTED: " << *problem
                 << ". These tests need user and network namespaces: run them as root, or allow "
                    "unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1). ***";
  }
}

}  // namespace drumbeat::system
