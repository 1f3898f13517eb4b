// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include <gtest/gtest.h>

#include "base/random.h"
#include "raft/message_check.h"
#include "raft/test_shard.h"

namespace drumbeat::raft::testing {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

Entry At(std::uint64_t term, std::uint64_t index) {
  Entry entry = Command("x");
  entry.term = Term{term};
  entry.index = Index{index};
  return entry;
}

AppendEntries Append(std::uint64_t previous, std::uint64_t previous_term, std::uint64_t commit,
                     std::vector<Entry> entries) {
  return {.previous = Index{previous},
          .previous_term = Term{previous_term},
          .commit = Index{commit},
          .entries = std::move(entries)};
}

// W-16: never appended, never committed, not even a higher term is learned from them.
TEST(HostileTest, ImpossibleAppendsLeaveNoTrace) {
  const std::vector<AppendEntries> impossible = {
      Append(3, 1, 3, {At(5, 5)}),
      Append(3, 1, 3, {At(5, 4), At(5, 6)}),
      Append(3, 1, 3, {At(5, 4), At(4, 5)}),
      Append(3, 1, 3, {At(9, 4)}),
      Append(3, 1, 3, {At(0, 4)}),
      Append(3, 0, 3, {}),
      Append(kMax, 1, kMax, {At(5, 0)}),
      Append(0, 1, 3, {At(5, 1)}),
      Append(1000, 0, 1000, {}),
  };
  for (std::size_t i = 0; i < impossible.size(); ++i) {
    TestShard shard(3);
    shard.Deliver(Make(2, 1, 5, impossible[i]));
    EXPECT_FALSE(shard.raft(1).HasOutput()) << i;
    EXPECT_EQ(shard.raft(1).term(), Term{1}) << i;
    EXPECT_EQ(shard.raft(1).leader(), ReplicaId{0}) << i;
    EXPECT_EQ(shard.raft(1).status().last_index, Index{3}) << i;
  }
}

// Found by fuzzing: it was never stored.
TEST(HostileTest, WhatIsReplacedBeforeItIsSavedIsNotAcknowledged) {
  for (const std::uint64_t second : {5, 6}) {
    TestShard shard(3);
    shard.raft(1).Step(Make(2, 1, 5, Append(3, 1, 3, {At(4, 4), At(4, 5)})));
    shard.raft(1).Step(Make(second == 5 ? 2 : 3, 1, second, Append(3, 1, 3, {At(second, 4)})));
    shard.filter = [](const Envelope&) { return false; };
    shard.Settle();
    const std::vector<Envelope> replies = Only<AppendReply>(shard.sent);
    ASSERT_EQ(replies.size(), 1u) << second;
    EXPECT_EQ(std::get<AppendReply>(replies[0].message).index, Index{4});
    EXPECT_EQ(replies[0].term, Term{second});
  }
}

// B-29.
TEST(HostileTest, ACommitBeyondTheLogIsNotFollowed) {
  TestShard shard(3);
  shard.Deliver(Make(2, 1, 5, Append(1000, 5, 2000, {})));
  shard.Settle();
  EXPECT_EQ(shard.raft(1).committed(), Index{3});
  shard.Deliver(Make(2, 1, 5, Append(3, 1, kMax, {At(5, 4)})));
  shard.Settle();
  EXPECT_EQ(shard.raft(1).committed(), Index{4});
  EXPECT_FALSE(shard.raft(1).complaint());
}

// W-17, S-09, S-10: a leader commits in a heartbeat only what was acknowledged to it.
TEST(HostileTest, AHeartbeatThatCommitsWhatIsNotHereShowsLostData) {
  TestShard shard(3);
  shard.Deliver(Make(1, 2, 5, Heartbeat{.commit = Index{4}, .context = {}}));
  ASSERT_TRUE(shard.raft(2).complaint());
  EXPECT_EQ(*shard.raft(2).complaint(), "replica 2 lost its data: remove it and add a new id");
  EXPECT_EQ(shard.raft(2).committed(), Index{3});
  shard.Settle();
  EXPECT_TRUE(Only<HeartbeatReply>(shard.sent).empty()) << "it vouches for nothing any more";
}

TEST(HostileTest, OnlyTheLeaderOfTheTermCanShowLostData) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  const std::uint64_t term = shard.raft(1).term().value();
  shard.Deliver(Make(3, 2, term, Heartbeat{.commit = Index{1000}, .context = {}}));
  shard.Deliver(Make(1, 2, term - 1, Heartbeat{.commit = Index{1000}, .context = {}}));
  EXPECT_FALSE(shard.raft(2).complaint());
}

