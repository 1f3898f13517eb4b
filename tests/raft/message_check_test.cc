// SPDX-License-Identifier: Apache-2.0
#include "raft/message_check.h"

#include <gtest/gtest.h>

#include "raft/test_shard.h"

namespace drumbeat::raft {
namespace {

using testing::Make;

Entry At(std::uint64_t term, std::uint64_t index) {
  Entry entry;
  entry.term = Term{term};
  entry.index = Index{index};
  return entry;
}

AppendEntries Append(std::uint64_t previous, std::uint64_t previous_term,
                     std::vector<Entry> entries) {
  return {.previous = Index{previous},
          .previous_term = Term{previous_term},
          .commit = Index{0},
          .entries = std::move(entries)};
}

bool WellFormed(Message message, std::uint64_t term = 5) {
  return IsWellFormed(Make(2, 1, term, std::move(message)));
}

// W-16.
TEST(MessageCheckTest, EntriesFollowTheirPlaceAndEachOther) {
  EXPECT_TRUE(WellFormed(Append(0, 0, {})));
  EXPECT_TRUE(WellFormed(Append(0, 0, {At(1, 1), At(1, 2), At(5, 3)})));
  EXPECT_TRUE(WellFormed(Append(7, 3, {At(3, 8)})));
  EXPECT_FALSE(WellFormed(Append(7, 3, {At(3, 9)}))) << "a gap";
  EXPECT_FALSE(WellFormed(Append(7, 3, {At(3, 7)}))) << "an overlap";
  EXPECT_FALSE(WellFormed(Append(7, 3, {At(3, 8), At(3, 10)}))) << "a gap further on";
  EXPECT_FALSE(WellFormed(Append(7, 3, {At(2, 8)}))) << "a term below the one before";
  EXPECT_FALSE(WellFormed(Append(7, 3, {At(4, 8), At(3, 9)}))) << "falling terms";
  EXPECT_FALSE(WellFormed(Append(7, 3, {At(6, 8)}))) << "an entry of a later term";
  EXPECT_FALSE(WellFormed(Append(7, 6, {}))) << "a place of a later term";
  EXPECT_FALSE(WellFormed(Append(0, 0, {At(0, 1)}))) << "an entry without a term";
  EXPECT_FALSE(WellFormed(Append(7, 0, {}))) << "what Dragonboat would take for a match";
  EXPECT_FALSE(WellFormed(Append(0, 1, {}))) << "a term before the first entry";
  EXPECT_FALSE(WellFormed(Append(~std::uint64_t{0}, 3, {}))) << "an index that would wrap";
  EXPECT_FALSE(WellFormed(Append(~std::uint64_t{0}, 3, {At(3, 0)})));
}

// W-28.
TEST(MessageCheckTest, KindsWithATermNeedOne) {
  EXPECT_FALSE(WellFormed(Append(0, 0, {}), 0));
  EXPECT_FALSE(WellFormed(Heartbeat{}, 0));
  EXPECT_FALSE(WellFormed(HeartbeatReply{}, 0));
  EXPECT_FALSE(WellFormed(AppendReply{}, 0));
  EXPECT_FALSE(WellFormed(RequestVote{}, 0));
  EXPECT_FALSE(WellFormed(VoteReply{}, 0));
  EXPECT_FALSE(WellFormed(RequestPreVote{}, 0));
  EXPECT_FALSE(WellFormed(PreVoteReply{}, 0));
  EXPECT_FALSE(WellFormed(ReadIndexReply{}, 0));
  EXPECT_FALSE(WellFormed(TimeoutNow{}, 0));
  EXPECT_FALSE(WellFormed(NoOp{}, 0));
  EXPECT_FALSE(WellFormed(RateLimitReport{}, 0));
  EXPECT_TRUE(WellFormed(ForwardedProposal{}, 0));
  EXPECT_TRUE(WellFormed(ReadIndexRequest{.context = {.low = 1, .high = 0}}, 0));
  EXPECT_TRUE(WellFormed(LeaderTransferRequest{}, 0));
  EXPECT_TRUE(WellFormed(QuiesceNotice{}, 0));
  EXPECT_TRUE(WellFormed(SnapshotReceived{}, 0));
}

// W-19.
TEST(MessageCheckTest, TermsNearTheEndAreRefused) {
  EXPECT_TRUE(WellFormed(Heartbeat{}, kCountLimit - 1));
  EXPECT_FALSE(WellFormed(Heartbeat{}, kCountLimit));
  EXPECT_FALSE(WellFormed(RequestVote{}, ~std::uint64_t{0}));
  EXPECT_FALSE(WellFormed(NoOp{}, ~std::uint64_t{0} - 1));
}

TEST(MessageCheckTest, AReadNeedsAContext) { EXPECT_FALSE(WellFormed(ReadIndexRequest{}, 0)); }

TEST(MessageCheckTest, AVoteRequestNamesARealPlace) {
  EXPECT_TRUE(WellFormed(RequestVote{.last_index = Index{3}, .last_term = Term{2}}));
  EXPECT_FALSE(WellFormed(RequestVote{.last_index = Index{3}, .last_term = Term{0}}));
  EXPECT_FALSE(WellFormed(RequestVote{.last_index = Index{0}, .last_term = Term{2}}));
  EXPECT_FALSE(
      WellFormed(RequestVote{.last_index = Index{1}, .last_term = Term{~std::uint64_t{0}}}));
}

TEST(MessageCheckTest, ASnapshotHasAPlaceAndVoters) {
  SnapshotRecord good;
  good.index = Index{5};
  good.term = Term{2};
  good.membership = testing::Members({1});
  EXPECT_TRUE(WellFormed(InstallSnapshot{good}, 0));
  SnapshotRecord bad = good;
  bad.index = Index{0};
  EXPECT_FALSE(WellFormed(InstallSnapshot{bad}, 0));
  bad = good;
  bad.term = Term{0};
  EXPECT_FALSE(WellFormed(InstallSnapshot{bad}, 0));
  bad = good;
  bad.term = Term{~std::uint64_t{0}};
  EXPECT_FALSE(WellFormed(InstallSnapshot{bad}, 0));
  bad = good;
  bad.membership = {};
  EXPECT_FALSE(WellFormed(InstallSnapshot{bad}, 0));
}

}  // namespace
}  // namespace drumbeat::raft
