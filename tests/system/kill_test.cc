// SPDX-License-Identifier: Apache-2.0
//
// kill -9 while everybody types. DRUMBEAT_KILLS=100 for more, DRUMBEAT_SEED to repeat a run.
#include <csignal>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "system/cluster.h"
#include "system/settings.h"
#include "system/system_test.h"
#include "system/typist.h"

namespace drumbeat::system {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class KillTest : public SystemTest {
 protected:
  KillTest() : seed_(Setting("DRUMBEAT_SEED", std::random_device()())), random_(seed_) {
    std::cout << "DRUMBEAT_SEED=" << seed_ << '\n';
  }

  std::uint64_t Random(std::uint64_t first, std::uint64_t last) {
    return std::uniform_int_distribution<std::uint64_t>(first, last)(random_);
  }

  void Start(int replica) {
    cluster_.Start(replica);
    prefixes_.push_back("r" + std::to_string(replica) + "-" + std::to_string(++lives_) + "-");
    typists_[replica] = std::make_unique<Typist>(prefixes_.back());
  }

  void Kill(int replica) {
    cluster_.Kill(replica);
    typists_.erase(replica);
  }

  // Everybody types for `time`.
  void TypeFor(milliseconds time) {
    const auto end = Clock::now() + time;
    do {
      TypeALittle();
    } while (Clock::now() < end);
  }

  // Everybody types until `replica` has printed `updates` more.
  void TypeUntil(int replica, std::size_t updates) {
    const Capture& out = cluster_.replica(replica).out();
    const std::size_t goal = out.Count("from Update()") + updates;
    const auto deadline = Clock::now() + kLongWait;
    while (out.Count("from Update()") < goal && Clock::now() < deadline) TypeALittle();
    ASSERT_GE(out.Count("from Update()"), goal) << "replica " << replica << " stands still\n"
                                                << cluster_.replica(replica).err().Tail();
  }

  // A last line, at a console where nothing waits before it: what was printed has lower counts.
  // The others may learn of it through a snapshot, and print nothing.
  void ExpectNothingLost() {
    Kill(1);
    const std::uint64_t before = cluster_.GetHistory().last_count();
    cluster_.Start(1);
    EXPECT_GT(cluster_.Say(1, "the end", {1}).value_or(0), before);
  }

  void TearDown() override {
    const History history = cluster_.GetHistory();
    for (const std::string& prefix : prefixes_) {
      for (const std::string& problem : history.Disorder(prefix)) ADD_FAILURE() << problem;
    }
    std::cout << history.last_count() << " messages\n";
  }

  Cluster cluster_;
  std::map<int, std::unique_ptr<Typist>> typists_;

 private:
  void TypeALittle() {
    for (const auto& [replica, typist] : typists_) typist->TypeAt(cluster_.replica(replica));
    // Any running program's next line, or a moment.
    const Capture& out = cluster_.replica(cluster_.Running().front()).out();
    out.Await("", milliseconds(5), out.Mark());
  }

  const std::uint64_t seed_;
  std::mt19937_64 random_;
  std::uint64_t lives_ = 0;
  std::vector<std::string> prefixes_;
};

TEST_F(KillTest, OneByOneUnderTyping) {
  for (const int replica : Cluster::kFounders) Start(replica);
  TypeUntil(1, 50);
  const std::uint64_t kills = Setting("DRUMBEAT_KILLS", 10);
  for (std::uint64_t i = 0; i < kills && !HasFatalFailure(); ++i) {
    const int victim = static_cast<int>(Random(1, 3));
    TypeFor(milliseconds(Random(0, 300)));
    Kill(victim);
    TypeUntil(victim % 3 + 1, 20);
    Start(victim);
    TypeUntil(victim, 20);
  }
  ExpectNothingLost();
}

TEST_F(KillTest, AllAtOnceUnderTyping) {
  for (const int replica : Cluster::kFounders) Start(replica);
  const std::uint64_t rounds = (Setting("DRUMBEAT_KILLS", 10) + 4) / 5;
  for (std::uint64_t i = 0; i < rounds && !HasFatalFailure(); ++i) {
    TypeUntil(static_cast<int>(Random(1, 3)), Random(20, 200));
    for (const int replica : Cluster::kFounders) cluster_.replica(replica).Signal(SIGKILL);
    for (const int replica : Cluster::kFounders) Kill(replica);
    // A majority suffices; the last comes when they are at work.
    const int late = static_cast<int>(Random(1, 3));
    for (const int replica : Cluster::kFounders) {
      if (replica != late) Start(replica);
    }
    TypeUntil(late % 3 + 1, 20);
    Start(late);
  }
  TypeUntil(1, 20);
  ExpectNothingLost();
}

TEST_F(KillTest, OneThenTwoAreStoppedAndKilled) {
  for (const int replica : Cluster::kFounders) Start(replica);
  TypeUntil(3, 50);
  Kill(1);
  TypeUntil(2, 20);
  Kill(2);
  // What replica 3 goes on to accept nobody may confirm.
  TypeFor(milliseconds(500));
  const std::size_t alone = cluster_.replica(3).out().Count("from Update()");
  TypeFor(seconds(1));
  EXPECT_EQ(cluster_.replica(3).out().Count("from Update()"), alone) << "without a majority";
  Start(2);
  TypeUntil(2, 20);
  Start(1);
  ExpectNothingLost();
}

}  // namespace
}  // namespace drumbeat::system
