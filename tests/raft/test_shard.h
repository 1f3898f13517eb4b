// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "raft/test_replica.h"

namespace drumbeat::raft::testing {

/// Replicas of one shard with a network between them that delivers in order and at once, unless a
/// test cuts it or holds messages back.
class TestShard {
 public:
  /// Founding voters 1 to `voters`, started. Replica n has seed n.
  explicit TestShard(std::uint64_t voters, const Options& options = DefaultOptions());
  explicit TestShard(const Membership& members, const Options& options = DefaultOptions());

  static Options DefaultOptions();
  /// With pre-votes and quorum checks.
  static Options CarefulOptions();

  TestReplica& operator[](std::uint64_t id) { return *replicas_.at(id); }
  Raft& raft(std::uint64_t id) { return replicas_.at(id)->raft(); }
  /// Another replica with an empty log and no members, started.
  TestReplica& Join(std::uint64_t id, Role role = Role::kFollower);

  // -- Time and work -----------------------------------------------------------------------------

  /// Runs replicas and delivers messages until nothing is left to do.
  void Settle();
  /// Ticks one replica, or all, and settles after each.
  void Tick(std::uint64_t id, std::uint64_t times = 1);
  void TickAll(std::uint64_t times = 1);
  /// Ticks only `id` until it leads. False if it does not within 10 timeouts.
  bool Elect(std::uint64_t id);
  /// Ticks all until there is one leader. Returns it, 0 if none within 10 timeouts.
  std::uint64_t WaitForLeader();
  std::uint64_t Leader();
  /// Proposes at `id` and settles.
  void Propose(std::uint64_t id, std::string_view text);
  void Change(std::uint64_t id, std::string_view text);

  // -- The network -------------------------------------------------------------------------------

  void Cut(std::uint64_t a, std::uint64_t b);
  void Isolate(std::uint64_t id);
  void Heal();
  /// Messages for which it returns false are lost.
  std::function<bool(const Envelope&)> filter;
  /// Messages that are on their way; Settle() empties it.
  std::deque<Envelope> network;
  /// All messages that were sent since it was last cleared.
  std::vector<Envelope> sent;
  /// Whether a snapshot stream arrives by itself.
  bool stream_snapshots = true;

  /// Runs one replica once and puts its messages on the network.
  void Run(std::uint64_t id);
  /// Delivers the oldest message.
  void DeliverNext();
  void Deliver(Envelope envelope);
  /// Completes the snapshot streams that `id` asked for.
  void StreamSnapshots(std::uint64_t id);

  Images& images() { return images_; }
  const std::map<std::uint64_t, std::unique_ptr<TestReplica>>& replicas() const {
    return replicas_;
  }

 private:
  bool Passes(const Envelope& envelope) const;

  Options options_;
  Images images_;
  std::map<std::uint64_t, std::unique_ptr<TestReplica>> replicas_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> cuts_;
};

/// An envelope of this shard.
Envelope Make(std::uint64_t from, std::uint64_t to, std::uint64_t term, Message message);

/// Those of kind M among `envelopes`.
template <class M>
std::vector<Envelope> Only(const std::vector<Envelope>& envelopes) {
  std::vector<Envelope> found;
  for (const Envelope& envelope : envelopes) {
    if (std::holds_alternative<M>(envelope.message)) found.push_back(envelope);
  }
  return found;
}

}  // namespace drumbeat::raft::testing
