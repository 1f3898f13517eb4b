// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "raft/explored_table.h"

namespace drumbeat::raft::testing {

/// How often what may happen in one run.
struct ExploredBounds {
  std::uint8_t elections = 0;   // ticks of who does not lead
  std::uint8_t heartbeats = 0;  // ticks of leaders
  std::uint8_t proposals = 0;
  std::uint8_t reads = 0;
  std::uint8_t transfers = 0;
  std::uint8_t crashes = 0;
  std::uint8_t doubles = 0;  // messages that arrive once more
};

/// All hashes seen so far, in one block of memory.
class HashSet {
 public:
  HashSet() : slots_(1u << 16) {}
  /// False if it was there.
  bool Insert(std::uint64_t hash);
  std::size_t size() const { return size_; }

 private:
  void Grow();

  std::vector<std::uint64_t> slots_;  // 0: free
  std::size_t size_ = 0;
};

struct ExploredResult {
  std::uint64_t states = 0;
  std::uint64_t steps = 0;
  std::size_t replica_states = 0;
  std::size_t messages = 0;
  std::size_t longest = 0;  // steps from the start
  double seconds = 0;
  /// Everything within the bounds was seen.
  bool complete = false;
  /// What is broken, and below it what happened, from the start; empty: nothing.
  std::string violation;
};

/// Visits every state of a shard that can be reached within bounds, in whatever order messages
/// arrive, saves end and replicas crash, nearest first, and checks in each what Raft promises:
///
///   election safety, leader completeness, state machine safety, log matching (Ongaro 2014, figure
///   3.2); one vote in a term and no older term, over crashes; what is committed is durable on a
///   majority and never retracted; what is promised to others is durable; a read sees what was
///   applied anywhere before it began.
///
/// A message that never arrives is a lost one, so loss needs no step of its own. A step that
/// changes nothing but that a message is gone is left out: whatever follows it can follow without.
/// States are told apart by 64-bit hashes.
class Explorer {
 public:
  static constexpr std::size_t kMaxReplicas = 4;
  static constexpr std::size_t kMaxTerms = 16;

  Explorer(const ExploredSetup& setup, std::uint64_t replicas, const ExploredBounds& bounds);

  /// Stops at the first violation, and after so many states.
  ExploredResult Run(std::uint64_t max_states);

 private:
  /// What is to be remembered of the past to see that it was broken.
  struct Past {
    std::array<std::uint8_t, kMaxTerms> leaders{};  // by term; 0: none
    std::array<std::array<std::uint8_t, kMaxTerms>, kMaxReplicas> votes{};
    std::array<std::uint8_t, kMaxReplicas> spoken{};  // newest term in a message
    std::array<std::uint8_t, 4> read_floors{};
  };
  struct Applied {
    LogWord word = 0;
    std::uint32_t seen_in = 0;  // a term not before the one it was committed in
  };
  struct World {
    std::array<std::uint32_t, kMaxReplicas> replicas{};
    ExploredBounds left;
    Past past;
    std::vector<Applied> applied;         // anywhere
    std::vector<std::uint32_t> messages;  // on their way, sorted
  };
  struct Origin {
    std::uint32_t state = 0;
    std::uint32_t input = 0;
  };

  World Start();
  void Expand(std::uint32_t number, const World& world);
  void ExpandReplica(std::uint32_t number, const World& world, std::uint8_t replica);
  void Try(std::uint32_t number, const World& world, const ExploredInput& input);
  std::optional<World> After(const World& world, const ExploredInput& input);
  bool IsDead(const World& world, std::uint32_t number) const;
  void Spend(World& world, const ExploredInput& input);
  bool MayTick(const World& world, std::uint8_t replica) const;

  // What must hold.
  void CheckSent(World& world, std::uint8_t replica, const Envelope& message) const;
  void CheckProgress(const World& world, const ExploredInput& input, const ExploredView& before,
                     const ExploredView& now) const;
  void CheckApplied(World& world, const ExploredView& now) const;
  void CheckLeader(World& world, std::uint8_t replica, const ExploredView& now) const;
  void CheckCommitOnQuorum(const World& world, const ExploredView& now) const;
  void CheckLogsMatch(const World& world, std::uint8_t replica, const ExploredView& now) const;

  static std::string Encode(const World& world);
  static World Decode(const std::string& bytes);
  static std::uint32_t Pack(const ExploredInput& input);
  static ExploredInput Unpack(std::uint32_t packed);
  std::string Describe(const ExploredInput& input) const;
  std::string Story(std::uint32_t number, const ExploredInput& last) const;

  const ExploredSetup setup_;
  const std::uint64_t replicas_;
  const ExploredBounds bounds_;
  ExploredTable table_;
  HashSet seen_;
  std::vector<Origin> origins_;
  std::deque<std::pair<std::uint32_t, std::string>> open_;
  ExploredResult result_;
};

}  // namespace drumbeat::raft::testing
