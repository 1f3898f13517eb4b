// SPDX-License-Identifier: Apache-2.0
#include "state_machine/runtime.h"

#include <any>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "state_machine/test_machine.h"

namespace drumbeat::state_machine {
namespace {

using raft::EntryType;

TEST(RuntimeTest, AppliesCommandsInOrderAndAnswersWithTheirResults) {
  TestReplica replica;
  const Result<AppliedEntry> first = replica.Apply(Command("abc"));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->outcome, AppliedAs::kUpdated);
  EXPECT_EQ(first->result, (ApplyResult{.value = 3, .data = "abc"}));
  EXPECT_EQ(first->client_id, 99u);
  ASSERT_TRUE(replica.Apply(Command(std::string(5000, 'x'), 99, 0, 0, Compression::kSnappy)));
  EXPECT_EQ(replica.state->updates.size(), 2u);
  EXPECT_EQ(replica.state->updates[1].first, 2u);
  EXPECT_EQ(replica.state->updates[1].second, std::string(5000, 'x'));
  EXPECT_EQ(replica.runtime->applied(), Index(2));
}

TEST(RuntimeTest, AnEmptyCommandOfAClientReachesTheStateMachine) {
  TestReplica replica;
  EXPECT_EQ(replica.Apply(Command(""))->outcome, AppliedAs::kUpdated);
  EXPECT_EQ(replica.Apply(Raw(EntryType::kApplication, "raw"))->outcome, AppliedAs::kUpdated);
  EXPECT_EQ(replica.state->updates.size(), 2u);
  EXPECT_EQ(replica.state->text, "raw");
}

TEST(RuntimeTest, ALeadersFirstEntryAndMetadataOnlyMoveTheIndex) {
  TestReplica replica;
  for (const EntryType type : {EntryType::kApplication, EntryType::kMetadata}) {
    const Result<AppliedEntry> applied = replica.Apply(Raw(type, "", 0));
    ASSERT_TRUE(applied);
    EXPECT_EQ(applied->outcome, AppliedAs::kNothing);
    EXPECT_EQ(applied->refusal, "");
  }
  EXPECT_TRUE(replica.state->updates.empty());
  EXPECT_EQ(replica.runtime->applied(), Index(2));
}

// A Dragonboat member ends on each of these (wire.md 12); drumbeat members stay, and stay equal.
TEST(RuntimeTest, UnfitEntriesChangeNothingAndSayWhy) {
  const std::vector<raft::Entry> unfit = {
      Raw(EntryType::kApplication, "command without a client", 0),
      Raw(EntryType::kEncoded, "command without a client", 0),
      Raw(EntryType::kEncoded, ""),
      Raw(EntryType::kEncoded, "\x01 session flag"),
      Raw(EntryType::kEncoded, "\x10 version"),
      Raw(EntryType::kEncoded, "\x04 compression"),
      Raw(EntryType::kEncoded, std::string_view("\x02\x05", 2)),
      Raw(EntryType::kEncoded, std::string_view("\x02\x00", 2)),
      Raw(EntryType::kMetadata, ""),
      Raw(EntryType::kMetadata, "x"),
      Raw(static_cast<EntryType>(4), "\x00x"),
  };
  TestReplica replica;
  for (std::size_t i = 0; i < unfit.size(); ++i) {
    const Result<AppliedEntry> applied = replica.Apply(unfit[i]);
    ASSERT_TRUE(applied) << i << ": " << applied.error().text();
    EXPECT_EQ(applied->outcome, AppliedAs::kNothing) << i;
    EXPECT_NE(applied->refusal, "") << i;
    EXPECT_EQ(applied->result, ApplyResult{}) << i;
  }
  EXPECT_TRUE(replica.state->updates.empty());
  EXPECT_EQ(replica.runtime->applied(), Index(unfit.size()));
}

TEST(RuntimeTest, AnUnfitSessionCommandStoresNoResult) {
  TestReplica replica;
  ASSERT_TRUE(replica.Apply(Register(7)));
  raft::Entry damaged = Command("x", 7, 1);
  damaged.command = base::Bytes::Static("\x7f");
  EXPECT_EQ(replica.Apply(damaged)->outcome, AppliedAs::kNothing);
  EXPECT_EQ(replica.Apply(Command("x", 7, 1))->outcome, AppliedAs::kUpdated);
  EXPECT_EQ(replica.state->text, "x");
}

TEST(RuntimeTest, ACommandTooLargeForThisMemberFailsTheReplica) {
  TestReplica replica({.replica = {}, .max_command_bytes = 1000});
  const Result<AppliedEntry> applied =
      replica.Apply(Command(std::string(1001, 'x'), 99, 0, 0, Compression::kSnappy));
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, ErrorCode::kReplicaFailed);
  EXPECT_NE(applied.error().message.find("entry 1 "), std::string::npos) << applied.error().message;
}

