// SPDX-License-Identifier: Apache-2.0
#include "simulation/wire_referee.h"

#include <fstream>
#include <iterator>
#include <regex>

#include <gtest/gtest.h>

#include "base/byte_coding.h"
#include "base/crc.h"
#include "simulation/raw_bytes.h"

namespace drumbeat::simulation {
namespace {

using Rule = WireRule;

constexpr char kOne[] = "host1:63001";
constexpr char kTwo[] = "host2:63001";

/// Each test sends something harmless first, then the same with one thing wrong.
class WireRefereeTest : public testing::Test {
 protected:
  std::optional<Rule> Batch(const std::string& requests, const std::string& source = kOne,
                            std::uint64_t deployment = 1, std::uint64_t version = 210) {
    return referee_.Batch(kOne, kTwo,
                          requests + Field(2, deployment) + Field(3, source) + Field(4, version));
  }
  std::optional<Rule> Sent(const MessageBytes& message) { return Batch(Field(1, message.Make())); }
  /// What replica 2 answers.
  std::optional<Rule> Answered(MessageBytes message) {
    message.from = 2;
    message.to = 1;
    return referee_.Batch(kTwo, kOne,
                          Field(1, message.Make()) + Field(2, 1) + Field(3, kTwo) + Field(4, 210));
  }
  std::optional<Rule> Replicated(std::vector<EntryBytes> entries, std::uint64_t to = 2) {
    return Sent({.type = 12,
                 .to = to,
                 .log_term = 4,
                 .log_index = 10,
                 .commit = 10,
                 .entries = std::move(entries)});
  }

