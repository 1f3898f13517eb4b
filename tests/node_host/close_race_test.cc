// SPDX-License-Identifier: Apache-2.0
//
// P-09: a host that is closed at any moment, whatever is under way. `make closes` does it 10,000
// times.
#include <any>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "local_hosts.h"

namespace drumbeat::node_host {
namespace {

using Clock = std::chrono::steady_clock;

/// What a request of a client came to. Written by its callback.
struct Told {
  std::atomic<int> answers = 0;
  std::atomic<bool> done = false;
  std::atomic<ErrorCode> code = ErrorCode::kAborted;
};

class CloseRaceTest : public LocalHostsTest {
 protected:
  // Nearly all of a round is waiting for elections: they are quick here.
  CloseRaceTest() {
    tick_ = milliseconds(1);
    election_ticks_ = 20;
  }
  static constexpr std::size_t kEach = 300;
  static constexpr milliseconds kTimeout{20'000};
  using Outcomes = std::array<Told, kEach>;

  template <class T>
  void Note(Request<T> request, Told& told) {
    std::move(request).Then([&told, this](Result<T> result) {
      told.done = result.has_value();
      if (!result) told.code = result.error().code;
      ++told.answers;
      ++answers_;
    });
  }

  // A client that asks `ask` again and again, until the host is closed.
  template <class Ask>
  std::thread Client(Outcomes& outcomes, Ask ask) {
    return std::thread([&outcomes, ask, this] {
      for (std::size_t i = 0; i < kEach && !closed_; ++i) ask(outcomes[i], i);
    });
  }

  static void ExpectOneAnswerEach(const Outcomes& outcomes, const std::string& what) {
    for (const Told& told : outcomes) {
      const int answers = told.answers;
      EXPECT_LE(answers, 1) << what;
      if (answers == 0 || told.done) continue;
      // Not a word of failure, or of success, of what nobody knows.
      switch (told.code) {
        case ErrorCode::kClosed:
        case ErrorCode::kTerminated:
        case ErrorCode::kNoLeader:
        case ErrorCode::kBusy:
        case ErrorCode::kNotReady:
        case ErrorCode::kInProgress:
        case ErrorCode::kRejected:
        case ErrorCode::kNothingToDo:
        case ErrorCode::kTimeout: break;
        default: ADD_FAILURE() << what << ": " << static_cast<int>(told.code.load());
      }
    }
  }

  std::atomic<bool> closed_ = false;
  std::atomic<std::size_t> asked_ = 0;
  std::atomic<std::size_t> answers_ = 0;
};

TEST_F(CloseRaceTest, EachRequestIsAnsweredOnceAndWhatDidNotHappenDidNot) {
  const char* wanted = std::getenv("DRUMBEAT_CLOSES");
  const int rounds = wanted == nullptr ? 50 : std::atoi(wanted);
  base::Random random(Clock::now().time_since_epoch().count());
  for (int round = 0; round < rounds && !HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    if (round > 0) {
      TearDown();
      hosts_.clear();
      disks_.clear();
      SetUp();
    }
    closed_ = false;
    asked_ = answers_ = 0;
    Host& host = *hosts_[1];
    LeaderSeenBy(1);
    // An early leader may be lost with it.
    ASSERT_TRUE(Eventually([&] { return Propose(1, "begin;").has_value(); }));
    const auto outcomes = std::make_unique<std::array<Outcomes, 4>>();
    auto& [proposals, reads, snapshots, changes] = *outcomes;
    std::vector<std::thread> clients;
    clients.push_back(Client(proposals, [&](Told& told, std::size_t i) {
      ++asked_;
      Note(host.Propose(kShard, Session::NoOp(kShard), std::to_string(i) + ";", kTimeout), told);
    }));
    clients.push_back(Client(reads, [&](Told& told, std::size_t) {
      ++asked_;
      Note(host.Read(kShard, {}, kTimeout), told);
    }));
    clients.push_back(Client(snapshots, [&](Told& told, std::size_t) {
      ++asked_;
      Note(host.RequestSnapshot(kShard, {}, kTimeout), told);
    }));
    clients.push_back(Client(changes, [&](Told& told, std::size_t i) {
      ++asked_;
      raft::ConfigChange change;
      change.type = raft::ConfigChangeType::kAddNonVoting;
      change.replica = ReplicaId(10 + i);
      change.address = "n" + std::to_string(i) + ":1";
      Note(host.RequestChange(kShard, change, kTimeout), told);
    }));
    // In each other round the majority is lost, so that much waits when the end comes.
    if (round % 2 == 1) {
      for (const std::uint64_t other : {2, 3}) disks_[other].Stall(true);
      ASSERT_TRUE(Eventually([&] { return asked_ >= kEach; }));
    }
    const std::size_t enough = round % 2 == 1 ? 0 : random.Below(300);
    ASSERT_TRUE(Eventually([&] { return answers_ >= enough; }));
    const auto begin = Clock::now();
    host.Close(milliseconds(0));
    EXPECT_LT(Clock::now() - begin, std::chrono::seconds(10));
    closed_ = true;
    for (const std::uint64_t other : {2, 3}) disks_[other].Stall(false);
    for (std::thread& client : clients) client.join();
    EXPECT_TRUE(Eventually([&] { return answers_ >= asked_; }))
        << asked_ - answers_ << " requests have no answer";
    ExpectOneAnswerEach(proposals, "a proposal");
    ExpectOneAnswerEach(reads, "a read");
    ExpectOneAnswerEach(snapshots, "a snapshot");
    ExpectOneAnswerEach(changes, "a change");

    Result<std::any> text = Fail(ErrorCode::kNoLeader);
    ASSERT_TRUE(Eventually([&] {
      text = hosts_[2]->Read(kShard, {}, milliseconds(2000)).Get();
      return text.has_value();
    })) << text.error().text();
    const std::string applied = ";" + std::any_cast<std::string>(*text);
    for (std::size_t i = 0; i < kEach; ++i) {
      const Told& told = proposals[i];
      if (told.answers == 0) continue;
      const std::string entry = ";" + std::to_string(i) + ";";
      const bool there = applied.find(entry) != std::string::npos;
      if (told.done) {
        EXPECT_TRUE(there) << i << " was acknowledged";
      }
      if (!told.done && OutcomeOf(told.code) == Outcome::kDidNotHappen) {
        EXPECT_FALSE(there) << i << " was refused";
      }
    }
  }
}

}  // namespace
}  // namespace drumbeat::node_host
