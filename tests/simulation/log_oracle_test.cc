// SPDX-License-Identifier: Apache-2.0
//
// That the oracle of the logs sees what is wrong: a shard of three whose disks say what a test
// wants.
#include "simulation/log_oracle.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace drumbeat::simulation {
namespace {

using raft::Entry;
using raft::EntryType;

Entry Make(std::uint64_t index, std::uint64_t term, const std::string& command) {
  return {.term = Term(term), .index = Index(index), .command = base::Bytes::Copy(command)};
}

raft::AppendReply Accepted(std::uint64_t index) {
  return {.index = Index(index), .rejected = false, .hint = {}};
}

class LogOracleTest : public testing::Test {
 protected:
  LogOracleTest() {
    for (std::uint64_t id = 1; id <= 3; ++id) {
      members_.voters[ReplicaId(id)] = "host" + std::to_string(id);
      std::vector<Entry> founding;
      for (std::uint64_t i = 1; i <= 3; ++i) {
        founding.push_back(Make(i, 1, "member " + std::to_string(i)));
        founding.back().type = EntryType::kConfigChange;
      }
      Save(id, founding, raft::HardState{.term = Term{1}, .vote = {}, .commit = Index{3}});
    }
    members_.config_change_id = 3;
  }

  void Save(std::uint64_t id, const std::vector<Entry>& entries,
            std::optional<raft::HardState> state = std::nullopt) {
    oracle_.Saved(
        {.replica = {ShardId{1}, ReplicaId(id)}, .hard_state = state, .entries = entries});
  }
  void Save(std::uint64_t id, const raft::HardState& state) { Save(id, {}, state); }
  void SaveFails(std::uint64_t id, const std::vector<Entry>& entries) {
    oracle_.SaveFailed({.replica = {ShardId{1}, ReplicaId(id)}, .entries = entries});
  }
  void Send(std::uint64_t from, std::uint64_t to, std::uint64_t term, raft::Message message) {
    oracle_.Sent({.shard = ShardId{1},
                  .from = ReplicaId(from),
                  .to = ReplicaId(to),
                  .term = Term(term),
                  .message = std::move(message)});
  }
  void Load(std::uint64_t id, const raft::HardState& state, const std::vector<Entry>& entries) {
    oracle_.Loaded(
        ReplicaId(id),
        {.hard_state = state, .first = entries.front().index, .last = entries.back().index},
        entries);
  }
  void StoreImage(std::uint64_t id, std::uint64_t index, std::uint64_t term) {
    raft::SnapshotRecord record;
    record.index = Index(index);
    record.term = Term(term);
    oracle_.ImageStored(ReplicaId(id), record);
  }
  void Commit(std::uint64_t id, std::uint64_t index) {
    oracle_.Committed(ReplicaId(id), Index(index), members_);
  }

  /// Of a newer term, which the others have not got to.
  void CommitInTerm3(std::uint64_t id, std::uint64_t index) {
    Save(id, {.term = Term{3}, .vote = ReplicaId(id), .commit = Index{3}});
    Commit(id, index);
  }

  void ExpectFine() { EXPECT_NO_THROW(world_.RunUntil(world_.now() + microseconds(1))); }
  /// The oracle has said so, in these words.
  void ExpectBroken(const std::string& words) {
    world_.After(microseconds(1), [] {});
    try {
      world_.RunUntil(world_.now() + microseconds(1));
      ADD_FAILURE() << "nobody noticed: " << words;
    } catch (const Violation& violation) {
      EXPECT_NE(std::string(violation.what()).find(words), std::string::npos) << violation.what();
    }
  }

