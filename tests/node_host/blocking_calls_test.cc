// SPDX-License-Identifier: Apache-2.0
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "hooked_machine.h"

namespace drumbeat::node_host {
namespace {

using BlockingCallsTest = HookedTest;

// They would wait for themselves, and so would whoever closes the host.
TEST_F(BlockingCallsTest, AreRefusedInsideAStateMachine) {
  std::vector<ErrorCode> said;
  const auto note = [&](const auto& result) {
    said.push_back(result ? ErrorCode::kTimeout : result.error().code);
  };
  const auto call_all = [&] {
    note(host().StaleRead(kShard, {}));
    note(host().RemoveData(kShard, ReplicaId(1)));
    note(Start(cluster_.Config(1)));
  };
  hooks_.on_update = [&](std::string_view) { call_all(); };
  hooks_.on_lookup = call_all;
  Begin();
  EXPECT_TRUE(host().Read(kShard, 1, kTimeout).Get().has_value());
  EXPECT_TRUE(host().StaleRead(kShard, 1).has_value());
  EXPECT_EQ(said, std::vector<ErrorCode>(9, ErrorCode::kInvalidArgument));
  cluster_.Stop(1);
}

}  // namespace
}  // namespace drumbeat::node_host
