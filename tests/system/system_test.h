// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

namespace drumbeat::system {

/// Whether tests and executable are built with a sanitizer, which takes time, processors and memory
/// of its own: what is measured of these says nothing then, and is loudly skipped.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

/// A test of the real executable: in namespaces of its own, or loudly skipped where there are none.
class SystemTest : public ::testing::Test {
 protected:
  void SetUp() override;
};

}  // namespace drumbeat::system
