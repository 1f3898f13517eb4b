// SPDX-License-Identifier: Apache-2.0
#include "codec/message_batch.h"

#include <utility>

#include <gtest/gtest.h>

#include "base/check.h"
#include "codec/entry_codec.h"
#include "codec/protobuf.h"
#include "messages.h"
#include "vectors.h"

namespace drumbeat::codec {
namespace {

std::string Encoded(std::vector<raft::Envelope> messages) {
  MessageBatch batch;
  batch.source_address = "localhost:63001";
  batch.messages = std::move(messages);
  return EncodeMessageBatch(batch);
}
base::Bytes Payload(std::vector<raft::Envelope> messages) {
  return base::Bytes::Copy(Encoded(std::move(messages)));
}
std::string Alone(const raft::Envelope& envelope) {
  std::string out;
  AppendMessage(out, envelope);
  return out;
}

TEST(MessageBatchTest, EveryKindOfMessageComesBack) {
  const std::vector<raft::Envelope> messages = OneOfEachKind();
  // All kinds but InstallSnapshot.
  ASSERT_EQ(messages.size(), std::variant_size_v<raft::Message> - 1);
  const auto batch = DecodeMessageBatch(Payload(messages));
  ASSERT_TRUE(batch.has_value());
  EXPECT_EQ(batch->refused, 0u);
  EXPECT_EQ(batch->deployment_id, 1u);
  EXPECT_EQ(batch->bin_version, kBinVersion);
  EXPECT_EQ(batch->source_address, "localhost:63001");
  ASSERT_EQ(batch->messages.size(), messages.size());
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const raft::Envelope& in = messages[i];
    const raft::Envelope& out = batch->messages[i];
    EXPECT_EQ(out.message.index(), in.message.index());
    EXPECT_EQ(std::pair(out.from, out.to), std::pair(in.from, in.to));
    EXPECT_EQ(std::pair(out.shard, out.term), std::pair(in.shard, in.term));
    // Everything else of it is in its bytes.
    EXPECT_EQ(ToHex(Alone(out)), ToHex(Alone(in)));
    EXPECT_EQ(Alone(in).size(), EncodedMessageSize(in));
  }
}

TEST(MessageBatchTest, FieldsGoWhereTheyBelong) {
  const auto batch = DecodeMessageBatch(Payload(OneOfEachKind()));
  ASSERT_TRUE(batch.has_value());
  const auto& append = std::get<raft::AppendEntries>(batch->messages[0].message);
  EXPECT_EQ(append.previous, Index(19));
  EXPECT_EQ(append.previous_term, Term(4));
  EXPECT_EQ(append.commit, Index(18));
  ASSERT_EQ(append.entries.size(), 2u);
  EXPECT_EQ(append.entries[1].command.view(), std::string_view("\0hello", 6));
  const auto& reply = std::get<raft::AppendReply>(batch->messages[1].message);
  EXPECT_EQ(reply.index, Index(19));
  EXPECT_TRUE(reply.rejected);
  EXPECT_EQ(reply.hint, Index(3));
  const auto& vote = std::get<raft::RequestVote>(batch->messages[2].message);
  EXPECT_EQ(vote.last_index, Index(21));
  EXPECT_EQ(vote.last_term, Term(5));
  EXPECT_TRUE(vote.transfer);
  const auto& heartbeat = std::get<raft::Heartbeat>(batch->messages[6].message);
  EXPECT_EQ(heartbeat.commit, Index(10));
  EXPECT_EQ(heartbeat.context, (raft::ReadContext{8, 9}));
}

// Every forwarded request with a term ends the Dragonboat follower that would pass it on.
TEST(MessageBatchTest, ForwardedRequestsAreWrittenWithoutTerm) {
  int forwarded = 0;
  for (const raft::Envelope& envelope : OneOfEachKind()) {
    if (envelope.term) continue;
    raft::Envelope with_term = envelope;
    with_term.term = Term(7);
    EXPECT_EQ(ToHex(Alone(with_term)), ToHex(Alone(envelope))) << envelope.message.index();
    ++forwarded;
  }
  EXPECT_EQ(forwarded, 5);
}

TEST(MessageBatchTest, WhatEndsDragonboatProcessesIsNotWritten) {
  const base::ReplicaScope scope(ShardId(1), ReplicaId(1));
  std::string out;
  raft::Envelope to_nobody = EnvelopeOf(raft::NoOp{});
  to_nobody.to = ReplicaId(0);
  const raft::Envelope gap =
      EnvelopeOf(raft::AppendEntries{Index(19), Term(4), Index(18), {EntryAt(20), EntryAt(22)}});
  const raft::Envelope no_previous_term =
      EnvelopeOf(raft::AppendEntries{Index(19), Term(0), Index(18), {}});
  EXPECT_THROW(AppendMessage(out, to_nobody), base::InvariantBroken);
  EXPECT_THROW(AppendMessage(out, EnvelopeOf(raft::InstallSnapshot{})), base::InvariantBroken);
  EXPECT_THROW(AppendMessage(out, gap), base::InvariantBroken);
  EXPECT_THROW(AppendMessage(out, no_previous_term), base::InvariantBroken);
  EXPECT_THROW(EncodedMessageSize(gap), base::InvariantBroken);
  EXPECT_EQ(out, "");
}

TEST(MessageBatchTest, UnknownFieldsAreSkippedEverywhere) {
  // Fields 30 and 31, once of each wire type.
  const std::string unknown = FromHex("f00105fa010161f9010102030405060708fb01fc01fd0101020304");
  const std::string heartbeat = Alone(EnvelopeOf(raft::Heartbeat{Index(10), {}}));
  FieldReader fields(heartbeat);
  ASSERT_TRUE(fields.Next());
  std::string payload = unknown;
  AppendField(payload, 1, unknown + std::string(fields.Bytes()) + unknown);
  AppendBatchTrailer(payload, 1, "a:1");
  payload += unknown;
  const auto batch = DecodeMessageBatch(base::Bytes::Copy(payload));
  ASSERT_TRUE(batch.has_value());
  ASSERT_EQ(batch->messages.size(), 1u);
  EXPECT_EQ(std::get<raft::Heartbeat>(batch->messages[0].message).commit, Index(10));
}

TEST(MessageBatchTest, MissingFieldsAreZero) {
  const auto batch = DecodeMessageBatch(base::Bytes());
  ASSERT_TRUE(batch.has_value());
  EXPECT_EQ(batch->deployment_id, 0u);
  EXPECT_EQ(batch->bin_version, 0u);
  EXPECT_EQ(batch->source_address, "");
  EXPECT_TRUE(batch->messages.empty());
}

TEST(MessageBatchTest, APrefixNeverPassesForTheWhole) {
  const std::string whole = Encoded(OneOfEachKind());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto batch = DecodeMessageBatch(base::Bytes::Copy(whole.substr(0, length)));
    EXPECT_TRUE(!batch || batch->bin_version != kBinVersion) << length;
  }
}

