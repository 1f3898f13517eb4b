// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <sys/resource.h>

#include <gtest/gtest.h>

namespace drumbeat::base {

/// While it lives, this process may have so many descriptors, or as few as the system allows.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t count) {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit few = before_;
    few.rlim_cur = std::min(count, before_.rlim_max);
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  }
  ~FewDescriptors() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
};

}  // namespace drumbeat::base
