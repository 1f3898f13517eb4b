// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "raft/safety_checker.h"
#include "raft/test_replica.h"

namespace drumbeat::raft::testing {

/// How often what happened, over one or many runs.
struct SimulationStatistics {
  std::uint64_t steps = 0;
  std::uint64_t crashes = 0;
  std::uint64_t messages = 0;
  std::uint64_t lost = 0;
  std::uint64_t terms = 0;
  std::uint64_t entries = 0;
  std::uint64_t changes = 0;
  std::uint64_t reads = 0;
  std::uint64_t restored = 0;

  void Add(const SimulationStatistics& other);
};

/// A shard whose clock, network, disks and operators are one source of random numbers: replicas
/// tick at their own pace, messages are lost, doubled and overtake each other, hosts crash between
/// any two of their steps, members come and go. Everything follows from the seed.
///
/// Failure: throws Violation, or base::InvariantBroken from a replica.
class Simulation {
 public:
  explicit Simulation(std::uint64_t seed);

  /// Chaos for that many steps, watched by a SafetyChecker after each of them.
  void Run(std::uint64_t steps);
  /// Mends everything; throws Violation unless the shard then elects a leader, serves a proposal
  /// and a read, and brings all members to the same state.
  void Converge();

  const SimulationStatistics& statistics() const { return statistics_; }
  std::string Describe() const;

 private:
  /// How often each kind of step is taken, relative to the others.
  struct Pace {
    std::uint64_t tick = 0;
    std::uint64_t run = 0;
    std::uint64_t deliver = 0;
    std::uint64_t apply = 0;
    std::uint64_t ask = 0;
    std::uint64_t report = 0;
    std::uint64_t disturb = 0;
  };
  struct Status {
    std::uint64_t from;
    ReplicaId to;
  };

  // Steps.
  void Step();
  void TickSome();
  void RunSome();
  void DeliverSome();
  void DeliverOne();
  void ApplySome();
  void ApplyAt(TestReplica& replica);
  void AskSomething();
  void ReportSnapshot();
  void Disturb();

  void RunHost(std::uint64_t id);
  void Send(TestReplica& from, std::vector<Envelope>& messages);
  void Deliver(Envelope envelope);
  void Collect(TestReplica& replica);
  void Start(std::uint64_t id);
  void Crash(std::uint64_t id);
  void ChangeMembers(TestReplica& at);
  void Read(TestReplica& at);
  void Propose(TestReplica& at);
  void AddReplica(std::uint64_t id, Role role, const Membership& members);
  void StartJoiners();
  void Partition();
  void IsolateLeader();

  // The calm after the storm.
  void RunEverything();
  bool Converged() const;
  const Membership& NewestMembers() const;

  bool Connected(std::uint64_t a, std::uint64_t b) const { return !cuts_.contains({a, b}); }
  bool Chance(std::uint64_t percent) { return random_.Below(100) < percent; }
  TestReplica* Any();
  TestReplica* Leader();

  base::Random random_;
  Options options_;
  Pace pace_;
  std::uint64_t lazy_ = 0;  // the replica whose state machine is slow; 0: none
  std::uint64_t loss_percent_ = 0;
  std::uint64_t crash_permille_ = 0;
  static constexpr std::size_t kLingering = 100;
  /// Of 100 messages, so many linger until long after, but never more than that at once.
  std::uint64_t linger_percent_ = 0;
  /// What was sent before a cut still arrives, however late.
  bool cuts_when_sent_ = false;
  bool changes_members_ = false;
  bool takes_snapshots_ = false;

  Images images_;
  std::map<std::uint64_t, std::unique_ptr<TestReplica>> replicas_;
  std::map<std::uint64_t, std::optional<Output>> outputs_;
  std::vector<Envelope> network_;
  std::vector<Envelope> lingering_;
  std::vector<Status> statuses_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> cuts_;
  SafetyChecker checker_;
  std::map<std::uint64_t, Index> read_floors_;
  std::map<std::uint64_t, Role> wanted_;  // replicas that a change may have added
  std::uint64_t next_command_ = 1;
  std::uint64_t next_read_ = 1;
  std::uint64_t next_id_ = 1;
  SimulationStatistics statistics_;
};

}  // namespace drumbeat::raft::testing