  WireReferee referee_;
};

TEST_F(WireRefereeTest, HarmlessMessagesPass) {
  referee_.pre_vote = true;
  for (const std::uint64_t type : {4, 12, 13, 14, 15, 17, 20, 24, 25, 26, 27}) {
    EXPECT_EQ(Sent({.type = type, .hint = type == 20u ? 9u : 0u}), std::nullopt) << type;
  }
  for (const std::uint64_t type : {7, 19, 21, 22, 23}) {
    EXPECT_EQ(Sent({.type = type, .term = 0, .hint = 9}), std::nullopt) << type;
  }
}

TEST_F(WireRefereeTest, ForeignDeploymentsAndVersions) {
  const std::string message = Field(1, MessageBytes{.type = 4}.Make());
  EXPECT_EQ(Batch(message, kOne, 2), Rule::kIdentity);
  EXPECT_EQ(Batch(message, kOne, 1, 211), Rule::kIdentity);
}

TEST_F(WireRefereeTest, RequestsThatAreCutOff) {
  std::string message = MessageBytes{.type = 4}.Make();
  message.pop_back();
  EXPECT_EQ(Batch(Field(1, message)), Rule::kWholeRequests);
}

TEST_F(WireRefereeTest, OtherSourceAddresses) {
  const std::string message = Field(1, MessageBytes{.type = 4}.Make());
  EXPECT_EQ(Batch(message), std::nullopt);
  EXPECT_EQ(Batch(message, "HOST1:63001"), Rule::kSourceAddress);
  // The same replica from another host.
  EXPECT_EQ(referee_.Batch(kTwo, kOne, message + Field(2, 1) + Field(3, kTwo) + Field(4, 210)),
            Rule::kSourceAddress);
  for (const char* bad : {"host_1:63001", "host1", "host1:0", "host1:70000", ":63001", "::1:5"}) {
    WireReferee fresh;
    EXPECT_EQ(fresh.Batch(bad, kTwo, message + Field(2, 1) + Field(3, bad) + Field(4, 210)),
              Rule::kSourceAddress)
        << bad;
  }
}

TEST_F(WireRefereeTest, ReceiverZeroAndOneself) {
  EXPECT_EQ(Sent({.type = 4, .to = 0}), Rule::kReceiver);
  EXPECT_EQ(Sent({.type = 4, .to = 1}), Rule::kReceiver);
}

TEST_F(WireRefereeTest, LocalUnusedAndUnknownTypes) {
  for (const std::uint64_t type : {0, 1, 2, 3, 5, 6, 8, 9, 10, 11, 16, 28, 29, 1000}) {
    EXPECT_EQ(Sent({.type = type}), Rule::kTypes) << type;
  }
  EXPECT_EQ(Sent({.type = 12, .term = 0}), Rule::kTypes) << "no rules of terms would apply";
}

TEST_F(WireRefereeTest, PreVotesWhereTheyAreOff) {
  EXPECT_EQ(Sent({.type = 26}), Rule::kPreVote);
  EXPECT_EQ(Sent({.type = 27}), Rule::kPreVote);
}

TEST_F(WireRefereeTest, HeartbeatsThatCommitWhatTheTargetMayLack) {
  EXPECT_EQ(Replicated({{}}), std::nullopt);
  EXPECT_EQ(Sent({.type = 17, .commit = 1}), Rule::kHeartbeatCommit);
  EXPECT_EQ(Answered({.type = 13, .log_index = 11}), std::nullopt);
  EXPECT_EQ(Sent({.type = 17, .commit = 11}), std::nullopt);
  EXPECT_EQ(Sent({.type = 17, .commit = 12}), Rule::kHeartbeatCommit);
  EXPECT_EQ(Sent({.type = 17, .term = 6, .commit = 11}), Rule::kHeartbeatCommit) << "a new term";
  EXPECT_EQ(Answered({.type = 13, .log_index = 11, .reject = 1}), std::nullopt);
}

TEST_F(WireRefereeTest, AnswersToReadsThatWereNotAsked) {
  EXPECT_EQ(Sent({.type = 17, .hint = 42}), std::nullopt);
  EXPECT_EQ(Answered({.type = 18, .hint = 42}), std::nullopt);
  EXPECT_EQ(Answered({.type = 18}), std::nullopt);
  EXPECT_EQ(Answered({.type = 18, .hint = 43}), Rule::kReadEcho);
}

TEST_F(WireRefereeTest, EntriesWithAGap) {
  EXPECT_EQ(Replicated({{.index = 11}, {.index = 12}}), std::nullopt);
  EXPECT_EQ(Replicated({{.index = 12}}), Rule::kEntriesFollow);
  EXPECT_EQ(Replicated({{.index = 11}, {.index = 13}}), Rule::kEntriesFollow);
  EXPECT_EQ(Replicated({{.index = 10}}), Rule::kEntriesFollow);
}

TEST_F(WireRefereeTest, EntriesWhoseTermsFallOrAreNotYet) {
  EXPECT_EQ(Replicated({{.term = 3}}), Rule::kEntriesFollow);
  EXPECT_EQ(Replicated({{.term = 6}}), Rule::kEntriesFollow);
  EXPECT_EQ(Sent({.type = 12, .log_index = 10}), Rule::kEntriesFollow) << "no previous term";
}

TEST_F(WireRefereeTest, AcknowledgementsBeyondTheLeadersLog) {
  EXPECT_EQ(Replicated({{}}), std::nullopt);
  EXPECT_EQ(Answered({.type = 13, .log_index = 12}), Rule::kAcknowledged);
}

TEST_F(WireRefereeTest, ForwardedRequestsWithTerm) {
  for (const std::uint64_t type : {7, 19, 21, 22, 23}) {
    EXPECT_EQ(Sent({.type = type, .hint = 9}), Rule::kForwardedTerm) << type;
  }
  const EntryBytes fresh{.term = 0, .index = 0};
  EXPECT_EQ(Sent({.type = 7, .term = 0, .entries = {fresh}}), std::nullopt);
  EXPECT_EQ(Sent({.type = 7, .term = 0, .entries = {{}}}), Rule::kForwardedTerm);
}

TEST_F(WireRefereeTest, ReadsWithoutContext) {
  EXPECT_EQ(Sent({.type = 19, .term = 0}), Rule::kReadContext);
}

TEST_F(WireRefereeTest, VotesWithAForeignHint) {
  EXPECT_EQ(Sent({.type = 14, .hint = 1}), std::nullopt);
  EXPECT_EQ(Sent({.type = 14, .hint = 2}), Rule::kVoteHint);
}

TEST_F(WireRefereeTest, ASecondChangeBeforeTheFirstIsCommitted) {
  const EntryBytes first = ChangeBytes(11, 0, 4, "host4:1");
  const EntryBytes second = ChangeBytes(12, 0, 5, "host5:1");
  MessageBytes both{
      .type = 12, .log_term = 4, .log_index = 10, .commit = 11, .entries = {first, second}};
  EXPECT_EQ(Sent(both), std::nullopt);
  both.commit = 10;
  both.term = 6;
  EXPECT_EQ(Sent(both), Rule::kOneChange);
  EXPECT_EQ(Sent({.type = 12, .term = 7, .log_term = 4, .log_index = 10, .entries = {first}}),
            std::nullopt);
  EXPECT_EQ(Sent({.type = 12, .term = 7, .log_term = 5, .log_index = 11, .entries = {second}}),
            Rule::kOneChange)
      << "in another message";
}

TEST_F(WireRefereeTest, ClientEntriesWithKeyZero) {
  EXPECT_EQ(Replicated({{.key = 0}}), Rule::kClientKey);
  EXPECT_EQ(Replicated({{.type = 0, .key = 0, .client = 0, .command = ""}}), std::nullopt)
      << "a leader's first entry";
}

TEST_F(WireRefereeTest, CommandsWithoutClient) {
  EXPECT_EQ(Replicated({{.client = 0}}), Rule::kClientlessCommand);
}

TEST_F(WireRefereeTest, CommandsThatCannotBeDecoded) {
  const std::string snappy("\x02\x05\x10hello", 8);
  EXPECT_EQ(Replicated({{.command = snappy}}), std::nullopt);
  for (const std::string& bad :
       {std::string(), std::string("\0", 1), std::string("\x01hello"), std::string("\x04hello"),
        std::string("\x12hello"), std::string("\x02", 1), snappy.substr(0, 6),
        std::string("\x02\0", 2)}) {
    EXPECT_EQ(Replicated({{.command = bad}}), Rule::kEncodedCommand);
  }
  EXPECT_EQ(Replicated({{.type = 0}}), Rule::kEncodedCommand) << "raw, as nobody makes it";
  EXPECT_EQ(Replicated({{.type = 4}}), Rule::kEncodedCommand);
}

TEST_F(WireRefereeTest, ChangesThatCannotBeAppliedByAll) {
  EXPECT_EQ(Replicated({ChangeBytes(11, 0, 4, "host4:1")}), std::nullopt);
  EXPECT_EQ(Replicated({ChangeBytes(11, 0, 4, "[::1]:63001")}), Rule::kConfigChange);
  EXPECT_EQ(Replicated({ChangeBytes(11, 0, 4, "")}), Rule::kConfigChange);
  EXPECT_EQ(Replicated({ChangeBytes(11, 1, 4, "")}), std::nullopt) << "a removal needs none";
  EXPECT_EQ(Replicated({ChangeBytes(11, 0, 0, "host4:1")}), Rule::kConfigChange);
  EXPECT_EQ(Replicated({ChangeBytes(11, 4, 4, "host4:1")}), Rule::kConfigChange);
  EntryBytes cut = ChangeBytes(11, 0, 4, "host4:1");
  cut.command.pop_back();
  EXPECT_EQ(Replicated({cut}), Rule::kConfigChange);
}

TEST_F(WireRefereeTest, MetadataForWitnessesOnly) {
  const EntryBytes metadata{.type = 3, .key = 0, .client = 0, .command = ""};
  EXPECT_EQ(Replicated({metadata}), Rule::kMetadata);
  EXPECT_EQ(Replicated({ChangeBytes(11, 3, 3, "host3:1")}), std::nullopt);
  EXPECT_EQ(Replicated({metadata}, 3), std::nullopt);
  EXPECT_EQ(Replicated({{}}, 3), Rule::kMetadata) << "a witness keeps no commands";
  EXPECT_EQ(Replicated({{.type = 3, .command = ""}}, 3), Rule::kMetadata) << "with a client";
}

// -- Snapshots ------------------------------------------------------------------------------------

/// An image with the given stream, of one block.
std::string ImageOf(std::string_view stream) {
  const std::string record = Field(8, 2) + Field(9, 0);
  std::string image;
  base::AppendLittle<std::uint64_t>(image, record.size());
  image += record;
  image.resize(1024);
  image += stream;
  base::AppendBig<std::uint32_t>(image, base::Crc32(stream));
  base::AppendLittle<std::uint64_t>(image, stream.size() + 4);
  return image + "\x3f\x5b\xcb\xf1\xfa\xba\x81\x9f";
}

std::string SessionsOf(std::uint64_t capacity, const std::vector<std::string>& sessions) {
  std::string stream;
  base::AppendLittle(stream, capacity);
  base::AppendLittle<std::uint64_t>(stream, sessions.size());
  for (const std::string& session : sessions) {
    base::AppendLittle<std::uint64_t>(stream, session.size());
    stream += session;
  }
  return stream;
}

struct ChunkBytes {
  std::uint64_t to = 2;
  std::uint64_t id = 0;
  std::uint64_t count = 1;
  std::string data = ImageOf(SessionsOf(4096, {}) + "state");
  std::string members = Field(1, 3) + Field(2, Field(1, 1) + Field(2, kOne));
  std::string path = "/some/where/snapshot-000000000000001F.gbsnap";
  std::optional<std::uint64_t> file_bytes = std::nullopt;
  std::uint64_t deployment = 1;
  bool witness = false;

