// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

namespace drumbeat::system {

/// A test of the real executable: in namespaces of its own, or loudly skipped where there are none.
class SystemTest : public ::testing::Test {
 protected:
  void SetUp() override;
};

}  // namespace drumbeat::system