TEST(HostileTest, AReplicaThatLostItsDataIsFoundByItsLeader) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  for (int i = 0; i < 5; ++i) shard.Propose(1, "a");
  shard.TickAll(2);
  // 2 comes back from an old copy of its disk.
  FakeDisk old;
  for (std::uint64_t id = 1; id <= 3; ++id) {
    Entry entry = Change("voter " + std::to_string(id));
    entry.term = Term{1};
    old.Append(std::move(entry));
  }
  old.set_hard_state({.term = Term{1}, .vote = {}, .commit = Index{3}});
  shard[2].Crash();
  shard[2].disk() = old;
  shard[2].Start();
  shard.TickAll(3);
  EXPECT_TRUE(shard.raft(2).complaint());
  EXPECT_EQ(shard.raft(1).role(), Role::kLeader);
}

// W-18.
TEST(HostileTest, AcknowledgementsThatCannotBeAreIgnored) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  shard.filter = [](const Envelope&) { return false; };
  shard.Propose(1, "a");
  shard.filter = nullptr;
  const std::uint64_t term = shard.raft(1).term().value();
  const Index before = shard.raft(1).committed();
  const auto acknowledge = [&](std::uint64_t from, std::uint64_t in_term, std::uint64_t index) {
    shard.Deliver(Make(from, 1, in_term, AppendReply{.index = Index{index}, .hint = {}}));
    return shard.raft(1).committed();
  };
  EXPECT_EQ(acknowledge(2, term, 1000), before) << "more than the leader has";
  EXPECT_EQ(acknowledge(2, term, kMax), before);
  EXPECT_EQ(acknowledge(9, term, 5), before) << "a stranger";
  EXPECT_EQ(acknowledge(2, term - 1, 5), before) << "another term";
  EXPECT_EQ(acknowledge(2, 0, 5), before) << "no term";
  EXPECT_EQ(acknowledge(2, term, 5), before + 1);
}

/// The answers among `envelopes`.
std::vector<Envelope> AnswersIn(const std::vector<Envelope>& envelopes) {
  std::vector<Envelope> answers;
  for (const Envelope& e : envelopes) {
    if (std::holds_alternative<AppendReply>(e.message) ||
        std::holds_alternative<HeartbeatReply>(e.message) ||
        std::holds_alternative<VoteReply>(e.message) ||
        std::holds_alternative<ReadIndexReply>(e.message)) {
      answers.push_back(e);
    }
  }
  return answers;
}

// N-08: answers of the same term that were captured before a restart.
TEST(HostileTest, AnswersFromBeforeARestartConfirmNothing) {
  for (const std::uint64_t restarted : {1, 2}) {
    TestShard shard(3);
    ASSERT_TRUE(shard.Elect(1));
    for (std::uint64_t id = 1; id <= 3; ++id) shard.raft(id).ReadIndex({.low = id, .high = 77});
    shard.Propose(1, "a");
    const std::vector<Envelope> captured = AnswersIn(shard.sent);
    const Term term = shard.raft(1).term();
    shard[restarted].Crash();
    shard[restarted].Start();
    if (restarted == 2) shard.TickAll(1);  // it hears of its leader
    for (std::uint64_t id = 1; id <= 3; ++id) shard[id].reads.clear();
    const Index committed = shard.raft(1).committed();

    shard.filter = [](const Envelope&) { return false; };
    for (std::uint64_t id = 1; id <= 3; ++id) {
      shard.raft(id).ReadIndex({.low = 10 + id, .high = 77});
    }
    shard.Propose(1, "b");
    EXPECT_GT(captured.size(), 10u);
    for (const Envelope& envelope : captured) {
      shard.filter = nullptr;
      shard.Deliver(envelope);
      shard.filter = [](const Envelope&) { return false; };
      shard.Settle();
    }
    EXPECT_EQ(shard.raft(1).term(), term) << restarted;
    EXPECT_EQ(shard.raft(1).role() == Role::kLeader, restarted == 2);
    EXPECT_EQ(shard.raft(1).committed(), committed) << restarted;
    for (std::uint64_t id = 1; id <= 3; ++id) EXPECT_TRUE(shard[id].reads.empty()) << id;
  }
}

TEST(HostileTest, RejectionsWithAnyNumbersKeepTheLeaderSane) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  const std::uint64_t term = shard.raft(1).term().value();
  for (const std::uint64_t index : {std::uint64_t{0}, std::uint64_t{3}, std::uint64_t{4}, kMax}) {
    for (const std::uint64_t hint : {std::uint64_t{0}, std::uint64_t{4}, kMax}) {
      shard.Deliver(Make(
          2, 1, term, AppendReply{.index = Index{index}, .rejected = true, .hint = Index{hint}}));
      shard.Run(1);
      shard.network.clear();
    }
  }
  shard.TickAll(3);
  shard.Propose(1, "a");
  EXPECT_EQ(shard[2].history(), shard[1].history());
}