TEST(MessageBatchTest, TheNumberOfMessagesIsBounded) {
  std::string empty_ones;
  for (int i = 0; i < 10; ++i) AppendField(empty_ones, 1, std::string_view());
  const base::Bytes payload = base::Bytes::Copy(empty_ones);
  const auto within = DecodeMessageBatch(payload, {.max_messages = 10, .max_entries = 0});
  ASSERT_TRUE(within.has_value());
  EXPECT_EQ(within->refused, 10u);
  EXPECT_FALSE(DecodeMessageBatch(payload, {.max_messages = 9, .max_entries = 0}).has_value());
}

TEST(MessageBatchTest, TheNumberOfEntriesIsBoundedOverAllMessages) {
  const base::Bytes payload = Payload({OneOfEachKind()[0], OneOfEachKind()[0]});
  EXPECT_TRUE(DecodeMessageBatch(payload, {.max_messages = 2, .max_entries = 4}).has_value());
  EXPECT_FALSE(DecodeMessageBatch(payload, {.max_messages = 2, .max_entries = 3}).has_value());
}

// A batch of a few megabytes that would take thirty times as much in memory.
TEST(MessageBatchTest, MillionsOfEmptyEntriesAreRefused) {
  std::string record;
  for (int i = 0; i < 2'000'000; ++i) record += "\x5a\x01\x7f";
  std::string payload;
  AppendField(payload, 1, record);
  EXPECT_FALSE(DecodeMessageBatch(base::Bytes::Copy(payload)).has_value());
}

