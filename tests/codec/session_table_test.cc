// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include <gtest/gtest.h>

#include "base/byte_coding.h"
#include "codec/session_json.h"
#include "codec/snapshot_image.h"
#include "string_reader.h"

namespace drumbeat::codec {
namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

StoredSession FullSession() {
  return {.client_id = kMost,
          .responded_to = kMost - 1,
          .history = {{.series_id = 1, .result = {.value = kMost, .data = ""}},
                      {.series_id = 2, .result = {.value = 0, .data = std::string("\0\xff", 2)}},
                      {.series_id = kMost, .result = {.value = 3, .data = "text"}}}};
}

TEST(SessionJsonTest, NumbersKeepAll64Bits) {
  EXPECT_EQ(DecodeSession(EncodeSession(FullSession())), FullSession());
  // 2^53 + 1 would be lost in a double.
  EXPECT_EQ(DecodeSession(R"({"History":{},"ClientID":9007199254740993,"RespondedUpTo":0})"),
            (StoredSession{.client_id = 9007199254740993u, .responded_to = 0, .history = {}}));
}

TEST(SessionJsonTest, KeysAreSortedAsTexts) {
  const StoredSession session{.client_id = 3,
                              .responded_to = 0,
                              .history = {{.series_id = 2, .result = {}},
                                          {.series_id = 10, .result = {}},
                                          {.series_id = 1, .result = {}}}};
  EXPECT_EQ(EncodeSession(session),
            R"({"History":{"1":{"Value":0,"Data":null},"10":{"Value":0,"Data":null},)"
            R"("2":{"Value":0,"Data":null}},"ClientID":3,"RespondedUpTo":0})");
}

// Anything but {} ends a Dragonboat member at that session's next proposal.
TEST(SessionJsonTest, AnEmptyHistoryIsAnEmptyObject) {
  EXPECT_EQ(EncodeSession({.client_id = 5, .responded_to = 1, .history = {}}),
            R"({"History":{},"ClientID":5,"RespondedUpTo":1})");
}

TEST(SessionJsonTest, MembersComeInAnyOrderWithAnySpacing) {
  const auto session = DecodeSession(
      " {\n\t\"RespondedUpTo\" : 1 ,\r\n\"ClientID\": 5, \"History\":"
      "{ \"7\" : { \"Data\" : \"b2s=\" , \"Value\" : 9 } } } ");
  ASSERT_TRUE(session.has_value());
  EXPECT_EQ(*session,
            (StoredSession{.client_id = 5,
                           .responded_to = 1,
                           .history = {{.series_id = 7, .result = {.value = 9, .data = "ok"}}}}));
}

TEST(SessionJsonTest, RefusesWhatIsNoSession) {
  for (const char* bad : {
           "",
           "null",
           "5",
           "[]",
           "{}",
           "\"x\"",
           "{\"History\":{}",
           "true",
           R"({"ClientID":5,"RespondedUpTo":1})",
           R"({"History":{},"RespondedUpTo":1})",
           R"({"History":{},"ClientID":5})",
           R"({"History":null,"ClientID":5,"RespondedUpTo":1})",
           R"({"History":[],"ClientID":5,"RespondedUpTo":1})",
           R"({"History":5,"ClientID":5,"RespondedUpTo":1})",
           R"({"History":{},"ClientID":{},"RespondedUpTo":1})",
           R"({"History":{},"ClientID":null,"RespondedUpTo":1})",
           R"({"History":{},"ClientID":"5","RespondedUpTo":1})",
           R"({"History":{},"ClientID":-5,"RespondedUpTo":1})",
           R"({"History":{},"ClientID":5.0,"RespondedUpTo":1})",
           R"({"History":{},"ClientID":5e1,"RespondedUpTo":1})",
           R"({"History":{},"ClientID":18446744073709551616,"RespondedUpTo":1})",
           R"({"History":{},"ClientID":5,"RespondedUpTo":1,"More":1})",
           R"({"History":{},"ClientID":5,"RespondedUpTo":1,"ClientID":5})",
           R"({"History":{},"History":{},"ClientID":5,"RespondedUpTo":1})",
           R"({"history":{},"ClientID":5,"RespondedUpTo":1})",
           R"({"History":{},"ClientID":5,"RespondedUpTo":1}x)",
           R"({"History":{},"ClientID":5,"RespondedUpTo":1}{})",
       }) {
    EXPECT_EQ(DecodeSession(bad), std::nullopt) << bad;
  }
}

TEST(SessionJsonTest, RefusesWhatIsNoHistory) {
  for (const char* bad : {
           R"("1":null)",
           R"("1":9)",
           R"("1":{})",
           R"("1":[])",
           R"("1":{"Value":9})",
           R"("1":{"Data":null})",
           R"("1":{"Value":null,"Data":null})",
           R"("1":{"Value":-9,"Data":null})",
           R"("1":{"Value":9,"Data":5})",
           R"("1":{"Value":9,"Data":"b2s"})",
           R"("1":{"Value":9,"Data":{}})",
           R"("1":{"Value":{},"Data":null})",
           R"("1":{"Value":9,"Data":null,"More":1})",
           R"("1":{"Value":9,"Value":9,"Data":null})",
           R"("":{"Value":9,"Data":null})",
           R"("x":{"Value":9,"Data":null})",
           R"("-1":{"Value":9,"Data":null})",
           R"("1 ":{"Value":9,"Data":null})",
           R"("18446744073709551616":{"Value":9,"Data":null})",
           R"("1":{"Value":9,"Data":null},"1":{"Value":9,"Data":null})",
       }) {
    const std::string text =
        std::string("{\"History\":{") + bad + "},\"ClientID\":5,\"RespondedUpTo\":1}";
    EXPECT_EQ(DecodeSession(text), std::nullopt) << bad;
  }
}

TEST(SessionJsonTest, DeepNestingNeedsNoStack) {
  EXPECT_EQ(DecodeSession(std::string(1'000'000, '[')), std::nullopt);
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"History\":";
  EXPECT_EQ(DecodeSession(objects), std::nullopt);
}

/// A table of texts as they are.
std::string TableOf(std::uint64_t capacity, const std::vector<std::string>& sessions) {
  std::string out;
  base::AppendLittle(out, capacity);
  base::AppendLittle(out, std::uint64_t{sessions.size()});
  for (const std::string& session : sessions) {
    base::AppendLittle(out, std::uint64_t{session.size()});
    out += session;
  }
  return out;
}
bool Readable(const std::string& table) {
  StringReader reader(table);
  const auto sessions = ReadSessions(reader);
  if (!sessions) {
    EXPECT_EQ(sessions.error().code, ErrorCode::kDamaged);
  }
  return sessions.has_value();
}
std::string Session(std::uint64_t client) {
  return EncodeSession({.client_id = client, .responded_to = 0, .history = {}});
}

TEST(SessionTableTest, ComesBackInItsOrderAndTakesNoByteMore) {
  const StoredSessions table{.capacity = 3,
                             .sessions = {FullSession(),
                                          {.client_id = 9, .responded_to = 0, .history = {}},
                                          {.client_id = 4, .responded_to = 0, .history = {}}}};
  for (const std::size_t step : {1u, 7u, 100000u}) {
    StringReader reader(EncodeSessions(table) + "the state", step);
    const auto again = ReadSessions(reader);
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(*again, table);
    EXPECT_EQ(reader.left(), 9u);
  }
}

TEST(SessionTableTest, TheCapacityIsBounded) {
  EXPECT_TRUE(Readable(TableOf(1, {Session(1)})));
  EXPECT_FALSE(Readable(TableOf(0, {})));
  EXPECT_FALSE(Readable(TableOf(1, {Session(1), Session(2)})));
  EXPECT_FALSE(Readable(TableOf(kMost, {})));
}

TEST(SessionTableTest, AClientStandsInItOnce) {
  EXPECT_FALSE(Readable(TableOf(4096, {Session(1), Session(2), Session(1)})));
}

TEST(SessionTableTest, EveryPrefixIsRefused) {
  const std::string table = TableOf(4096, {Session(1), Session(2)});
  for (std::size_t length = 0; length < table.size(); ++length) {
    EXPECT_FALSE(Readable(table.substr(0, length))) << length;
  }
}

TEST(SessionTableTest, ALengthIsNotBelieved) {
  for (const std::uint64_t length :
       {std::uint64_t{1} << 29, std::uint64_t{1} << 40, std::uint64_t{1} << 63, kMost}) {
    std::string table = TableOf(4096, {Session(1)});
    std::string claim;
    base::AppendLittle(claim, length);
    table.replace(16, 8, claim);
    EXPECT_FALSE(Readable(table)) << length;
  }
}

// Whatever is written can be read: both count the same.
TEST(SessionTableTest, ItsTextsAreBounded) {
  class Writer : public SnapshotWriter {
   public:
    Result<void> Write(std::string_view bytes) override {
      text.append(bytes);
      return {};
    }
    std::string text;
  };
  const StoredSessions table{
      .capacity = 3,
      .sessions = {FullSession(), {.client_id = 9, .responded_to = 0, .history = {}}}};
  const std::string whole = EncodeSessions(table);
  const std::uint64_t bytes = whole.size() - 4 * sizeof(std::uint64_t);
  Writer enough;
  const auto write = [&](Writer& writer, std::uint64_t most) {
    SessionWriter sessions(writer, most);
    Result<void> written = sessions.Begin({.capacity = 3, .sessions = table.sessions.size()});
    for (const StoredSession& session : table.sessions) {
      if (written) written = sessions.Add(session);
    }
    return written;
  };
  EXPECT_TRUE(write(enough, bytes).has_value());
  EXPECT_EQ(enough.text, whole);
  StringReader reader(whole);
  EXPECT_EQ(ReadSessions(reader, bytes), table);
  for (const std::uint64_t less : {bytes - 1, bytes / 2, std::uint64_t{0}}) {
    Writer writer;
    EXPECT_EQ(write(writer, less).error().code, ErrorCode::kPayloadTooLarge);
    StringReader again(whole);
    EXPECT_EQ(ReadSessions(again, less).error().code, ErrorCode::kDamaged);
  }
}

TEST(SessionTableTest, TheReadersErrorIsPassedOn) {
  class Failing : public SnapshotReader {
    Result<std::size_t> Read(std::span<char>) override {
      return Fail(ErrorCode::kStorage, "the disk");
    }
  };
  Failing reader;
  EXPECT_EQ(ReadSessions(reader).error().code, ErrorCode::kStorage);
}

}  // namespace
}  // namespace drumbeat::codec