  std::string Make() const {
    return Field(1, 128) + Field(2, to) + Field(3, 1) + Field(4, id) + Field(5, data.size()) +
           Field(6, count) + Field(7, data) + Field(8, 31) + Field(9, 4) + Field(10, members) +
           Field(12, path) + Field(13, file_bytes.value_or(data.size())) + Field(14, deployment) +
           Field(15, id) + Field(16, count) + Field(17, 0) + Field(18, Field(2, "")) +
           Field(19, 210) + Field(20, 0) + Field(21, witness ? 1 : 0);
  }
};

class WireRefereeChunkTest : public WireRefereeTest {
 protected:
  WireRefereeChunkTest() { Sent({.type = 4}); }
  std::optional<Rule> Chunk(const ChunkBytes& chunk) {
    return referee_.Chunk(kOne, kTwo, chunk.Make());
  }
};

TEST_F(WireRefereeChunkTest, AHarmlessSnapshotPasses) {
  EXPECT_EQ(Chunk({}), std::nullopt);
  const std::string image = ChunkBytes().data;
  EXPECT_EQ(Chunk({.count = 2, .data = image.substr(0, 1030), .file_bytes = image.size()}),
            std::nullopt);
  EXPECT_EQ(Chunk({.id = 1, .count = 2, .data = image.substr(1030), .file_bytes = image.size()}),
            std::nullopt);
  EXPECT_EQ(Answered({.type = 13, .term = 5, .log_index = 31}), std::nullopt);
}

TEST_F(WireRefereeChunkTest, BeforeAnyMessage) {
  EXPECT_EQ(WireReferee().Chunk(kOne, kTwo, ChunkBytes().Make()), Rule::kAddressFirst);
}

TEST_F(WireRefereeChunkTest, AShortOrUnreadableHead) {
  EXPECT_EQ(Chunk({.count = 2, .data = ChunkBytes().data.substr(0, 1023)}), Rule::kChunkHead);
  std::string image = ChunkBytes().data;
  image[0] = 120;  // the record would reach into the padding
  EXPECT_EQ(Chunk({.data = image}), Rule::kChunkHead);
  image[1] = 7;
  EXPECT_EQ(Chunk({.data = image}), Rule::kChunkHead);
}

TEST_F(WireRefereeChunkTest, AnotherFileName) {
  EXPECT_EQ(Chunk({.path = "snapshot-000000000000001f.gbsnap"}), Rule::kImageName);
  EXPECT_EQ(Chunk({.path = "snapshot-0000000000000020.gbsnap"}), Rule::kImageName);
  EXPECT_EQ(Chunk({.path = ""}), Rule::kImageName);
}

TEST_F(WireRefereeChunkTest, NoMembersNoVersionNoAddress) {
  const std::string member = Field(2, Field(1, 1) + Field(2, kOne));
  EXPECT_EQ(Chunk({.members = member}), Rule::kSnapshotMembers);
  EXPECT_EQ(Chunk({.members = Field(1, 3)}), Rule::kSnapshotMembers);
  EXPECT_EQ(Chunk({.members = Field(1, 3) + member + Field(4, Field(1, 5))}),
            Rule::kSnapshotMembers);
}

TEST_F(WireRefereeChunkTest, AWrongFileSize) {
  EXPECT_EQ(Chunk({.file_bytes = 0}), Rule::kFileSize);
  EXPECT_EQ(Chunk({.file_bytes = 5000}), Rule::kFileSize);
}

TEST_F(WireRefereeChunkTest, Streams) {
  EXPECT_EQ(Chunk({.count = 0}), Rule::kFileMode);
  EXPECT_EQ(Chunk({.count = ~std::uint64_t{0}}), Rule::kFileMode);
  EXPECT_EQ(Chunk({.count = 3}), std::nullopt);
  EXPECT_EQ(Chunk({.id = 2, .count = 3}), Rule::kFileMode) << "one is missing";
}

TEST_F(WireRefereeChunkTest, SessionTables) {
  const auto with = [](std::uint64_t capacity, const std::string& session) {
    return ChunkBytes{.data = ImageOf(SessionsOf(capacity, {session}) + "state")};
  };
  const std::string good =
      R"({"History":{"1":{"Value":7,"Data":null}},"ClientID":5,"RespondedUpTo":0})";
  EXPECT_EQ(Chunk(with(4096, good)), std::nullopt);
  EXPECT_EQ(Chunk(with(0, good)), Rule::kSessions);
  EXPECT_EQ(Chunk(with(4096, R"({"History":null,"ClientID":5,"RespondedUpTo":0})")),
            Rule::kSessions);
  EXPECT_EQ(Chunk(with(4096, R"({"ClientID":5,"RespondedUpTo":0})")), Rule::kSessions);
  EXPECT_EQ(Chunk(with(4096, R"({"History":{},"ClientID":5.5,"RespondedUpTo":0})")),
            Rule::kSessions);
}

TEST_F(WireRefereeChunkTest, WitnessImagesForWitnessesOnly) {
  EXPECT_EQ(Chunk({.path = "witness.snapshot", .witness = true}), Rule::kWitnessImage);
  EXPECT_EQ(Replicated({ChangeBytes(11, 3, 3, kTwo)}), std::nullopt);
  EXPECT_EQ(Chunk({.to = 3, .path = "witness.snapshot", .witness = true}), std::nullopt);
  EXPECT_EQ(Chunk({.to = 3}), Rule::kWitnessImage);
}

TEST_F(WireRefereeChunkTest, ForeignDeployments) {
  EXPECT_EQ(Chunk({.deployment = 2}), Rule::kIdentity);
}

// -- The table ------------------------------------------------------------------------------------

bool IsATest(const std::string& suite, const std::string& name) {
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    const testing::TestSuite& tests = *all.GetTestSuite(i);
    for (int j = 0; tests.name() == suite && j < tests.total_test_count(); ++j) {
      if (tests.GetTestInfo(j)->name() == name) return true;
    }
  }
  return false;
}

TEST(WireRefereeTableTest, EachRuleHasARowAndEachRowATest) {
  std::ifstream file(DRUMBEAT_FORMATS);
  std::string table{std::istreambuf_iterator<char>(file), {}};
  for (std::size_t rule = 0; rule < static_cast<std::size_t>(WireRule::kCount_); ++rule) {
    const std::string cell = "| " + std::string(NameOf(WireRule(rule))) + " | `WireReferee";
    EXPECT_NE(table.find(cell), std::string::npos) << cell;
  }
  const std::regex named("`(WireReferee[A-Za-z]*)\\.([A-Za-z]+)`");
  std::size_t rows = 0;
  for (std::sregex_iterator at(table.begin(), table.end(), named), end; at != end; ++at, ++rows) {
    EXPECT_TRUE(IsATest((*at)[1], (*at)[2])) << at->str();
  }
  EXPECT_GE(rows, static_cast<std::size_t>(WireRule::kCount_));
}

}  // namespace
}  // namespace drumbeat::simulation
