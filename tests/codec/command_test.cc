// SPDX-License-Identifier: Apache-2.0
#include "codec/command.h"

#include <gtest/gtest.h>
#include <snappy.h>

#include "base/byte_coding.h"
#include "codec/records.h"
#include "vectors.h"

namespace drumbeat::codec {
namespace {

using raft::EntryType;

raft::Entry ClientEntry(EntryType type, std::string_view command) {
  raft::Entry entry;
  entry.type = type;
  entry.key = 1;
  entry.client_id = 2;
  entry.command = base::Bytes::Copy(command);
  return entry;
}
raft::Entry Encoded(std::string_view command) { return ClientEntry(EntryType::kEncoded, command); }
bool Unfit(const raft::Entry& entry) { return WhyEntryUnfit(entry).has_value(); }

/// What happens to `entry`: its payload, or the error's code in words.
std::string Decoded(const raft::Entry& entry, std::size_t max_bytes = 1000) {
  std::string scratch;
  const auto payload = DecodeCommand(entry, scratch, max_bytes);
  return payload ? std::string(*payload) : std::string(ErrorCodeName(payload.error().code));
}
const std::string kBad(ErrorCodeName(ErrorCode::kInvalidArgument));
const std::string kTooLarge(ErrorCodeName(ErrorCode::kPayloadTooLarge));

std::string Snappy(std::string_view payload) {
  std::string block;
  snappy::Compress(payload.data(), payload.size(), &block);
  return "\x02" + block;
}

TEST(CommandTest, PayloadsComeBack) {
  for (const Compression compression : {Compression::kNone, Compression::kSnappy}) {
    for (const std::size_t size : {1u, 2u, 100u, 100000u}) {
      std::string payload(size, 'p');
      payload[size / 2] = 'q';
      raft::Entry entry;
      EncodeCommand(entry, payload, compression);
      EXPECT_EQ(entry.type, EntryType::kEncoded);
      EXPECT_EQ(entry.command.view()[0], compression == Compression::kNone ? '\0' : '\2');
      EXPECT_EQ(entry.command.size(), entry.command.retained_bytes()) << "wastes memory";
      EXPECT_EQ(Decoded(entry, size), payload);
      EXPECT_EQ(Decoded(entry, size - 1), kTooLarge);
    }
  }
}

TEST(CommandTest, AnEmptyPayloadIsAnEmptyApplicationEntry) {
  for (const Compression compression : {Compression::kNone, Compression::kSnappy}) {
    raft::Entry entry = Encoded("left over");
    EncodeCommand(entry, "", compression);
    EXPECT_EQ(entry.type, EntryType::kApplication);
    EXPECT_TRUE(entry.command.empty());
    EXPECT_EQ(Decoded(entry), "");
  }
}

TEST(CommandTest, RawCommandsAreTakenAsTheyAre) {
  EXPECT_EQ(Decoded(ClientEntry(EntryType::kApplication, "raw")), "raw");
  EXPECT_EQ(Decoded(ClientEntry(EntryType::kApplication, "raw"), 2), kTooLarge);
  EXPECT_EQ(Decoded(Encoded(std::string(1, '\0'))), "");
}

TEST(CommandTest, UncompressedPayloadsShareTheEntrysBytes) {
  const raft::Entry entry = Encoded(std::string("\0payload", 8));
  std::string scratch;
  EXPECT_EQ(DecodeCommand(entry, scratch, 100)->data(), entry.command.data() + 1);
}

TEST(CommandTest, RefusesUnknownHeaders) {
  for (int header = 0; header < 256; ++header) {
    if (header == 0 || header == 2) continue;
    const raft::Entry entry = Encoded(std::string(1, static_cast<char>(header)) + "body");
    EXPECT_EQ(Decoded(entry), kBad) << header;
    EXPECT_TRUE(Unfit(entry)) << header;
  }
}

TEST(CommandTest, RefusesOtherTypes) {
  EXPECT_EQ(Decoded(ClientEntry(EntryType::kConfigChange, "x")), kBad);
  EXPECT_EQ(Decoded(ClientEntry(EntryType::kMetadata, "x")), kBad);
  EXPECT_EQ(Decoded(Encoded("")), kBad);
}

TEST(CommandTest, LyingLengthsAreRefusedWithoutMemoryForThem) {
  std::string claims_much = "\x02";
  base::AppendVarint(claims_much, std::uint64_t{1} << 31);
  claims_much += std::string("\0a", 2);
  EXPECT_EQ(Decoded(Encoded(claims_much), std::size_t{1} << 40), kBad);
  EXPECT_TRUE(Unfit(Encoded(claims_much)));
  std::string claims_a_little_more = Snappy("payload");
  ++claims_a_little_more[1];
  EXPECT_EQ(Decoded(Encoded(claims_a_little_more)), kBad);
  // Not "too large": it is damaged for every member, whatever its limit.
  EXPECT_EQ(Decoded(Encoded(claims_a_little_more), 3), kBad);
  EXPECT_TRUE(Unfit(Encoded(claims_a_little_more)));
}

TEST(CommandTest, RefusesDamagedBlocks) {
  const std::string good = Snappy(std::string(1000, 'x') + "end");
  for (std::size_t length = 1; length < good.size(); ++length) {
    const raft::Entry cut = Encoded(good.substr(0, length));
    EXPECT_EQ(Decoded(cut, 2000), kBad) << length;
    EXPECT_TRUE(Unfit(cut)) << length;
  }
  EXPECT_EQ(Decoded(Encoded(good + "x"), 2000), kBad) << "more behind the block";
  EXPECT_EQ(Decoded(Encoded(std::string("\x02\0", 2))), kBad) << "an empty payload";
}

TEST(CommandTest, WhatCannotBeDecodedIsUnfitAndTheOtherWayRound) {
  const std::string good = Snappy("dragon boat dragon boat dragon boat");
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = good;
      changed[at] = static_cast<char>(byte);
      EXPECT_EQ(Decoded(Encoded(changed), kMaxCommandBytes) == kBad, Unfit(Encoded(changed)))
          << at << " " << byte;
    }
  }
}

