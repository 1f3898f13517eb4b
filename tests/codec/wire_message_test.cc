// SPDX-License-Identifier: Apache-2.0
#include "codec/wire_message.h"

#include <set>
#include <tuple>
#include <utility>

#include <gtest/gtest.h>

#include "codec/message_batch.h"
#include "messages.h"

// What is refused of what others send: each test starts from a good message and changes one thing.
namespace drumbeat::codec {
namespace {

constexpr std::uint64_t kMost = ~std::uint64_t{0};

struct Parts {
  WireMessage wire;
  std::vector<raft::Entry> entries;
};

Parts PartsOf(const raft::Envelope& envelope) {
  Parts parts{.wire = ToWire(envelope), .entries = {}};
  if (const auto* entries = EntriesOf(envelope.message)) parts.entries = *entries;
  return parts;
}

bool Taken(const Parts& parts) { return FromWire(parts.wire, parts.entries).has_value(); }

/// Whether the message is still taken after `change`.
template <class Change>
bool TakenAfter(const raft::Envelope& envelope, Change change) {
  Parts parts = PartsOf(envelope);
  EXPECT_TRUE(Taken(parts)) << "the message was not good before";
  change(parts);
  return Taken(parts);
}

class EachKind : public testing::TestWithParam<raft::Envelope> {};

TEST_P(EachKind, NeedsASenderAndAnotherReceiver) {
  EXPECT_FALSE(TakenAfter(GetParam(), [](Parts& parts) { parts.wire.to = 0; }));
  EXPECT_FALSE(TakenAfter(GetParam(), [](Parts& parts) { parts.wire.from = 0; }));
  EXPECT_FALSE(TakenAfter(GetParam(), [](Parts& parts) { parts.wire.from = parts.wire.to; }));
}

// Term 0 would skip all rules about terms; a forwarded request has none to give.
TEST_P(EachKind, HasATermExactlyWhereOneIsDue) {
  EXPECT_FALSE(
      TakenAfter(GetParam(), [](Parts& parts) { parts.wire.term = parts.wire.term == 0 ? 5 : 0; }));
}

TEST_P(EachKind, NumbersNearTheMaximumAreRefused) {
  for (std::uint64_t WireMessage::* field : {&WireMessage::term, &WireMessage::log_term,
                                             &WireMessage::log_index, &WireMessage::commit}) {
    for (const std::uint64_t value : {kMaxTermOrIndex + 1, kMost}) {
      EXPECT_FALSE(TakenAfter(GetParam(), [&](Parts& parts) { parts.wire.*field = value; }));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Wire, EachKind, testing::ValuesIn(OneOfEachKind()),
                         [](const auto& kind) { return "Kind" + std::to_string(kind.index); });

TEST(WireMessageTest, OnlyTheKindsThatTravelAreTaken) {
  const std::set<std::uint64_t> travel = {4,  7,  12, 13, 14, 15, 17, 18, 19,
                                          20, 21, 22, 23, 24, 25, 26, 27};
  std::set<std::uint64_t> taken;
  for (std::uint64_t type = 0; type < 1100; ++type) {
    for (const std::uint64_t term : {0u, 5u}) {
      const WireMessage wire{.type = type, .to = 2, .from = 1, .shard = 1, .term = term, .hint = 3};
      std::vector<raft::Entry> entries;
      if (type == 7) entries.push_back(ProposalOf("x"));
      if (FromWire(wire, entries)) taken.insert(type);
    }
  }
  EXPECT_EQ(taken, travel);
  // What would be a heartbeat if only the lowest byte counted.
  const WireMessage highest{.type = kMost - 255 + 17, .to = 2, .from = 1, .shard = 1, .term = 5};
  EXPECT_FALSE(FromWire(highest, {}).has_value());
}

raft::Envelope Append(std::vector<raft::Entry> entries) {
  return EnvelopeOf(raft::AppendEntries{Index(10), Term(3), Index(9), std::move(entries)});
}

TEST(AppendEntriesTest, EntriesMustFollowWithoutAGap) {
  EXPECT_TRUE(Taken(PartsOf(Append({}))));
  EXPECT_TRUE(Taken(PartsOf(Append({EntryAt(11), EntryAt(12)}))));
  for (const auto& [first, second] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {12, 13}, {10, 11}, {11, 13}, {11, 11}, {12, 11}, {0, 1}, {11, 0}, {11, kMost}}) {
    Parts parts = PartsOf(Append({EntryAt(11), EntryAt(12)}));
    parts.entries[0].index = Index(first);
    parts.entries[1].index = Index(second);
    EXPECT_FALSE(Taken(parts)) << first << " " << second;
  }
}

TEST(AppendEntriesTest, TermsMustNotFallNorPassTheMessages) {
  for (const auto& [first, second, good] :
       std::vector<std::tuple<std::uint64_t, std::uint64_t, bool>>{{3, 3, true},
                                                                   {3, 5, true},
                                                                   {4, 4, true},
                                                                   {5, 5, true},
                                                                   {2, 5, false},
                                                                   {5, 4, false},
                                                                   {5, 6, false},
                                                                   {6, 6, false},
                                                                   {0, 5, false},
                                                                   {5, 0, false}}) {
    Parts parts = PartsOf(Append({EntryAt(11), EntryAt(12)}));
    parts.entries[0].term = Term(first);
    parts.entries[1].term = Term(second);
    EXPECT_EQ(Taken(parts), good) << first << " " << second;
  }
}

TEST(AppendEntriesTest, ThePreviousEntryNeedsATermUnlessThereIsNone) {
  EXPECT_FALSE(TakenAfter(Append({}), [](Parts& parts) { parts.wire.log_term = 0; }));
  EXPECT_FALSE(TakenAfter(Append({}), [](Parts& parts) { parts.wire.log_term = 6; }));
  EXPECT_TRUE(TakenAfter(Append({}), [](Parts& parts) {
    parts.wire.log_index = 0;
    parts.wire.log_term = 0;
  }));
}

TEST(AppendEntriesTest, TheLastIndexIsBoundedToo) {
  Parts parts = PartsOf(Append({EntryAt(11)}));
  parts.wire.log_index = kMaxTermOrIndex - 1;
  parts.entries[0].index = Index(kMaxTermOrIndex);
  EXPECT_TRUE(Taken(parts));
  parts.wire.log_index = kMaxTermOrIndex;
  parts.entries[0].index = Index(kMaxTermOrIndex + 1);
  EXPECT_FALSE(Taken(parts));
}

TEST(AppendReplyTest, AHintIsAnIndexOnlyInARejection) {
  const raft::Envelope rejection = EnvelopeOf(raft::AppendReply{Index(10), true, Index(3)});
  EXPECT_FALSE(TakenAfter(rejection, [](Parts& parts) { parts.wire.hint = kMost; }));
  Parts accepted = PartsOf(EnvelopeOf(raft::AppendReply{Index(10), false, Index(0)}));
  accepted.wire.hint = kMost;
  const auto envelope = FromWire(accepted.wire, {});
  ASSERT_TRUE(envelope.has_value());
  EXPECT_EQ(std::get<raft::AppendReply>(envelope->message).hint, Index(0));
}

TEST(VoteTest, AHintMeansATransferOnlyIfItIsTheSender) {
  const auto is_transfer = [](std::uint64_t hint) {
    Parts parts = PartsOf(EnvelopeOf(raft::RequestVote{Index(9), Term(4), false}));
    parts.wire.hint = hint;
    return std::get<raft::RequestVote>(FromWire(parts.wire, {})->message).transfer;
  };
  EXPECT_TRUE(is_transfer(1));
  EXPECT_FALSE(is_transfer(0));
  EXPECT_FALSE(is_transfer(2));
}

TEST(VoteTest, NoLogIsNewerThanTheCandidatesTerm) {
  const auto newer = [](Parts& parts) { parts.wire.log_term = parts.wire.term + 1; };
  EXPECT_FALSE(TakenAfter(EnvelopeOf(raft::RequestVote{Index(9), Term(4), false}), newer));
  EXPECT_FALSE(TakenAfter(EnvelopeOf(raft::RequestPreVote{Index(9), Term(4), false}), newer));
}

TEST(ReadTest, AReadNeedsAContext) {
  const auto no_context = [](Parts& parts) { parts.wire.hint = 0; };
  EXPECT_FALSE(TakenAfter(EnvelopeOf(raft::ReadIndexRequest{{1, 2}}, Term(0)), no_context));
  EXPECT_FALSE(TakenAfter(EnvelopeOf(raft::ReadIndexReply{Index(1), {1, 2}}), no_context));
  EXPECT_TRUE(TakenAfter(EnvelopeOf(raft::Heartbeat{Index(1), {1, 2}}), no_context));
}

TEST(RequestsTest, SomethingMustBeAskedFor) {
  EXPECT_FALSE(TakenAfter(EnvelopeOf(raft::LeaderTransferRequest{ReplicaId(3)}, Term(0)),
                          [](Parts& parts) { parts.wire.hint = 0; }));
  EXPECT_FALSE(TakenAfter(EnvelopeOf(raft::ForwardedProposal{{ProposalOf("x")}}, Term(0)),
                          [](Parts& parts) { parts.entries.clear(); }));
}

TEST(RequestsTest, ProposalsComeWithoutIndexAndTerm) {
  Parts parts = PartsOf(EnvelopeOf(raft::ForwardedProposal{{ProposalOf("x")}}, Term(0)));
  parts.entries[0].index = Index(kMost);
  parts.entries[0].term = Term(kMost);
  const auto envelope = FromWire(parts.wire, parts.entries);
  ASSERT_TRUE(envelope.has_value());
  const auto& entry = std::get<raft::ForwardedProposal>(envelope->message).entries[0];
  EXPECT_EQ(entry.index, Index(0));
  EXPECT_EQ(entry.term, Term(0));
}

// Dragonboat's followers report nearly 2^64 when more of their bytes are uncommitted than are held.
TEST(RequestsTest, AWrappedRateReportIsRefused) {
  EXPECT_FALSE(TakenAfter(EnvelopeOf(raft::RateLimitReport{1}),
                          [](Parts& parts) { parts.wire.hint = kMost - 1000; }));
}

}  // namespace
}  // namespace drumbeat::codec