// W-19.
TEST(HostileTest, TermsNearTheEndAreIgnored) {
  TestShard shard(3);
  for (const std::uint64_t term : {kMax, kMax - 1, kCountLimit}) {
    shard.Deliver(Make(2, 1, term, Heartbeat{}));
    shard.Deliver(Make(2, 1, term, RequestVote{}));
    shard.Deliver(Make(2, 1, term, NoOp{}));
    shard.Deliver(Make(2, 1, term, PreVoteReply{.rejected = true}));
    shard.Deliver(Make(2, 1, term, Append(0, 0, 0, {})));
    EXPECT_EQ(shard.raft(1).term(), Term{1});
  }
}

// W-20.
TEST(HostileTest, AFloodOfVoteRequestsOfAStrangerDoesNotDisturb) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  const Term term = shard.raft(1).term();
  for (std::uint64_t i = 1; i <= 1000; ++i) {
    for (std::uint64_t to = 1; to <= 3; ++to) {
      shard.Deliver(
          Make(66, to, term.value() + i,
               RequestVote{.last_index = Index{1000}, .last_term = Term{term.value() + i}}));
    }
    if (i % 50 == 0) shard.TickAll(1);
  }
  shard.Settle();
  EXPECT_EQ(shard.raft(1).role(), Role::kLeader);
  EXPECT_EQ(shard.raft(1).term(), term);
}

// A term has one leader: a second one is forged.
TEST(HostileTest, ASecondLeaderOfTheTermIsIgnored) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  const std::uint64_t term = shard.raft(1).term().value();
  const Index last = shard.raft(2).status().last_index;
  shard.Deliver(
      Make(3, 2, term, Append(last.value(), term, last.value(), {At(term, last.value() + 1)})));
  shard.Deliver(
      Make(3, 1, term, Append(last.value(), term, last.value(), {At(term, last.value() + 1)})));
  EXPECT_EQ(shard.raft(2).leader(), ReplicaId{1});
  EXPECT_EQ(shard.raft(2).status().last_index, last);
  EXPECT_EQ(shard.raft(1).role(), Role::kLeader);
  EXPECT_EQ(shard.raft(1).status().last_index, last);
}

TEST(HostileTest, StrangersAnswersMoveNoTerm) {
  TestShard shard(3);
  ASSERT_TRUE(shard.Elect(1));
  const Term term = shard.raft(1).term();
  const std::vector<Message> answers = {
      AppendReply{},    VoteReply{}, PreVoteReply{.rejected = true},
      HeartbeatReply{}, NoOp{},      RateLimitReport{}};
  for (const Message& answer : answers) shard.Deliver(Make(66, 1, term.value() + 9, answer));
  EXPECT_EQ(shard.raft(1).term(), term);
  EXPECT_EQ(shard.raft(1).role(), Role::kLeader);
}

TEST(HostileTest, StrangersDoNotProposeReadTransferOrPutToSleep) {
  Options options = TestShard::DefaultOptions();
  options.quiesce = true;
  TestShard shard(3, options);
  ASSERT_TRUE(shard.Elect(1));
  shard.TickAll(250);
  const Index last = shard.raft(1).status().last_index;
  const bool asleep = shard.raft(1).quiesced();
  shard.sent.clear();
  shard.Deliver(Make(66, 1, 0, ForwardedProposal{.entries = {Command("a")}}));
  shard.Deliver(Make(66, 1, 0, ReadIndexRequest{.context = {.low = 1, .high = 1}}));
  shard.Deliver(Make(66, 1, 0, LeaderTransferRequest{.target = ReplicaId{2}}));
  shard.Deliver(Make(66, 1, 0, QuiesceNotice{}));
  shard.Deliver(Make(66, 1, 0, SnapshotReceived{}));
  shard.Settle();
  EXPECT_EQ(shard.raft(1).status().last_index, last);
  EXPECT_EQ(shard.raft(1).status().transfer_target, ReplicaId{0});
  EXPECT_EQ(shard.raft(1).quiesced(), asleep);
  EXPECT_TRUE(shard.sent.empty());
}

TEST(HostileTest, MessagesForSomebodyElseAreIgnored) {
  TestShard shard(3);
  Envelope wrong = Make(2, 1, 9, Heartbeat{});
  wrong.shard = ShardId{8};
  shard.Deliver(wrong);
  Raft& raft = shard.raft(1);
  raft.Step(Make(2, 3, 9, Heartbeat{}));
  raft.Step(Make(2, 0, 9, Heartbeat{}));
  raft.Step(Make(0, 1, 9, Heartbeat{}));
  raft.Step(Make(1, 1, 9, Heartbeat{}));
  EXPECT_EQ(raft.term(), Term{1});
  EXPECT_FALSE(raft.HasOutput());
}

/// A message of any kind with numbers that are small, borderline or huge.
class AnyMessage {
 public:
  explicit AnyMessage(std::uint64_t seed) : random_(seed) {}