TEST(RuntimeTest, EntriesThatDoNotFollowFailTheReplica) {
  for (const auto& [index, term] : {std::pair{1, 3}, {3, 3}, {2, 2}}) {
    TestReplica replica;
    raft::Entry entry = Command("a");
    entry.term = Term(3);
    ASSERT_TRUE(replica.Apply(entry));
    entry.index = Index(static_cast<std::uint64_t>(index));
    entry.term = Term(static_cast<std::uint64_t>(term));
    std::vector<AppliedEntry> out;
    const Result<void> applied = replica.runtime->Apply({&entry, 1}, out);
    ASSERT_FALSE(applied) << index;
    EXPECT_EQ(applied.error().code, ErrorCode::kReplicaFailed);
    EXPECT_TRUE(out.empty());
    EXPECT_EQ(replica.runtime->applied(), Index(1));
  }
}

// -- Sessions ------------------------------------------------------------------------------------

TEST(RuntimeTest, SessionsApplyEachSeriesOnce) {
  TestReplica replica;
  const Result<AppliedEntry> registered = replica.Apply(Register(7));
  EXPECT_EQ(registered->outcome, AppliedAs::kRegistered);
  EXPECT_EQ(registered->result.value, 7u);
  EXPECT_EQ(replica.Apply(Register(7))->outcome, AppliedAs::kAlreadyRegistered);

  EXPECT_EQ(replica.Apply(Command("a", 7, 1))->result.data, "a");
  const Result<AppliedEntry> again = replica.Apply(Command("a", 7, 1));
  EXPECT_EQ(again->outcome, AppliedAs::kUpdated);
  EXPECT_EQ(again->result.data, "a");
  EXPECT_EQ(replica.state->text, "a");

  EXPECT_EQ(replica.Apply(Command("b", 7, 2, 1))->outcome, AppliedAs::kUpdated);
  EXPECT_EQ(replica.Apply(Command("a", 7, 1))->outcome, AppliedAs::kIgnored);
  EXPECT_EQ(replica.state->text, "ab");

  const Result<AppliedEntry> unregistered = replica.Apply(Unregister(7));
  EXPECT_EQ(unregistered->outcome, AppliedAs::kUnregistered);
  EXPECT_EQ(unregistered->result.value, 7u);
  EXPECT_EQ(replica.Apply(Unregister(7))->outcome, AppliedAs::kSessionUnknown);
  EXPECT_EQ(replica.Apply(Command("c", 7, 3, 2))->outcome, AppliedAs::kSessionUnknown);
  EXPECT_EQ(replica.state->text, "ab");
}

TEST(RuntimeTest, AnEvictedSessionIsUnknownAndItsCommandsAreNotApplied) {
  TestReplica replica;
  for (std::uint64_t client = 1; client <= 4097; ++client) {
    ASSERT_EQ(replica.Apply(Register(client))->outcome, AppliedAs::kRegistered);
  }
  EXPECT_EQ(replica.Apply(Command("a", 1, 1))->outcome, AppliedAs::kSessionUnknown);
  EXPECT_EQ(replica.Apply(Command("b", 2, 1))->outcome, AppliedAs::kUpdated);
  EXPECT_EQ(replica.state->text, "b");
}

// Only an empty command makes a session operation; anything else with these numbers is a series.
TEST(RuntimeTest, ACommandWithARegisterNumberIsACommand) {
  TestReplica replica;
  EXPECT_EQ(replica.Apply(Command("x", 7, raft::kRegisterSeries))->outcome,
            AppliedAs::kSessionUnknown);
  ASSERT_TRUE(replica.Apply(Register(7)));
  EXPECT_EQ(replica.Apply(Command("x", 7, raft::kRegisterSeries))->outcome, AppliedAs::kUpdated);
  EXPECT_EQ(replica.Apply(Command("y", 7, raft::kUnregisterSeries))->outcome, AppliedAs::kUpdated);
  EXPECT_EQ(replica.state->text, "xy");
}

