// SPDX-License-Identifier: Apache-2.0
#include "raft/explorer.h"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace drumbeat::raft::testing {
namespace {

struct Exploration {
  std::string_view name;
  ExploredSetup setup;
  std::uint64_t replicas = 3;
  ExploredBounds bounds;
};

ExploredSetup ThreeVoters() {
  ExploredSetup setup;
  setup.members = Members({1, 2, 3});
  setup.proposals = {"a", "b", "c"};
  return setup;
}

ExploredSetup WithPreVote() {
  ExploredSetup setup = ThreeVoters();
  setup.pre_vote = true;
  return setup;
}

ExploredSetup WithChanges(const Membership& members, std::vector<std::string> changes) {
  ExploredSetup setup;
  setup.members = members;
  setup.proposals = std::move(changes);
  setup.apply_by_hand = true;
  return setup;
}

std::vector<Exploration> Small() {
  return {
      {"two elections", ThreeVoters(), 3, {.elections = 2}},
      {"a crash", ThreeVoters(), 3, {.elections = 1, .crashes = 1}},
      {"a proposal", ThreeVoters(), 3, {.elections = 1, .proposals = 1}},
      {"a read", ThreeVoters(), 3, {.elections = 1, .reads = 1}},
      {"a doubled message", ThreeVoters(), 3, {.elections = 1, .doubles = 1}},
      {"a transfer", ThreeVoters(), 3, {.elections = 1, .transfers = 1}},
      {"a pre-vote", WithPreVote(), 3, {.elections = 1, .crashes = 1}},
      {"removal of the other one of two",
       WithChanges(Members({1, 2}), {"remove 2"}),
       2,
       {.elections = 1, .heartbeats = 1, .proposals = 1, .crashes = 1}},
      {"removal of the leader of two",
       WithChanges(Members({1, 2}), {"remove 1"}),
       2,
       {.elections = 1, .heartbeats = 1, .proposals = 1, .crashes = 1}},
      {"two members",
       WithChanges(Members({1, 2}), {"voter 3"}),
       3,
       {.elections = 1, .heartbeats = 1, .proposals = 1}},
  };
}

std::vector<Exploration> Medium() {
  return {
      {"two elections, a crash", ThreeVoters(), 3, {.elections = 2, .crashes = 1}},
      {"two elections, a proposal", ThreeVoters(), 3, {.elections = 2, .proposals = 1}},
      {"two proposals, a crash", ThreeVoters(), 3, {.elections = 1, .proposals = 2, .crashes = 1}},
      {"heartbeat, proposal, read, crash",
       ThreeVoters(),
       3,
       {.elections = 1, .heartbeats = 1, .proposals = 1, .reads = 1, .crashes = 1}},
      {"a proposal and a read", ThreeVoters(), 3, {.elections = 1, .proposals = 1, .reads = 1}},
      {"a transfer and a crash", ThreeVoters(), 3, {.elections = 1, .transfers = 1, .crashes = 1}},
      {"two pre-votes", WithPreVote(), 3, {.elections = 2}},
      {"a removal",
       WithChanges(Members({1, 2, 3}), {"remove 3"}),
       3,
       {.elections = 1, .proposals = 1}},
      {"removal of the leader",
       WithChanges(Members({1, 2, 3}), {"remove 1"}),
       3,
       {.elections = 1, .proposals = 1}},
      {"two removals",
       WithChanges(Members({1, 2, 3}), {"remove 3", "remove 2"}),
       3,
       {.elections = 2, .proposals = 2}},
      {"an addition, a crash",
       WithChanges(Members({1, 2}), {"voter 3"}),
       3,
       {.elections = 1, .heartbeats = 1, .proposals = 1, .crashes = 1}},
  };
}

std::vector<Exploration> Large() {
  std::vector<Exploration> all = Medium();
  all.insert(
      all.end(),
      {{"two elections, proposal, crash",
        ThreeVoters(),
        3,
        {.elections = 2, .proposals = 1, .crashes = 1}},
       {"three elections", ThreeVoters(), 3, {.elections = 3}},
       {"two elections, two crashes", ThreeVoters(), 3, {.elections = 2, .crashes = 2}},
       {"two elections, a doubled message", ThreeVoters(), 3, {.elections = 2, .doubles = 1}},
       {"one in, one out",
        WithChanges(Members({1, 2, 3}), {"voter 4", "remove 1"}),
        4,
        {.elections = 2, .proposals = 2}}});
  return all;
}

ExploredResult Explore(const Exploration& exploration, std::uint64_t max_states) {
  Explorer explorer(exploration.setup, exploration.replicas, exploration.bounds);
  ExploredResult result = explorer.Run(max_states);
  std::printf(
      "%-33s %8llu states %9llu steps %6zu of a replica %5zu messages %3zu deep %6.1f s "
      "%7.0f states/s%s\n",
      std::string(exploration.name).c_str(), static_cast<unsigned long long>(result.states),
      static_cast<unsigned long long>(result.steps), result.replica_states, result.messages,
      result.longest, result.seconds, static_cast<double>(result.states) / result.seconds,
      result.complete ? "" : " (stopped)");
  std::fflush(stdout);
  return result;
}

std::string Level() {
  const char* level = std::getenv("DRUMBEAT_EXPLORE");
  return level == nullptr ? "small" : level;
}

// DRUMBEAT_EXPLORE: small (seconds), medium (about a minute) or large (many minutes). Medium and
// large ones may stop at a number of states: what is nearest to the start has been seen then.
TEST(ExplorerTest, NoOrderOfEventsBreaksAPromise) {
  const std::string level = Level();
  const auto explorations = level == "large" ? Large() : level == "medium" ? Medium() : Small();
  const std::uint64_t max_states = level == "large"    ? 30'000'000
                                   : level == "medium" ? 1'500'000
                                                       : 4'000'000;
  std::uint64_t states = 0;
  double seconds = 0;
  for (const Exploration& exploration : explorations) {
    const ExploredResult result = Explore(exploration, max_states);
    EXPECT_EQ(result.violation, "") << exploration.name;
    EXPECT_TRUE(result.complete || level != "small") << exploration.name;
    EXPECT_GT(result.states, 100u) << exploration.name;
    states += result.states;
    seconds += result.seconds;
  }
  std::printf("%s: %llu states in %.1f s\n", level.c_str(), static_cast<unsigned long long>(states),
              seconds);
}

// -- The proof that it would be seen --------------------------------------------------------------

// The report names what is broken and tells what happened, nearest first.
void ExpectViolation(HostFault fault, ExploredChecks checks, const ExploredBounds& bounds,
                     std::string_view what) {
  ExploredSetup setup = ThreeVoters();
  setup.fault = fault;
  setup.checks = checks;
  const ExploredResult result =
      Explore({.name = what, .setup = setup, .replicas = 3, .bounds = bounds}, 2'000'000);
  EXPECT_TRUE(result.violation.starts_with(what)) << result.violation;
  EXPECT_NE(result.violation.find("\n  1. replica 1 ticks\n"), std::string::npos);
}

constexpr ExploredBounds kTwoElectionsAndACrash = {.elections = 2, .crashes = 1};

TEST(ExplorerTest, FindsAVoteBeforeTheSave) {
  constexpr HostFault kFault = HostFault::kVotesBeforeSave;
  ExpectViolation(kFault, ExploredChecks::kAll, kTwoElectionsAndACrash,
                  "replica 2 forgets a term that it has spoken in");
  ExpectViolation(kFault, ExploredChecks::kOutcome, kTwoElectionsAndACrash,
                  "term 2 has two leaders");
}

TEST(ExplorerTest, FindsAnAcknowledgementBeforeTheSave) {
  constexpr HostFault kFault = HostFault::kAcknowledgesBeforeSave;
  ExpectViolation(kFault, ExploredChecks::kAll, kTwoElectionsAndACrash,
                  "replica 3 forgets a term that it has spoken in");
  ExpectViolation(kFault, ExploredChecks::kOutcome, kTwoElectionsAndACrash,
                  "the leader of term 3 lacks committed entry 4");
}

TEST(ExplorerTest, FindsALostVote) {
  constexpr HostFault kFault = HostFault::kForgetsVote;
  ExpectViolation(kFault, ExploredChecks::kAll, kTwoElectionsAndACrash,
                  "replica 1 votes twice in term 2");
  ExpectViolation(kFault, ExploredChecks::kOutcome, kTwoElectionsAndACrash,
                  "term 2 has two leaders");
}

TEST(ExplorerTest, FindsALostEntry) {
  constexpr HostFault kFault = HostFault::kLosesLastEntry;
  ExpectViolation(kFault, ExploredChecks::kAll, kTwoElectionsAndACrash,
                  "index 4 is committed on 1 of 3 disks");
  ExpectViolation(kFault, ExploredChecks::kOutcome, kTwoElectionsAndACrash,
                  "the leader of term 3 lacks committed entry 4");
}

TEST(ExplorerTest, FindsALeaderThatCountsWhatItHasNotSaved) {
  ExpectViolation(HostFault::kCountsBeforeSave, ExploredChecks::kAll, {.elections = 1},
                  "index 4 is committed on 1 of 3 disks");
}

}  // namespace
}  // namespace drumbeat::raft::testing
