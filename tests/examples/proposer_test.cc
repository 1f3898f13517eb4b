// SPDX-License-Identifier: Apache-2.0
#include "proposer.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "fake_shard_client.h"

namespace helloworld {
namespace {

using drumbeat::ErrorCode;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Calls = std::vector<std::string>;

class ProposerTest : public testing::Test {
 protected:
  using Fake = FakeShardClient;

  // "" when it was applied, else the line to show.
  std::string Propose(const std::string& message) {
    const auto proposed = proposer_.Propose(message);
    return proposed ? "" : proposed.error();
  }
  long CallsOf(const std::string& call) { return std::ranges::count(client_.calls, call); }

  FakeShardClient client_;
  Proposer proposer_{client_};
};

TEST_F(ProposerTest, TheFirstMessageTakesASession) {
  EXPECT_EQ(Propose("hi"), "");
  EXPECT_EQ(client_.calls, (Calls{"read index", "get session", "propose 1/1 hi"}));
}

TEST_F(ProposerTest, TheSessionIsKeptAndItsSeriesMovesOn) {
  EXPECT_EQ(Propose("hi"), "");
  EXPECT_EQ(Propose("hi"), "");
  EXPECT_EQ(client_.calls, (Calls{"read index", "get session", "propose 1/1 hi",  //
                                  "read index", "propose 1/2 hi"}));
}

TEST_F(ProposerTest, WithoutALeaderThereIsNoProposalSession) {
  client_.read_index = {Fake::Fails(ErrorCode::kNoLeader)};
  EXPECT_EQ(Propose("hi"), "failed to get a proposal session, timeout");
  EXPECT_GE(client_.Elapsed(), seconds(6));
  EXPECT_LE(client_.Elapsed(), milliseconds(6100));
  EXPECT_EQ(CallsOf("propose 1/1 hi"), 0);
  EXPECT_EQ(CallsOf("get session"), 0);
}

TEST_F(ProposerTest, ALeaderThatDoesNotAnswerIsNoLeader) {
  client_.read_index = {Fake::Hangs()};
  EXPECT_EQ(Propose("hi"), "failed to get a proposal session, timeout");
  EXPECT_LE(client_.Elapsed(), milliseconds(6100));
  EXPECT_EQ(CallsOf("propose 1/1 hi"), 0);
}

TEST_F(ProposerTest, ASessionThatCannotBeRegisteredIsNoProposalSession) {
  client_.get_session = {Fake::Hangs()};
  EXPECT_EQ(Propose("hi"), "failed to get a proposal session, timeout");
  EXPECT_LE(client_.Elapsed(), milliseconds(6100));
  EXPECT_EQ(CallsOf("propose 1/1 hi"), 0);
}

TEST_F(ProposerTest, AnElectionInBetweenIsWaitedFor) {
  client_.read_index = {Fake::Hangs(),
                        Fake::Hangs(),
                        Fake::Fails(ErrorCode::kNoLeader),
                        Fake::Fails(ErrorCode::kNotReady),
                        Fake::Fails(ErrorCode::kBusy),
                        Fake::Ok()};
  client_.get_session = {Fake::Hangs(), Fake::Fails(ErrorCode::kNoLeader), Fake::Ok()};
  EXPECT_EQ(Propose("hi"), "");
  EXPECT_EQ(CallsOf("propose 1/1 hi"), 1);
}

TEST_F(ProposerTest, AttemptsRepeatUnderTheSameSeries) {
  client_.propose = {Fake::Hangs(), Fake::Fails(ErrorCode::kNoLeader),
                     Fake::Fails(ErrorCode::kTerminated), Fake::Ok()};
  EXPECT_EQ(Propose("hi"), "");
  EXPECT_EQ(CallsOf("propose 1/1 hi"), 4);
  EXPECT_EQ(Propose("on"), "");
  EXPECT_EQ(client_.calls.back(), "propose 1/2 on");
}

TEST_F(ProposerTest, AnOpenOutcomeIsSaidAndGivesTheSessionUp) {
  client_.propose = {Fake::Hangs()};
  EXPECT_EQ(Propose("hi"), "SyncPropose returned error timeout, the message may still be applied");
  EXPECT_GE(client_.Elapsed(), seconds(3));
  EXPECT_LE(client_.Elapsed(), milliseconds(3100));
  EXPECT_GE(CallsOf("propose 1/1 hi"), 3);

  client_.propose.clear();
  client_.calls.clear();
  EXPECT_EQ(Propose("on"), "");
  EXPECT_EQ(client_.calls,
            (Calls{"read index", "close session 1", "get session", "propose 2/1 on"}));
}

TEST_F(ProposerTest, WhatMayStillBeAppliedNeverComesAfterALaterMessage) {
  client_.propose = {Fake::Hangs()};
  Propose("hi");
  client_.propose.clear();
  client_.calls.clear();
  client_.close_session = {Fake::Hangs()};
  EXPECT_EQ(Propose("on"), "failed to get a proposal session, timeout");
  EXPECT_EQ(CallsOf("get session"), 0);
  // Gone already: an earlier attempt closed it.
  client_.close_session = {Fake::Fails(ErrorCode::kSessionExpired)};
  EXPECT_EQ(Propose("on"), "");
  EXPECT_EQ(client_.calls.back(), "propose 2/1 on");
}

TEST_F(ProposerTest, AnOpenOutcomeIsNotForgottenForACertainOneLater) {
  client_.propose = {Fake::Hangs(), Fake::Fails(ErrorCode::kNoLeader)};
  EXPECT_EQ(Propose("hi"), "SyncPropose returned error timeout, the message may still be applied");
}

TEST_F(ProposerTest, WhatCertainlyDidNotHappenIsSaidSo) {
  client_.propose = {Fake::Fails(ErrorCode::kNoLeader)};
  EXPECT_EQ(Propose("hi"), "SyncPropose returned error request dropped as the shard has no leader");
  // Its number was not used: it serves the next message.
  client_.propose.clear();
  EXPECT_EQ(Propose("on"), "");
  EXPECT_EQ(client_.calls.back(), "propose 1/1 on");
}

TEST_F(ProposerTest, AnEvictedSessionIsTakenAnew) {
  EXPECT_EQ(Propose("one"), "");
  client_.propose = {Fake::Fails(ErrorCode::kSessionExpired), Fake::Ok()};
  client_.calls.clear();
  EXPECT_EQ(Propose("two"), "");
  EXPECT_EQ(client_.calls, (Calls{"read index", "propose 1/2 two",  //
                                  "read index", "get session", "propose 2/1 two"}));
}

TEST_F(ProposerTest, AnEvictedSessionIsNoReasonToDoubleAMessage) {
  // The first attempt may have been applied before the session went.
  client_.propose = {Fake::Hangs(), Fake::Fails(ErrorCode::kSessionExpired)};
  EXPECT_EQ(Propose("hi"), "SyncPropose returned error timeout, the message may still be applied");
  EXPECT_EQ(CallsOf("propose 2/1 hi"), 0);
}

TEST_F(ProposerTest, SessionsThatExpireAtOnceAreAnError) {
  client_.propose = {Fake::Fails(ErrorCode::kSessionExpired)};
  EXPECT_EQ(Propose("hi"), "SyncPropose returned error session is not known (any more)");
}

TEST_F(ProposerTest, ARemovedReplicaSaysSoAtOnce) {
  for (const ErrorCode code : {ErrorCode::kReplicaRemoved, ErrorCode::kShardNotFound}) {
    client_.read_index = {Fake::Fails(code)};
    EXPECT_EQ(
        Propose("hi"),
        "SyncPropose returned error shard not found, this replica was removed from the group");
  }
  EXPECT_EQ(client_.Elapsed(), seconds(0));
}

TEST_F(ProposerTest, OtherErrorsAreShownAtOnce) {
  client_.propose = {Fake::Fails(ErrorCode::kReplicaFailed, "the disk is full")};
  EXPECT_EQ(Propose("hi"), "SyncPropose returned error the disk is full");
  EXPECT_EQ(client_.Elapsed(), seconds(0));
}

TEST_F(ProposerTest, TheEndUnregistersTheSession) {
  proposer_.Close(seconds(1));
  EXPECT_TRUE(client_.calls.empty());
  EXPECT_EQ(Propose("hi"), "");
  proposer_.Close(seconds(1));
  EXPECT_EQ(client_.calls.back(), "close session 1");
}

}  // namespace
}  // namespace helloworld