  Envelope Next(std::uint64_t to) {
    Envelope envelope = Make(random_.Below(6), to, Number(), Kind());
    return envelope;
  }

 private:
  std::uint64_t Number() {
    switch (random_.Below(12)) {
      case 0: return kMax - random_.Below(3);
      case 1: return kCountLimit - 2 + random_.Below(4);
      case 2: return random_.Next();
      default: return random_.Below(12);
    }
  }
  Index AnyIndex() { return Index{Number()}; }
  Term AnyTerm() { return Term{Number()}; }
  ReadContext AnyContext() { return {.low = random_.Below(4), .high = random_.Below(2)}; }
  std::vector<Entry> AnyEntries() {
    std::vector<Entry> entries;
    std::uint64_t index = Number();
    std::uint64_t term = Number();
    for (std::uint64_t n = random_.Below(4); n > 0; --n) {
      Entry entry =
          random_.OneIn(4) ? Change("voter " + std::to_string(random_.Below(9))) : Command("m");
      entry.index = Index{random_.OneIn(9) ? Number() : ++index};
      entry.term = Term{random_.OneIn(9) ? Number() : term};
      entries.push_back(std::move(entry));
    }
    return entries;
  }
  SnapshotRecord AnySnapshot() {
    SnapshotRecord record;
    record.index = AnyIndex();
    record.term = AnyTerm();
    record.witness = random_.OneIn(4);
    if (!random_.OneIn(4)) record.membership = Members({1, 2, 3 + random_.Below(4)});
    return record;
  }
  Message Kind() {
    const bool no = random_.OneIn(2);
    switch (random_.Below(18)) {
      case 0:
      case 1:
      case 2: return AppendEntries{AnyIndex(), AnyTerm(), AnyIndex(), AnyEntries()};
      case 3: return AppendReply{AnyIndex(), no, AnyIndex()};
      case 4: return RequestVote{AnyIndex(), AnyTerm(), no};
      case 5: return VoteReply{no};
      case 6: return RequestPreVote{AnyIndex(), AnyTerm(), no};
      case 7: return PreVoteReply{no};
      case 8:
        // A heartbeat beyond the log is a complaint, which ends the replica; see above.
        return Heartbeat{Index{0}, AnyContext()};
      case 9: return HeartbeatReply{AnyContext()};
      case 10: return ForwardedProposal{AnyEntries()};
      case 11: return ReadIndexRequest{AnyContext()};
      case 12: return ReadIndexReply{AnyIndex(), AnyContext()};
      case 13: return LeaderTransferRequest{ReplicaId{random_.Below(9)}};
      case 14: return no ? Message{TimeoutNow{}} : Message{NoOp{}};
      case 15: return no ? Message{QuiesceNotice{}} : Message{SnapshotReceived{}};
      case 16: return RateLimitReport{Number()};
      default: return InstallSnapshot{AnySnapshot()};
    }
  }

  base::Random random_;
};

// No invariant of a replica depends on what others say. (Safety of course does.)
TEST(HostileTest, NoMessageBreaksAnInvariant) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Options options = TestShard::DefaultOptions();
    options.election_ticks = 3;
    options.pre_vote = seed % 2 == 0;
    options.check_quorum = seed % 3 != 0;
    options.quiesce = seed % 5 == 0;
    options.max_in_memory_log_bytes = seed % 7 == 0 ? 2000 : 0;
    TestShard shard(3, options);
    AnyMessage any(seed);
    base::Random random(seed);
    if (seed % 2 == 0) shard.Elect(1);
    Index committed = shard.raft(1).committed();
    Term term = shard.raft(1).term();
    for (int step = 0; step < 400; ++step) {
      Envelope envelope = any.Next(1);
      if (const auto* install = std::get_if<InstallSnapshot>(&envelope.message)) {
        shard.images()[install->snapshot.index.value()] =
            History(std::min<std::uint64_t>(install->snapshot.index.value(), 1000), "image");
        if (install->snapshot.index > Index{1000}) continue;  // the test's state would not fit
      }
      shard.raft(1).Step(std::move(envelope));
      if (random.OneIn(4)) shard.raft(1).Tick();
      if (random.OneIn(10)) shard.raft(1).Propose({Command("p")});
      if (random.OneIn(20)) shard.raft(1).ReadIndex({.low = 1 + random.Below(3), .high = 0});
      if (random.OneIn(2)) {
        shard.Run(1);
        shard.network.clear();
      }
      ASSERT_GE(shard.raft(1).committed(), committed) << "seed " << seed;
      ASSERT_GE(shard.raft(1).term(), term) << "seed " << seed;
      committed = shard.raft(1).committed();
      term = shard.raft(1).term();
    }
  }
}

}  // namespace
}  // namespace drumbeat::raft::testing
