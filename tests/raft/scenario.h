// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "raft/safety_checker.h"
#include "raft/test_replica.h"

namespace drumbeat::raft::testing {

/// A shard that writes down what happens in it, for scenarios as text. Nothing happens by itself:
/// hosts work, and messages arrive, when they are told to. All that is done is checked by a
/// SafetyChecker.
class Scenario {
 public:
  enum class ApplyMode : std::uint8_t { kWithRun, kByHand };
  /// Whether the end of a snapshot stream is reported to its sender when it arrives or is lost.
  enum class ReportMode : std::uint8_t { kByStream, kByHand };

  /// What was written down since the last call.
  std::string TakeTranscript() { return std::exchange(transcript_, {}); }
  void Write(const std::string& line) { transcript_ += line + "\n"; }

  // -- Replicas ----------------------------------------------------------------------------------

  void set_apply_mode(ApplyMode mode) { apply_mode_ = mode; }
  void set_report_mode(ReportMode mode) { report_mode_ = mode; }
  /// Adds a replica with a disk; without members one that joins. It does not run yet.
  TestReplica& Add(const Options& options, const Membership& members);
  TestReplica& at(std::uint64_t id);
  std::vector<std::uint64_t> ids() const;
  void Start(std::uint64_t id);
  void Crash(std::uint64_t id);

  // -- Steps -------------------------------------------------------------------------------------

  /// Something happens to a replica; a change of its role is written down.
  void Input(std::uint64_t id, const std::function<void(Raft&)>& happen);
  /// One period of the clock.
  void Tick(std::uint64_t id) {
    Input(id, [](Raft& raft) { raft.Tick(); });
  }
  /// Ticks until the replica campaigns anew.
  void Campaign(std::uint64_t id);
  /// The first half of a host's step: takes an output and sends what does not wait for the disk.
  bool Take(std::uint64_t id);
  /// The second half: saves it, sends the rest.
  void Save(std::uint64_t id);
  /// All of a step, and the next ones until nothing is left to do. False if there was nothing.
  bool Run(std::uint64_t id);
  bool Apply(std::uint64_t id, std::size_t limit = ~std::size_t{0});
  void TakeSnapshot(std::uint64_t id, std::uint64_t keep);
  /// Runs these hosts and delivers the messages to them until nothing is left to do.
  void Stabilize(const std::vector<std::uint64_t>& some);

  // -- The network -------------------------------------------------------------------------------

  using Filter = std::function<bool(const Envelope&)>;
  /// Messages on their way. Lost ones are marked in the transcript when they are sent.
  const std::deque<Envelope>& network() const { return network_; }
  /// Delivers those that `chosen` names, oldest first; they stay, too, if they are to arrive twice.
  enum class Copies : std::uint8_t { kOne, kTwo };
  std::size_t Deliver(const Filter& chosen, std::size_t limit, Copies copies);
  std::size_t Lose(const Filter& chosen, std::size_t limit);
  void Cut(std::uint64_t from, std::uint64_t to) { cuts_.insert({from, to}); }
  void Heal() { cuts_.clear(); }

 private:
  struct View {
    Role role = Role::kFollower;
    Term term;
    ReplicaId leader;

    friend bool operator==(const View&, const View&) = default;
  };

  void Announce(TestReplica& replica);
  void Send(TestReplica& from, const Envelope& message);
  void DeliverOne(Envelope message);
  void WriteSaves(const TestReplica& replica, const Output& output);
  void WriteAnswers(TestReplica& replica);
  void StartStreams(TestReplica& from);
  void EndStream(const Envelope& message, bool failed);

  ApplyMode apply_mode_ = ApplyMode::kWithRun;
  ReportMode report_mode_ = ReportMode::kByStream;
  Images images_;
  std::map<std::uint64_t, std::unique_ptr<TestReplica>> replicas_;
  std::map<std::uint64_t, std::optional<Output>> outputs_;  // taken, not saved
  std::map<std::uint64_t, View> views_;
  std::deque<Envelope> network_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> cuts_;
  SafetyChecker checker_{replicas_};
  std::string transcript_;
};

}  // namespace drumbeat::raft::testing