TEST(UnfitEntryTest, WhatDragonboatMakesIsFit) {
  EXPECT_FALSE(Unfit(raft::Entry())) << "a leader's first entry";
  raft::Entry metadata;
  metadata.type = EntryType::kMetadata;
  EXPECT_FALSE(Unfit(metadata));
  raft::Entry session = ClientEntry(EntryType::kApplication, "");
  for (const std::uint64_t series :
       {raft::kRegisterSeries, raft::kUnregisterSeries, raft::kNoOpSeries}) {
    session.series_id = series;
    EXPECT_FALSE(Unfit(session)) << series;
  }
  EXPECT_FALSE(Unfit(ClientEntry(EntryType::kApplication, "raw")));
  EXPECT_FALSE(Unfit(Encoded(std::string("\0x", 2))));
  EXPECT_FALSE(Unfit(Encoded(Snappy("x"))));
  for (const raft::Entry& entry : BootstrapEntries({{ReplicaId(1), "localhost:63001"}})) {
    EXPECT_FALSE(Unfit(entry));
  }
}

TEST(UnfitEntryTest, WhatEndsDragonboatMembersIsUnfit) {
  raft::Entry no_key = Encoded(std::string("\0x", 2));
  no_key.key = 0;
  EXPECT_TRUE(Unfit(no_key));
  raft::Entry registers_without_key = ClientEntry(EntryType::kApplication, "");
  registers_without_key.series_id = raft::kRegisterSeries;
  registers_without_key.key = 0;
  EXPECT_TRUE(Unfit(registers_without_key));
  raft::Entry no_client = ClientEntry(EntryType::kApplication, "raw");
  no_client.client_id = 0;
  EXPECT_TRUE(Unfit(no_client));
  no_client.type = EntryType::kEncoded;
  EXPECT_TRUE(Unfit(no_client));
  EXPECT_TRUE(Unfit(Encoded("")));
  EXPECT_TRUE(Unfit(ClientEntry(EntryType::kMetadata, "")));
  raft::Entry metadata_with_command;
  metadata_with_command.type = EntryType::kMetadata;
  metadata_with_command.command = base::Bytes::Copy("x");
  EXPECT_TRUE(Unfit(metadata_with_command));
  EXPECT_TRUE(Unfit(ClientEntry(static_cast<EntryType>(9), "")));
}

TEST(UnfitEntryTest, CommandsThatNobodyCanApplyAreUnfit) {
  const std::string largest(kMaxCommandBytes, 'x');
  EXPECT_FALSE(Unfit(Encoded(Snappy(largest))));
  EXPECT_TRUE(Unfit(Encoded(Snappy(largest + "x"))));
  EXPECT_FALSE(Unfit(Encoded(std::string(1, '\0') + largest)));
  EXPECT_TRUE(Unfit(Encoded(std::string(1, '\0') + largest + "x")));
}

raft::Entry ChangeEntry(raft::ConfigChangeType type, std::string address) {
  raft::ConfigChange change;
  change.type = type;
  change.replica = ReplicaId(4);
  change.address = std::move(address);
  raft::Entry entry;
  entry.type = EntryType::kConfigChange;
  entry.command = base::Bytes::Copy(EncodeConfigChange(change));
  return entry;
}

TEST(UnfitEntryTest, MembershipChangesMustBeDecodable) {
  raft::Entry entry = ChangeEntry(raft::ConfigChangeType::kAddVoter, "a:1");
  EXPECT_FALSE(Unfit(entry));
  entry.command = base::Bytes::Copy(FromHex("10042203613a31"));
  EXPECT_TRUE(Unfit(entry)) << "type 4";
  entry.command = base::Bytes::Copy("garbage");
  EXPECT_TRUE(Unfit(entry));
}

TEST(UnfitEntryTest, AddedMembersNeedAnAddress) {
  using Type = raft::ConfigChangeType;
  EXPECT_FALSE(Unfit(ChangeEntry(Type::kRemove, "")));
  for (const char* good : {"localhost:63001", "10.0.0.1:1", "[::1]:65535", " h:1 ", "h_1:80"}) {
    EXPECT_FALSE(Unfit(ChangeEntry(Type::kAddVoter, good))) << good;
  }
  for (const char* bad : {"", " ", "h", ":1", "h:", "h:0", "h:65536", "h:-1", "h:1x", "a b:1",
                          "h:99999999999", "a\nb:1", "\xc3\xa4:1"}) {
    for (const Type type : {Type::kAddVoter, Type::kAddNonVoting, Type::kAddWitness}) {
      EXPECT_TRUE(Unfit(ChangeEntry(type, bad))) << bad;
    }
  }
}

}  // namespace
}  // namespace drumbeat::codec