// -- Membership ----------------------------------------------------------------------------------

TEST(RuntimeTest, BootstrapEntriesMakeTheMembership) {
  TestReplica replica;
  const MemberMap founders = {{ReplicaId(1), "a:1"}, {ReplicaId(2), "b:2"}, {ReplicaId(3), "c:3"}};
  std::vector<AppliedEntry> out;
  ASSERT_TRUE(replica.runtime->Apply(codec::BootstrapEntries(founders), out));
  ASSERT_EQ(out.size(), 3u);
  for (const AppliedEntry& applied : out) EXPECT_EQ(applied.outcome, AppliedAs::kChangeAccepted);
  EXPECT_EQ(replica.runtime->membership().voters, founders);
  EXPECT_EQ(replica.runtime->membership().config_change_id, 3u);
}

TEST(RuntimeTest, ARefusedChangeNamesTheRuleAndChangesNothing) {
  TestReplica replica;
  ASSERT_EQ(replica.Apply(AddVoter(1, "a:1"))->outcome, AppliedAs::kChangeAccepted);
  const Membership before = replica.runtime->membership();
  const Result<AppliedEntry> refused = replica.Apply(AddVoter(2, "A:1 "));
  EXPECT_EQ(refused->outcome, AppliedAs::kChangeRefused);
  EXPECT_NE(refused->refusal, "");
  ASSERT_TRUE(refused->change);
  EXPECT_EQ(refused->change->replica, ReplicaId(2));
  EXPECT_EQ(replica.runtime->membership(), before);
  EXPECT_EQ(replica.runtime->applied(), Index(2));
}

TEST(RuntimeTest, OrderedChangesMustNameTheLastOne) {
  TestReplica replica({.replica = {}, .change_order = raft::ChangeOrder::kOrdered});
  raft::ConfigChange change;
  change.replica = ReplicaId(1);
  change.address = "a:1";
  ASSERT_EQ(replica.Apply(Change(change))->outcome, AppliedAs::kChangeAccepted);
  change.replica = ReplicaId(2);
  change.address = "b:2";
  EXPECT_EQ(replica.Apply(Change(change))->outcome, AppliedAs::kChangeRefused);
  change.config_change_id = 1;
  EXPECT_EQ(replica.Apply(Change(change))->outcome, AppliedAs::kChangeAccepted);
  EXPECT_EQ(replica.runtime->membership().config_change_id, 3u);
}

TEST(RuntimeTest, AChangeThatCannotBeDecodedIsRefused) {
  TestReplica replica;
  ASSERT_TRUE(replica.Apply(AddVoter(1, "a:1")));
  const Membership before = replica.runtime->membership();
  ASSERT_TRUE(before.voters.contains(ReplicaId(1)));
  raft::ConfigChange unknown;
  unknown.type = static_cast<raft::ConfigChangeType>(9);
  for (const std::string& bytes :
       {std::string("\xff\xff"), std::string("\x12\x05"), codec::EncodeConfigChange(unknown)}) {
    const Result<AppliedEntry> applied = replica.Apply(Raw(EntryType::kConfigChange, bytes, 0));
    ASSERT_TRUE(applied);
    EXPECT_EQ(applied->outcome, AppliedAs::kChangeRefused);
    EXPECT_FALSE(applied->change);
    EXPECT_NE(applied->refusal, "");
  }
  EXPECT_EQ(replica.runtime->membership(), before);
}

TEST(RuntimeTest, AWitnessKeepsTheMembershipAndNoState) {
  RuntimeOptions options;
  options.witness = true;
  const auto runtime = Runtime::Make(options, nullptr);
  std::vector<raft::Entry> entries = {AddVoter(1, "a:1"), Raw(EntryType::kMetadata, "", 0),
                                      Command("x"), Register(7)};
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i].index = Index(i + 1);
    entries[i].term = Term(2);
  }
  std::vector<AppliedEntry> out;
  ASSERT_TRUE(runtime->Apply(entries, out));
  EXPECT_EQ(out[0].outcome, AppliedAs::kChangeAccepted);
  EXPECT_EQ(out[2].outcome, AppliedAs::kNothing);
  EXPECT_EQ(runtime->membership().voters.size(), 1u);
  EXPECT_TRUE(runtime->sessions().sessions.empty());
  EXPECT_EQ(runtime->Lookup(std::any()).error().code, ErrorCode::kNotSupported);
  EXPECT_EQ(SaveSnapshot(*runtime).error().code, ErrorCode::kNotSupported);
  runtime->Close();
}