// They would be kept as long as the entry, and nobody would count them.
TEST(MessageBatchTest, BytesBehindAnEntryAreRefused) {
  const auto decode = [](const std::string& entry) {
    std::string record;
    AppendField(record, 1, 12);  // AppendEntries
    AppendField(record, 5, 1);
    AppendField(record, 11, entry);
    std::string payload;
    AppendField(payload, 1, record);
    return DecodeMessageBatch(base::Bytes::Copy(payload));
  };
  std::string entry;
  AppendEntry(entry, EntryAt(1));
  EXPECT_TRUE(decode(entry).has_value());
  EXPECT_FALSE(decode(entry + '\0').has_value());
  EXPECT_FALSE(decode(entry + entry).has_value());
}

/// An append of `count` entries with commands of `bytes`.
raft::Envelope AppendOf(std::size_t count, std::size_t bytes) {
  raft::AppendEntries append{Index(0), Term(0), Index(0), {}};
  for (std::size_t i = 1; i <= count; ++i) {
    raft::Entry entry = EntryAt(i);
    entry.command = base::Bytes::Copy(std::string(bytes, 'c'));
    append.entries.push_back(std::move(entry));
  }
  return EnvelopeOf(std::move(append));
}

const std::vector<raft::Entry>& EntriesIn(const raft::Envelope& envelope) {
  return std::get<raft::AppendEntries>(envelope.message).entries;
}

TEST(MessageBatchTest, CommandsShareAFrameThatTheyFill) {
  const base::Bytes payload = Payload({AppendOf(100, 1000)});
  const auto batch = DecodeMessageBatch(payload);
  ASSERT_TRUE(batch.has_value());
  for (const raft::Entry& entry : EntriesIn(batch->messages[0])) {
    EXPECT_EQ(entry.command.buffer(), payload.buffer());
  }
}

TEST(MessageBatchTest, AFewCommandsDoNotPinALargeFrame) {
  const base::Bytes payload = Payload({AppendOf(100, 1000), AppendOf(2, 10)});
  const auto batch = DecodeMessageBatch(payload);
  ASSERT_TRUE(batch.has_value());
  EXPECT_EQ(EntriesIn(batch->messages[0])[0].command.buffer(), payload.buffer());
  const std::vector<raft::Entry>& few = EntriesIn(batch->messages[1]);
  EXPECT_EQ(few[0].command.view(), std::string(10, 'c'));
  EXPECT_EQ(few[1].command.view(), std::string(10, 'c'));
  EXPECT_LT(few[0].command.retained_bytes(), 100u);
  EXPECT_EQ(few[0].command.buffer(), few[1].command.buffer());
}

TEST(MessageBatchTest, BytesWithoutABufferWillDo) {
  const base::Bytes payload = Payload({AppendOf(3, 10)});
  const auto batch = DecodeMessageBatch(base::Bytes::Static(payload.view()));
  ASSERT_TRUE(batch.has_value());
  EXPECT_EQ(EntriesIn(batch->messages[0])[2].command.view(), std::string(10, 'c'));
}

}  // namespace
}  // namespace drumbeat::codec
