// SPDX-License-Identifier: Apache-2.0
#include "state_machine/session_table.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace drumbeat::state_machine {
namespace {

using Verdict = SessionTable::Verdict;

std::vector<std::uint64_t> Clients(const SessionTable& table) {
  std::vector<std::uint64_t> clients;
  for (const auto& session : table.Save().sessions) clients.push_back(session.client_id);
  return clients;
}

/// Does what the runtime does with a series: asks, and stores a result where it is new.
Verdict Propose(SessionTable& table, std::uint64_t client, std::uint64_t series,
                std::uint64_t responded_to, std::uint64_t value) {
  const SessionTable::Found found = table.Find(client, series, responded_to);
  if (found.verdict == Verdict::kNew) {
    SessionTable::Store(*found.session, series, {.value = value, .data = {}});
  }
  return found.verdict;
}

TEST(SessionTableTest, AnUnknownClientIsRefused) {
  SessionTable table;
  EXPECT_EQ(table.Find(7, 1, 0).verdict, Verdict::kUnknownSession);
  EXPECT_FALSE(table.Unregister(7));
}

TEST(SessionTableTest, ASeriesIsNewOnceAndThenAnsweredFromTheTable) {
  SessionTable table;
  ASSERT_TRUE(table.Register(7));
  const SessionTable::Found first = table.Find(7, 1, 0);
  ASSERT_EQ(first.verdict, Verdict::kNew);
  SessionTable::Store(*first.session, 1, {.value = 5, .data = "five"});
  const SessionTable::Found again = table.Find(7, 1, 0);
  ASSERT_EQ(again.verdict, Verdict::kStored);
  EXPECT_EQ(*again.result, (ApplyResult{.value = 5, .data = "five"}));
}

TEST(SessionTableTest, WhatTheClientHasSeenIsForgottenAndIgnored) {
  SessionTable table;
  table.Register(7);
  for (std::uint64_t series = 1; series <= 3; ++series) Propose(table, 7, series, 0, series);
  EXPECT_EQ(Propose(table, 7, 4, 2, 4), Verdict::kNew);
  EXPECT_EQ(table.Find(7, 1, 2).verdict, Verdict::kAcknowledged);
  EXPECT_EQ(table.Find(7, 2, 2).verdict, Verdict::kAcknowledged);
  EXPECT_EQ(table.Find(7, 3, 2).verdict, Verdict::kStored);
  const codec::StoredSessions saved = table.Save();
  ASSERT_EQ(saved.sessions.size(), 1u);
  EXPECT_EQ(saved.sessions[0].responded_to, 2u);
  EXPECT_EQ(saved.sessions[0].history.size(), 2u);
}

TEST(SessionTableTest, RespondedToNeverFalls) {
  SessionTable table;
  table.Register(7);
  Propose(table, 7, 6, 5, 6);
  EXPECT_EQ(table.Find(7, 5, 0).verdict, Verdict::kAcknowledged);
  EXPECT_EQ(table.Save().sessions[0].responded_to, 5u);
}

TEST(SessionTableTest, AnIgnoredSeriesStillTrimsAndTouches) {
  SessionTable table(2);
  table.Register(1);
  table.Register(2);
  Propose(table, 1, 1, 0, 1);
  EXPECT_EQ(Propose(table, 1, 3, 9, 3), Verdict::kAcknowledged);
  EXPECT_EQ(Clients(table), (std::vector<std::uint64_t>{2, 1}));
  EXPECT_EQ(table.Save().sessions[1].responded_to, 9u);
  EXPECT_TRUE(table.Save().sessions[1].history.empty());
}

TEST(SessionTableTest, EveryUseMakesASessionTheMostRecentOne) {
  SessionTable table(3);
  for (std::uint64_t client = 1; client <= 3; ++client) table.Register(client);
  EXPECT_EQ(Clients(table), (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_FALSE(table.Register(1));  // already there: refused, but used
  EXPECT_EQ(Clients(table), (std::vector<std::uint64_t>{2, 3, 1}));
  Propose(table, 2, 1, 0, 1);
  EXPECT_EQ(Clients(table), (std::vector<std::uint64_t>{3, 1, 2}));
  Propose(table, 3, 1, 0, 1);
  Propose(table, 3, 1, 0, 1);  // found again
  EXPECT_EQ(Clients(table), (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST(SessionTableTest, TheLeastRecentlyUsedMakesRoom) {
  SessionTable table;
  for (std::uint64_t client = 1; client <= SessionTable::kDefaultCapacity; ++client) {
    ASSERT_TRUE(table.Register(client));
  }
  Propose(table, 1, 1, 0, 1);
  EXPECT_TRUE(table.Register(5000));
  EXPECT_EQ(table.size(), SessionTable::kDefaultCapacity);
  EXPECT_EQ(table.Find(2, 1, 0).verdict, Verdict::kUnknownSession);
  EXPECT_EQ(table.Find(1, 1, 0).verdict, Verdict::kStored);
  EXPECT_TRUE(table.Register(2)) << "an evicted client registers as somebody new";
}

TEST(SessionTableTest, SavingKeepsTheOrder) {
  SessionTable table(4);
  for (std::uint64_t client : {9u, 3u, 7u}) table.Register(client);
  Propose(table, 9, 1, 0, 11);
  const codec::StoredSessions saved = table.Save();
  EXPECT_EQ(saved, table.Save());
  Result<SessionTable> loaded = SessionTable::Load(saved);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->Save(), saved);
  EXPECT_EQ(loaded->Save().capacity, 4u);
}

TEST(SessionTableTest, RefusesTablesThatCannotBe) {
  EXPECT_FALSE(SessionTable::Load({.capacity = 0, .sessions = {}}));
  EXPECT_FALSE(SessionTable::Load({.capacity = 1, .sessions = {{1, 0, {}}, {2, 0, {}}}}));
  const auto twice = SessionTable::Load({.capacity = 4, .sessions = {{1, 0, {}}, {1, 0, {}}}});
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, ErrorCode::kDamaged);
}

/// The rules of wire.md 10 word for word, as slowly as they read: a vector in order of use.
class NaiveTable {
 public:
  explicit NaiveTable(std::size_t capacity) : capacity_(capacity) {}

  bool Register(std::uint64_t client) {
    if (Touch(client)) return false;
    sessions_.push_back({client, 0, {}});
    if (sessions_.size() > capacity_) sessions_.erase(sessions_.begin());
    return true;
  }
  bool Unregister(std::uint64_t client) {
    if (!Touch(client)) return false;
    sessions_.pop_back();
    return true;
  }
  Verdict Propose(std::uint64_t client, std::uint64_t series, std::uint64_t responded_to,
                  std::uint64_t value, std::uint64_t& found) {
    if (!Touch(client)) return Verdict::kUnknownSession;
    Naive& session = sessions_.back();
    session.responded_to = std::max(session.responded_to, responded_to);
    std::erase_if(session.history,
                  [&](const auto& result) { return result.first <= session.responded_to; });
    if (series <= session.responded_to) return Verdict::kAcknowledged;
    if (const auto at = session.history.find(series); at != session.history.end()) {
      found = at->second;
      return Verdict::kStored;
    }
    session.history[series] = value;
    return Verdict::kNew;
  }
  codec::StoredSessions Save() const {
    codec::StoredSessions saved{.capacity = capacity_, .sessions = {}};
    for (const Naive& session : sessions_) {
      codec::StoredSession out{
          .client_id = session.client, .responded_to = session.responded_to, .history = {}};
      for (const auto& [series, value] : session.history) {
        out.history.push_back({series, {.value = value, .data = {}}});
      }
      saved.sessions.push_back(std::move(out));
    }
    return saved;
  }

 private:
  struct Naive {
    std::uint64_t client;
    std::uint64_t responded_to;
    std::map<std::uint64_t, std::uint64_t> history;
  };
  bool Touch(std::uint64_t client) {
    const auto at = std::find_if(sessions_.begin(), sessions_.end(),
                                 [&](const Naive& session) { return session.client == client; });
    if (at == sessions_.end()) return false;
    std::rotate(at, at + 1, sessions_.end());
    return true;
  }

  std::size_t capacity_;
  std::vector<Naive> sessions_;
};

class SessionTableModelTest : public testing::TestWithParam<std::uint64_t> {};

TEST_P(SessionTableModelTest, AgreesWithTheNaiveRules) {
  base::Random random(GetParam());
  const std::uint64_t capacity = 1 + random.Below(12);
  SessionTable table(capacity);
  NaiveTable model(static_cast<std::size_t>(capacity));
  for (std::uint64_t step = 1; step <= 3000; ++step) {
    const std::uint64_t client = 1 + random.Below(16);
    switch (random.Below(10)) {
      case 0: ASSERT_EQ(table.Register(client), model.Register(client)) << "step " << step; break;
      case 1:
        ASSERT_EQ(table.Unregister(client), model.Unregister(client)) << "step " << step;
        break;
      case 2: {  // a snapshot and a restart
        Result<SessionTable> loaded = SessionTable::Load(table.Save());
        ASSERT_TRUE(loaded);
        table = std::move(*loaded);
        break;
      }
      default: {
        const std::uint64_t series = 1 + random.Below(8);
        const std::uint64_t responded_to = random.Below(8);
        std::uint64_t expected = 0;
        const Verdict verdict = model.Propose(client, series, responded_to, step, expected);
        const SessionTable::Found found = table.Find(client, series, responded_to);
        ASSERT_EQ(found.verdict, verdict) << "step " << step;
        if (verdict == Verdict::kStored) {
          ASSERT_EQ(found.result->value, expected) << "step " << step;
        }
        if (verdict == Verdict::kNew) {
          SessionTable::Store(*found.session, series, {.value = step, .data = {}});
        }
      }
    }
    ASSERT_EQ(table.Save(), model.Save()) << "step " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SessionTableModelTest, testing::Range<std::uint64_t>(1, 9));

}  // namespace
}  // namespace drumbeat::state_machine
