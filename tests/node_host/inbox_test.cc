// SPDX-License-Identifier: Apache-2.0
#include "node_host/inbox.h"

#include <string>

#include <gtest/gtest.h>

namespace drumbeat::node_host {
namespace {

raft::Envelope Append(std::size_t command_bytes) {
  raft::AppendEntries append;
  append.entries.emplace_back().command = base::Bytes::Copy(std::string(command_bytes, 'x'));
  return {.shard = ShardId(1),
          .from = ReplicaId(2),
          .to = ReplicaId(1),
          .term = Term(1),
          .message = std::move(append)};
}
raft::Envelope Control(raft::Message message) {
  return {.shard = ShardId(1),
          .from = ReplicaId(2),
          .to = ReplicaId(1),
          .term = Term(1),
          .message = std::move(message)};
}

// P8, R-01: what is over the budget is dropped, and what keeps the shard alive still gets in.
TEST(InboxTest, DataIsBoundedAndDoesNotCrowdOutTheRest) {
  Inbox inbox({.data_bytes = 10'000});
  std::size_t taken = 0;
  for (int i = 0; i < 1000; ++i) taken += inbox.AddMessage(Append(1000)) ? 1 : 0;
  EXPECT_EQ(taken, 10'000 / (1000 + raft::kEntryOverheadBytes));
  EXPECT_TRUE(inbox.AddMessage(Control(raft::Heartbeat{})));
  Inbox::Contents contents;
  inbox.Take(contents);
  EXPECT_EQ(contents.messages.size(), taken + 1);
  EXPECT_TRUE(inbox.AddMessage(Append(1000))) << "room again";
}

TEST(InboxTest, AMessageOverTheBudgetIsTakenWhenNothingElseWaits) {
  Inbox inbox({.data_bytes = 100});
  EXPECT_TRUE(inbox.AddMessage(Append(5000)));
  EXPECT_FALSE(inbox.AddMessage(Append(1)));
}

// also while nobody takes them out.
TEST(InboxTest, ProposalsHaveABudgetOfTheirOwn) {
  Inbox inbox({.data_bytes = 100, .proposal_bytes = 10'000});
  const auto add = [&inbox](std::size_t bytes) {
    raft::Entry entry;
    entry.command = base::Bytes::Copy(std::string(bytes, 'x'));
    return inbox.AddProposal(entry);
  };
  EXPECT_TRUE(add(50'000)) << "nothing else waits";
  EXPECT_FALSE(add(0));
  EXPECT_TRUE(inbox.AddMessage(Append(1000)));
  Inbox::Contents contents;
  inbox.Take(contents);
  std::size_t taken = 0;
  for (int i = 0; i < 1000; ++i) taken += add(0) ? 1 : 0;
  EXPECT_EQ(taken, 10'000 / raft::kEntryOverheadBytes);
  EXPECT_EQ(contents.proposals.size(), 1u);
}

// W-26: a flood costs so much and no more; a snapshot that is durable already is never lost.
TEST(InboxTest, AFloodOfSmallMessagesIsBounded) {
  Inbox inbox({.data_bytes = 10'000});
  std::size_t taken = 0;
  for (int i = 0; i < 100'000; ++i) {
    taken += inbox.AddMessage(Control(raft::HeartbeatReply{})) ? 1 : 0;
  }
  EXPECT_EQ(taken, Inbox::kMaxControlMessages);
  EXPECT_TRUE(inbox.AddMessage(Control(raft::InstallSnapshot{})));
}

// W-26: nor does one of strangers keep out what members say, or fill the memory.
TEST(InboxTest, StrangersCrowdOutNobody) {
  Inbox inbox({.data_bytes = 10'000});
  std::size_t taken = 0;
  for (int i = 0; i < 100'000; ++i) {
    taken += inbox.AddStrangersMessage(Control(raft::Heartbeat{})) ? 1 : 0;
  }
  EXPECT_EQ(taken, Inbox::kMaxStrangersMessages);
  EXPECT_TRUE(inbox.AddMessage(Control(raft::Heartbeat{})));
  EXPECT_TRUE(inbox.AddMessage(Append(9'000)));

  Inbox::Contents contents;
  inbox.Take(contents);
  EXPECT_EQ(contents.messages.size(), taken + 2);
  EXPECT_TRUE(inbox.AddStrangersMessage(Append(5'000))) << "a single one may be large";
  EXPECT_FALSE(inbox.AddStrangersMessage(Append(1)));
  EXPECT_TRUE(inbox.AddStrangersMessage(Control(raft::Heartbeat{})));
  EXPECT_TRUE(inbox.AddMessage(Append(9'000)));
}

// P-05: time that was missed is a number, not a queue.
TEST(InboxTest, TicksAreCounted) {
  Inbox inbox({.data_bytes = 1});
  for (int i = 0; i < 1'000'000; ++i) inbox.AddTick();
  Inbox::Contents contents;
  inbox.Take(contents);
  EXPECT_EQ(contents.ticks, 1'000'000u);
  inbox.Take(contents);
  EXPECT_EQ(contents.ticks, 0u);
}

}  // namespace
}  // namespace drumbeat::node_host