// -- Failures of the state machine ---------------------------------------------------------------

TEST(RuntimeTest, WhatUpdateThrowsFailsTheReplicaAndKeepsEarlierResults) {
  TestReplica replica;
  replica.state->on_update = [](const UpdateEntry& entry) -> Result<ApplyResult> {
    if (entry.index == Index(2)) throw std::runtime_error("boom");
    return ApplyResult{.value = 1, .data = {}};
  };
  std::vector<raft::Entry> entries(3, Command("x"));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i].index = Index(i + 1);
    entries[i].term = Term(2);
  }
  std::vector<AppliedEntry> out;
  const Result<void> applied = replica.runtime->Apply(entries, out);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, ErrorCode::kReplicaFailed);
  EXPECT_EQ(applied.error().message, "state machine: Update of entry 2 threw: boom");
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].outcome, AppliedAs::kUpdated);
  EXPECT_EQ(replica.runtime->applied(), Index(1));

  // From now on there is one answer to everything.
  EXPECT_EQ(replica.runtime->Lookup(std::any()).error().message, applied.error().message);
  EXPECT_EQ(SaveSnapshot(*replica.runtime).error().message, applied.error().message);
  EXPECT_EQ(replica.Apply(Command("y")).error().message, applied.error().message);
  replica.runtime->Close();
  EXPECT_EQ(replica.state->closed, 1);
}

TEST(RuntimeTest, WhatUpdateReturnsAsAnErrorOrThrowsAsANumberFailsTheReplica) {
  TestReplica returns;
  returns.state->on_update = [](const UpdateEntry&) -> Result<ApplyResult> {
    return Fail(ErrorCode::kBusy, "not now");
  };
  const Result<AppliedEntry> returned = returns.Apply(Command("x"));
  EXPECT_EQ(returned.error().code, ErrorCode::kReplicaFailed);
  EXPECT_EQ(returned.error().message,
            "state machine: Update of entry 1 returned an error: not now");
  TestReplica throws;
  throws.state->on_update = [](const UpdateEntry&) -> Result<ApplyResult> { throw 42; };
  EXPECT_EQ(throws.Apply(Command("x")).error().code, ErrorCode::kReplicaFailed);
}

TEST(RuntimeTest, AnErrorOfLookupIsItsAnswerAndAnExceptionAFailure) {
  TestReplica replica;
  replica.state->on_lookup = [](const std::any& query) -> Result<std::any> {
    if (!query.has_value()) return Fail(ErrorCode::kNotFound, "no such key");
    const int number = std::any_cast<int>(query);
    if (number == 0) return Fail(ErrorCode::kReplicaFailed, "what another shard said");
    return number;
  };
  EXPECT_EQ(replica.runtime->Lookup(std::any()).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(std::any_cast<int>(*replica.runtime->Lookup(5)), 5);
  EXPECT_EQ(replica.runtime->Lookup(0).error().code, ErrorCode::kAborted);
  EXPECT_EQ(replica.runtime->Lookup(std::string("wrong type")).error().code,
            ErrorCode::kReplicaFailed);
}

TEST(RuntimeTest, ClosesTheStateMachineOnce) {
  TestReplica replica;
  replica.state->on_close = [] { throw std::runtime_error("late"); };
  replica.runtime->Close();
  EXPECT_EQ(replica.state.use_count(), 1) << "and destroys it";
  replica.runtime->Close();
  EXPECT_EQ(replica.runtime->Lookup(std::any()).error().code, ErrorCode::kTerminated);
  EXPECT_EQ(replica.Apply(Command("x")).error().code, ErrorCode::kTerminated);
  EXPECT_EQ(SaveSnapshot(*replica.runtime).error().code, ErrorCode::kTerminated);
  EXPECT_EQ(replica.runtime->Recover({}, nullptr, {}).error().code, ErrorCode::kTerminated);
  replica.runtime.reset();
  EXPECT_EQ(replica.state->closed, 1);
}

}  // namespace
}  // namespace drumbeat::state_machine
