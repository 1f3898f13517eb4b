// SPDX-License-Identifier: Apache-2.0
#include "membership_change.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "fake_shard_client.h"

namespace helloworld {
namespace {

using drumbeat::ErrorCode;
using drumbeat::ReplicaId;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Fake = FakeShardClient;

const Add kAdd{"localhost:63100", ReplicaId(4)};

// "" when it was done, else the line to show.
std::string Change(FakeShardClient& client, const MembershipChange& change) {
  const auto changed = MakeMembershipChange(client, change);
  return changed ? "" : changed.error();
}

TEST(MembershipChangeTest, AddsAndRemoves) {
  FakeShardClient client;
  EXPECT_EQ(Change(client, kAdd), "");
  EXPECT_EQ(Change(client, Remove{ReplicaId(4)}), "");
  EXPECT_EQ(client.calls, (std::vector<std::string>{"read index", "add localhost:63100 4",  //
                                                    "read index", "remove 4"}));
}

TEST(MembershipChangeTest, ARefusalIsShownWithItsReason) {
  FakeShardClient client;
  client.change = {Fake::Fails(ErrorCode::kRejected, "replica 4 is already a member")};
  EXPECT_EQ(Change(client, kAdd), "membership change failed, replica 4 is already a member");
  EXPECT_EQ(client.Elapsed(), seconds(0));
}

TEST(MembershipChangeTest, AnotherChangeUnderWayIsShownAtOnce) {
  FakeShardClient client;
  client.change = {Fake::Fails(ErrorCode::kInProgress, "another change is under way")};
  EXPECT_EQ(Change(client, kAdd), "membership change failed, another change is under way");
  EXPECT_EQ(client.Elapsed(), seconds(0));
}

TEST(MembershipChangeTest, AnOpenOutcomeIsSaidAndNotRepeated) {
  FakeShardClient client;
  client.change = {Fake::Hangs()};
  EXPECT_EQ(Change(client, kAdd),
            "membership change failed, timeout, the change may still be applied");
  EXPECT_EQ(std::ranges::count(client.calls, "add localhost:63100 4"), 1);
  EXPECT_EQ(client.Elapsed(), seconds(3));
}

TEST(MembershipChangeTest, WithoutALeaderItIsNotAsked) {
  FakeShardClient client;
  client.read_index = {Fake::Fails(ErrorCode::kNoLeader)};
  EXPECT_EQ(Change(client, kAdd),
            "membership change failed, failed to get a proposal session, timeout");
  EXPECT_EQ(std::ranges::count(client.calls, "add localhost:63100 4"), 0);
  EXPECT_LE(client.Elapsed(), milliseconds(6100));
}

TEST(MembershipChangeTest, WhatWasDroppedIsAskedAgain) {
  FakeShardClient client;
  client.change = {Fake::Fails(ErrorCode::kNoLeader), Fake::Fails(ErrorCode::kNotReady),
                   Fake::Ok()};
  EXPECT_EQ(Change(client, kAdd), "");
}

TEST(MembershipChangeTest, ARemovedReplicaSaysSo) {
  FakeShardClient client;
  client.read_index = {Fake::Fails(ErrorCode::kReplicaRemoved)};
  EXPECT_EQ(Change(client, kAdd),
            "membership change failed, shard not found, this replica was removed from the group");
}

}  // namespace
}  // namespace helloworld
