// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "raft/test_shard.h"

namespace drumbeat::raft::testing {
namespace {

TEST(ProposalLimitsTest, ALogThatIsNotAppliedRefusesProposals) {
  Options options = TestShard::DefaultOptions();
  options.max_in_memory_log_bytes = 10 * kEntryOverheadBytes;
  TestShard shard(3, options);
  ASSERT_TRUE(shard.Elect(1));
  shard.Isolate(1);
  for (int i = 0; i < 20; ++i) shard.raft(1).Propose({Command("x")});
  shard.Run(1);
  EXPECT_FALSE(shard[1].dropped.empty());
  for (const DroppedProposal& dropped : shard[1].dropped) {
    EXPECT_EQ(dropped.reason, DropReason::kBusy);
  }
  EXPECT_LE(shard.raft(1).in_memory_bytes(),
            options.max_in_memory_log_bytes + 2 * kEntryOverheadBytes);
  EXPECT_TRUE(shard.raft(1).status().rate_limited);
  shard.raft(1).Propose({Change("voter 4")});
  shard.Run(1);
  EXPECT_NE(shard[1].dropped.back().reason, DropReason::kChangeInProgress);
  shard.Heal();
  shard.TickAll(3);
  EXPECT_FALSE(shard.raft(1).status().rate_limited);
}

TEST(ProposalLimitsTest, AFollowersReportLimitsTheLeader) {
  Options options = TestShard::DefaultOptions();
  options.max_in_memory_log_bytes = 1000;
  TestShard shard(3, options);
  ASSERT_TRUE(shard.Elect(1));
  const std::uint64_t term = shard.raft(1).term().value();
  shard.Deliver(Make(2, 1, term, RateLimitReport{.bytes = 5000}));
  shard.Propose(1, "a");
  ASSERT_EQ(shard[1].dropped.size(), 1u);
  EXPECT_EQ(shard[1].dropped[0].reason, DropReason::kBusy);
  shard.Deliver(Make(2, 1, term, RateLimitReport{.bytes = 0}));
  shard.Propose(1, "b");
  EXPECT_EQ(shard[1].history().back(), "2/b");
}

// Else a slow member's memory grows without end where all clients are at other hosts than the
// leader's.
TEST(ProposalLimitsTest, AFollowersReportLimitsWhatOthersPassOnToo) {
  Options options = TestShard::DefaultOptions();
  options.max_in_memory_log_bytes = 1000;
  TestShard shard(3, options);
  ASSERT_TRUE(shard.Elect(1));
  shard.Tick(1);
  const std::uint64_t term = shard.raft(1).term().value();
  shard.Deliver(Make(2, 1, term, RateLimitReport{.bytes = 1500}));
  shard.Propose(3, "passed on late");
  EXPECT_EQ(shard[1].history().back(), "2/passed on late");
  shard.Deliver(Make(2, 1, term, RateLimitReport{.bytes = 5000}));
  shard.Propose(3, "too much");
  EXPECT_EQ(shard[1].history().back(), "2/passed on late");
}

/// What replica 2 reports during an election timeout in which it hears its leader.
std::vector<Envelope> ReportsOf(TestReplica& follower) {
  std::vector<Envelope> sent;
  for (std::uint64_t tick = 0; tick < follower.options().election_ticks; ++tick) {
    follower.raft().Step(Make(1, 2, follower.raft().term().value(), Heartbeat{}));
    follower.raft().Tick();
    Output output = follower.Take();
    follower.Save(output);
    for (const Envelope& envelope : output.messages_after_save) sent.push_back(envelope);
    follower.Finish(output);
  }
  return Only<RateLimitReport>(sent);
}

std::uint64_t BytesOf(const Envelope& report) {
  return std::get<RateLimitReport>(report.message).bytes;
}

TEST(ProposalLimitsTest, AFollowerReportsWhileItIsLimitedAndOnceThatItNoLongerIs) {
  Options options = TestShard::DefaultOptions();
  options.max_in_memory_log_bytes = 1000;
  TestShard shard(3, options);
  ASSERT_TRUE(shard.Elect(1));
  TestReplica& slow = shard[2];
  EXPECT_TRUE(ReportsOf(slow).empty()) << "there is nothing to tell";
  const Status status = slow.raft().status();
  AppendEntries append{.previous = status.last_index,
                       .previous_term = status.term,
                       .commit = status.last_index + 20,
                       .entries = {}};
  for (std::uint64_t i = 1; i <= 20; ++i) {
    append.entries.push_back(Command("much"));
    append.entries.back().index = status.last_index + i;
    append.entries.back().term = status.term;
  }
  slow.raft().Step(Make(1, 2, status.term.value(), append));
  for (int timeout = 0; timeout < 2; ++timeout) {
    const std::vector<Envelope> reports = ReportsOf(slow);
    ASSERT_EQ(reports.size(), 1u);
    EXPECT_EQ(reports[0].to, ReplicaId{1});
    EXPECT_GT(BytesOf(reports[0]), 1000u);
  }
  slow.Apply();
  const std::vector<Envelope> reports = ReportsOf(slow);
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(BytesOf(reports[0]), 0u);
  EXPECT_TRUE(ReportsOf(slow).empty());
}

// A frame of all that a follower has gathered may be one that no leader takes.
TEST(ProposalLimitsTest, WhatIsPassedOnGoesInPiecesAndInOrder) {
  Options options = TestShard::DefaultOptions();
  options.max_append_bytes = 3 * (1 + kEntryOverheadBytes);
  TestShard shard(3, options);
  ASSERT_TRUE(shard.Elect(1));
  const auto all = shard[1].history().size();
  std::vector<Entry> gathered;
  for (const char* text : {"a", "b", "c", "d", "e", "f", "g"}) gathered.push_back(Command(text));
  gathered.push_back(Command(std::string(5000, 'y')));
  gathered.push_back(Command("z"));
  shard.sent.clear();
  shard.raft(2).Propose(std::move(gathered));
  shard.Settle();

  std::vector<std::size_t> sizes;
  for (const Envelope& envelope : Only<ForwardedProposal>(shard.sent)) {
    sizes.push_back(std::get<ForwardedProposal>(envelope.message).entries.size());
  }
  EXPECT_EQ(sizes, (std::vector<std::size_t>{3, 3, 1, 1, 1}));
  std::vector<std::string> applied;
  for (auto i = all; i < shard[1].history().size(); ++i) {
    applied.push_back(shard[1].history()[i].substr(0, 4));
  }
  EXPECT_EQ(applied, (std::vector<std::string>{"2/a", "2/b", "2/c", "2/d", "2/e", "2/f", "2/g",
                                               "2/yy", "2/z"}));
}

// What would end a Dragonboat member that applies it does not get into the log.
TEST(ProposalLimitsTest, ForwardedEntriesThatNoClientMakesAreRefused) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  const Index before = shard.raft(1).status().last_index;
  Entry no_client = Command("a");
  no_client.client_id = 0;
  Entry no_key = Command("a", 0);
  Entry metadata = Command("a");
  metadata.type = EntryType::kMetadata;
  Entry empty_encoded = Command("");
  empty_encoded.type = EntryType::kEncoded;
  shard.Deliver(
      Make(2, 1, 0, ForwardedProposal{.entries = {no_client, no_key, metadata, empty_encoded}}));
  shard.Settle();
  EXPECT_EQ(shard.raft(1).status().last_index, before);
  EXPECT_TRUE(shard[1].dropped.empty()) << "whoever made them waits elsewhere";
}

}  // namespace
}  // namespace drumbeat::raft::testing