  World world_{1};
  LogOracle oracle_{world_, 3};
  Membership members_;
};

TEST_F(LogOracleTest, AnOrderlyShardIsFine) {
  Save(1, {.term = Term{2}, .vote = ReplicaId{1}, .commit = Index{3}});
  Send(1, 2, 2, raft::RequestVote{});
  Save(2, {.term = Term{2}, .vote = ReplicaId{1}, .commit = Index{3}});
  Send(2, 1, 2, raft::VoteReply{});
  const std::vector<Entry> entries = {Make(4, 2, ""), Make(5, 2, "five")};
  Send(1, 2, 2,
       raft::AppendEntries{
           .previous = Index{3}, .previous_term = Term{1}, .commit = Index{3}, .entries = entries});
  Save(1, entries);
  Save(2, entries);
  Send(2, 1, 2, Accepted(5));
  Commit(1, 5);
  oracle_.Applied(ReplicaId{1}, Index{5});
  StoreImage(1, 5, 2);
  oracle_.Cut(ReplicaId{1}, Index{4});
  Load(1, {.term = Term{2}, .vote = ReplicaId{1}, .commit = Index{3}}, {entries[1]});
  EXPECT_EQ(oracle_.committed(), 5u);
  world_.After(microseconds(1), [] {});
  ExpectFine();
}

TEST_F(LogOracleTest, WordsThatAreNotDurable) {
  Send(1, 2, 2, raft::RequestVote{});
  ExpectBroken("term that is not durable");
}

TEST_F(LogOracleTest, VotesThatAreNotDurable) {
  Save(2, {.term = Term{2}, .vote = {}, .commit = Index{3}});
  Send(2, 1, 2, raft::VoteReply{});
  ExpectBroken("vote that is not durable");
}

TEST_F(LogOracleTest, CampaignsWithoutAnOwnVote) {
  Save(1, {.term = Term{2}, .vote = {}, .commit = Index{3}});
  Send(1, 2, 2, raft::RequestVote{});
  ExpectBroken("without a durable vote for itself");
}

TEST_F(LogOracleTest, AcknowledgementsOfWhatIsNotDurable) {
  Send(2, 1, 1, Accepted(4));
  ExpectBroken("acknowledges what is not durable");
}

TEST_F(LogOracleTest, WhatWasAcknowledgedAndIsDropped) {
  Save(2, {Make(4, 1, "a"), Make(5, 1, "b")});
  Send(2, 1, 1, Accepted(5));
  Save(2, {Make(4, 1, "a")});
  ExpectBroken("dropped what it had acknowledged");
}

TEST_F(LogOracleTest, TwoEntriesOfOneIndexAndTerm) {
  Save(1, {Make(4, 1, "a")});
  Save(2, {Make(4, 1, "b")});
  ExpectBroken("another entry 4 of term 1");
}

TEST_F(LogOracleTest, OneEntryBehindTwoDifferentOnes) {
  Save(1, {Make(4, 1, "a"), Make(5, 3, "c")});
  Save(2, {Make(4, 2, "b"), Make(5, 3, "c")});
  ExpectBroken("another entry 5 of term 3");
}

TEST_F(LogOracleTest, ATermOrAVoteThatGoesBack) {
  Save(1, {.term = Term{5}, .vote = ReplicaId{2}, .commit = Index{3}});
  Save(1, {.term = Term{4}, .vote = {}, .commit = Index{3}});
  ExpectBroken("older term");
}

TEST_F(LogOracleTest, AVoteThatChanges) {
  Save(1, {.term = Term{5}, .vote = ReplicaId{2}, .commit = Index{3}});
  Save(1, {.term = Term{5}, .vote = ReplicaId{3}, .commit = Index{3}});
  ExpectBroken("changes its vote");
}

TEST_F(LogOracleTest, AChangeThatASnapshotCoversIsCommitted) {
  Entry first = Make(4, 1, "add");
  Entry second = Make(5, 1, "remove");
  first.type = second.type = EntryType::kConfigChange;
  for (const std::uint64_t id : {1, 2, 3}) Save(id, {first});
  Commit(1, 4);
  StoreImage(3, 4, 1);
  Save(3, {second});
  world_.After(microseconds(1), [] {});
  ExpectFine();
}

TEST_F(LogOracleTest, TwoUncommittedChanges) {
  Entry first = Make(4, 1, "add");
  Entry second = Make(5, 1, "remove");
  first.type = second.type = EntryType::kConfigChange;
  Save(1, {first, second});
  ExpectBroken("two uncommitted changes");
}

TEST_F(LogOracleTest, ACommitOnTheDisksOfNoMajority) {
  Save(1, {Make(4, 1, "a")});
  Commit(1, 4);
  ExpectBroken("on the disks of no majority");
}

TEST_F(LogOracleTest, AMajorityOfOtherMembersIsNone) {
  members_.voters.erase(ReplicaId{2});
  members_.voters[ReplicaId{4}] = "host4";
  Save(1, {Make(4, 1, "a")});
  Save(2, {Make(4, 1, "a")});
  Commit(1, 4);
  ExpectBroken("on the disks of no majority");
}

TEST_F(LogOracleTest, ACommitThatIsTakenBack) {
  Save(1, {Make(4, 1, "a")});
  Save(2, {Make(4, 1, "a")});
  Commit(1, 4);
  Commit(1, 3);
  ExpectBroken("takes back a commit");
}

TEST_F(LogOracleTest, ACommittedEntryThatIsReplaced) {
  for (const std::uint64_t id : {1, 2}) Save(id, {Make(4, 1, "a")});
  Commit(1, 4);
  Save(2, {Make(4, 2, "b")});
  ExpectBroken("takes another entry 4 than was committed before");
}

TEST_F(LogOracleTest, ACommittedEntryThatNoMajorityHasAnyMore) {
  for (const std::uint64_t id : {1, 2}) Save(id, {Make(4, 1, "a")});
  CommitInTerm3(1, 4);
  Save(2, {Make(4, 2, "b")});
  ExpectBroken("replaces entry 4, which was committed by its copy");
}

TEST_F(LogOracleTest, ACommittedEntryThatIsReplacedWhereThatIsKnown) {
  for (const std::uint64_t id : {1, 2, 3}) Save(id, {Make(4, 1, "a")});
  CommitInTerm3(1, 4);
  Commit(3, 4);
  Save(3, {Make(4, 2, "b")});
  ExpectBroken("replaces entry 4, which it knows to be committed");
}

TEST_F(LogOracleTest, ACommittedEntryThatIsCutOff) {
  for (const std::uint64_t id : {1, 2}) Save(id, {Make(4, 1, "a"), Make(5, 1, "b")});
  Commit(1, 5);
  Save(2, {.term = Term{2}, .vote = {}, .commit = Index{3}});
  Save(2, {Make(4, 1, "a")});
  ExpectBroken("takes another entry 5");
}

// All have it, but no leader of a later term can have sent this.
TEST_F(LogOracleTest, ACommittedEntryThatIsReplacedInALaterTerm) {
  for (const std::uint64_t id : {1, 2, 3}) Save(id, {Make(4, 1, "a")});
  for (const std::uint64_t id : {1, 2, 3}) {
    Save(id, {Make(5, 3, "")},
         raft::HardState{.term = Term{3}, .vote = ReplicaId{1}, .commit = Index{3}});
  }
  Commit(1, 5);
  Save(2, {.term = Term{4}, .vote = {}, .commit = Index{3}});
  Save(2, {Make(4, 2, "b")});
  ExpectBroken("takes another entry 4");
}

TEST_F(LogOracleTest, ADurableCommitIsKnownAfterAStart) {
  StoreImage(3, 3, 1);
  for (const std::uint64_t id : {1, 2, 3}) Save(id, {Make(4, 1, "a")});
  CommitInTerm3(1, 4);
  Load(3, {.term = Term{1}, .vote = {}, .commit = Index{4}}, {Make(4, 1, "a")});
  Save(3, {Make(4, 2, "b")}, raft::HardState{.term = Term{2}, .vote = {}, .commit = Index{4}});
  ExpectBroken("replaces entry 4, which it knows to be committed");
}

TEST_F(LogOracleTest, WhatWasAcknowledgedAndIsReplaced) {
  for (const std::uint64_t id : {1, 2, 3}) Save(id, {Make(4, 1, "a")});
  Save(3, {.term = Term{3}, .vote = {}, .commit = Index{3}});
  Send(3, 1, 3, Accepted(4));
  Save(3, {Make(4, 2, "b")});
  ExpectBroken("dropped what it had acknowledged: entry 4");
}

// Replica 3 was away while 1 and 2 committed the entry in term 3. Then comes what the leader of
// term 2 had sent.
TEST_F(LogOracleTest, WhoWasAwayMayReplaceWhatOthersCommitted) {
  for (const std::uint64_t id : {1, 2, 3}) Save(id, {Make(4, 1, "a")});
  for (const std::uint64_t id : {1, 2}) Save(id, {Make(5, 3, "")});
  CommitInTerm3(1, 5);
  Save(3, {Make(4, 2, "b")}, raft::HardState{.term = Term{2}, .vote = {}, .commit = Index{3}});
  Save(3, {Make(4, 1, "a"), Make(5, 3, "")},
       raft::HardState{.term = Term{3}, .vote = {}, .commit = Index{5}});
  world_.After(microseconds(1), [] {});
  ExpectFine();
}

TEST_F(LogOracleTest, ALeaderWithoutACommittedEntry) {
  for (const std::uint64_t id : {1, 2}) Save(id, {Make(4, 1, "a")});
  Commit(1, 4);
  Save(3, {.term = Term{2}, .vote = ReplicaId{3}, .commit = Index{3}});
  Send(3, 1, 2, raft::Heartbeat{});
  ExpectBroken("leads term 2 without entry 4");
}

TEST_F(LogOracleTest, AnApplicationOfWhatIsNotDurableHere) {
  for (const std::uint64_t id : {1, 2}) Save(id, {Make(4, 1, "a")});
  Commit(1, 4);
  oracle_.Applied(ReplicaId{3}, Index{4});
  ExpectBroken("before it is durable there");
}

TEST_F(LogOracleTest, AnApplicationOfAnotherEntry) {
  for (const std::uint64_t id : {1, 2}) Save(id, {Make(4, 1, "a")});
  CommitInTerm3(1, 4);
  Save(3, {Make(4, 2, "b")});
  oracle_.Applied(ReplicaId{3}, Index{4});
  ExpectBroken("applies another entry 4");
}

TEST_F(LogOracleTest, ALogThatIsCutBeyondItsSnapshot) {
  oracle_.Cut(ReplicaId{1}, Index{2});
  ExpectBroken("no snapshot holds");
}

TEST_F(LogOracleTest, ASnapshotOfWhatIsNotCommitted) {
  Save(1, {Make(4, 1, "a")});
  Commit(1, 3);
  StoreImage(1, 4, 1);
  ExpectBroken("on the disks of no majority");
}

TEST_F(LogOracleTest, ASnapshotOfAnotherEntry) {
  for (const std::uint64_t id : {1, 2}) Save(id, {Make(4, 1, "a")});
  Commit(1, 4);
  StoreImage(3, 4, 2);
  ExpectBroken("snapshot of another entry");
}

TEST_F(LogOracleTest, AStartThatFindsLessThanWasStored) {
  StoreImage(1, 3, 1);
  Save(1, {Make(4, 1, "a"), Make(5, 1, "b")});
  Load(1, {.term = Term{1}, .vote = {}, .commit = Index{3}}, {Make(4, 1, "a")});
  ExpectBroken("finds fewer entries");
}

TEST_F(LogOracleTest, AStartThatFindsAGap) {
  Load(1, {.term = Term{1}, .vote = {}, .commit = Index{3}}, {Make(3, 1, "member 3")});
  ExpectBroken("gap between its snapshot and its log");
}

TEST_F(LogOracleTest, AStartThatFindsAnOlderTerm) {
  Save(1, {.term = Term{5}, .vote = ReplicaId{2}, .commit = Index{3}});
  Load(1, {.term = Term{4}, .vote = {}, .commit = Index{3}}, {Make(3, 1, "member 3")});
  ExpectBroken("another term or vote");
}

TEST_F(LogOracleTest, AWriteThatFailedMayBeThereOrNot) {
  StoreImage(1, 3, 1);
  const std::vector<Entry> stored = {Make(4, 1, "a"), Make(5, 1, "b")};
  const raft::HardState state{.term = Term{1}, .vote = {}, .commit = Index{3}};
  Save(1, stored);
  SaveFails(1, {Make(5, 2, "c")});
  Load(1, state, stored);
  SaveFails(1, {Make(5, 2, "c")});
  Load(1, state, {Make(4, 1, "a"), Make(5, 2, "c")});
  world_.After(microseconds(1), [] {});
  ExpectFine();
  SaveFails(1, {Make(5, 3, "d")});
  Load(1, state, {Make(4, 2, "x"), Make(5, 3, "d")});
  ExpectBroken("finds another entry 4");
}

}  // namespace
}  // namespace drumbeat::simulation
