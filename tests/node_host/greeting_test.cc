// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "codec/records.h"
#include "local_hosts.h"

namespace drumbeat::node_host {
namespace {

constexpr ShardId kShard{1};

raft::Entry Added(std::uint64_t index, raft::ConfigChangeType type, std::uint64_t member) {
  raft::ConfigChange change;
  change.type = type;
  change.replica = ReplicaId(member);
  change.address = "host" + std::to_string(member) + ":1";
  raft::Entry entry;
  entry.index = Index(index);
  entry.term = Term(1);
  entry.type = raft::EntryType::kConfigChange;
  entry.command = base::Bytes::Copy(codec::EncodeConfigChange(change));
  return entry;
}

// Nobody else calls it where all others sleep and have sent it all that they have; and what it
// sends first may be lost.
TEST(GreetingTest, ANonVotingReplicaWithoutALeaderCallsAgain) {
  std::atomic<int> calls = 0;
  Switchboard board;
  StallingDisk disk;
  auto host = StartOneHost(board, milliseconds(2), MakeThreadScheduler(), disk.Open(),
                           logging::Logger(nullptr, LogLevel::kOff, "test"));
  ASSERT_TRUE(host.has_value()) << host.error().message;
  ReplicaConfig config;
  config.shard_id = kShard;
  config.replica_id = ReplicaId(1);
  config.role = ReplicaRole::kNonVoting;
  StartOptions joins;
  joins.join = true;
  const auto start = [&] {
    return (*host)->StartReplica(
        joins, [](ShardId, ReplicaId) { return std::make_unique<TextMachine>(); }, config);
  };
  ASSERT_TRUE(start().has_value());
  // The test is replica 2, which leads in term 3 until it falls asleep.
  ASSERT_TRUE(Eventually([&] {
    board.Deliver("host1:1", "host2:1",
                  {.shard = kShard,
                   .from = ReplicaId(2),
                   .to = ReplicaId(1),
                   .term = Term(3),
                   .message = raft::AppendEntries{
                       .previous = {},
                       .previous_term = {},
                       .commit = Index(2),
                       .entries = {Added(1, raft::ConfigChangeType::kAddVoter, 2),
                                   Added(2, raft::ConfigChangeType::kAddNonVoting, 1)}}});
    const auto info = (*host)->GetReplicaInfo(kShard);
    return info && info->membership.non_votings.contains(ReplicaId(1));
  }));
  ASSERT_TRUE((*host)->StopShard(kShard).Get().has_value());
  board.OnSend([&](const raft::Envelope& message) {
    const bool call = std::holds_alternative<raft::NoOp>(message.message);
    if (call && message.to == ReplicaId(2)) ++calls;
  });
  ASSERT_TRUE(start().has_value());
  EXPECT_TRUE(Eventually([&] { return calls >= 3; }));
  (*host)->Close(milliseconds(0));
}

}  // namespace
}  // namespace drumbeat::node_host
