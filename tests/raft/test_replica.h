// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "raft/fake_disk.h"
#include "raft/raft.h"

namespace drumbeat::raft::testing {

inline constexpr ShardId kShard{7};

/// Members with made-up addresses.
Membership Members(std::vector<std::uint64_t> voters, std::vector<std::uint64_t> non_votings = {},
                   std::vector<std::uint64_t> witnesses = {});

/// A client's proposal with this text.
Entry Command(std::string_view text, std::uint64_t key = 1);
/// A membership change: "voter 4", "remove 4", "nonvoting 4" or "witness 4".
Entry Change(std::string_view text);
std::optional<ConfigChange> DecodeChange(const Entry& entry);

/// What a state machine has gone through: one text for each index from 1 on.
using History = std::vector<std::string>;
/// The state behind snapshots by their index, the same on all replicas.
using Images = std::map<std::uint64_t, History>;

/// One replica as a host would run it: its disk, its Raft and a state machine that remembers
/// everything. Nothing happens until the host's steps are called.
class TestReplica {
 public:
  /// With `members`, a founder: its log holds one committed change for each of them. Without, one
  /// that joins. `images` must outlive the replica.
  TestReplica(const Options& options, const Membership& members, Images& images);

  ReplicaId id() const { return options_.replica; }
  Options& options() { return options_; }
  const Options& options() const { return options_; }
  FakeDisk& disk() { return disk_; }
  const FakeDisk& disk() const { return disk_; }
  bool running() const { return raft_ != nullptr; }
  Raft& raft() { return *raft_; }

  /// Starts from what is on the disk. Also right after construction.
  void Start();
  void Crash(bool lose_unsynced = true);

  // -- The steps of a host, in this order --------------------------------------------------------

  Output Take() { return raft_->TakeOutput(); }
  void Save(const Output& output);
  /// Queues committed entries and recoveries for Apply and collects the rest.
  void Finish(Output& output);
  /// Applies up to `limit` queued entries.
  void Apply(std::size_t limit = ~std::size_t{0});
  bool HasToApply() const { return next_to_apply_ < to_apply_.size() || recovery_.has_value(); }

  /// All steps at once; returns the messages in the order in which they were sent.
  std::vector<Envelope> RunOnce();

  /// A snapshot of the state machine; the log is cut `keep` entries behind it.
  void TakeSnapshot(std::uint64_t keep = 0);

  /// Called for each entry that is applied, before it is.
  std::function<void(const Entry&)> on_apply;

  // -- What came out -----------------------------------------------------------------------------

  const Membership& members() const { return members_; }
  Index applied() const { return Index(history_.size()); }
  const History& history() const { return history_; }
  std::vector<ReadReady> reads;
  std::vector<DroppedRead> dropped_reads;
  std::vector<DroppedProposal> dropped;
  std::vector<SendSnapshot> snapshots;
  std::vector<LeaderChange> leader_changes;

 private:
  void Bootstrap(const Membership& members);
  void ApplyEntry(const Entry& entry);
  void Recover();

  Options options_;
  Images& images_;
  FakeDisk disk_;
  std::unique_ptr<Raft> raft_;
  Membership members_;
  History history_;
  std::vector<Entry> to_apply_;
  std::size_t next_to_apply_ = 0;
  std::optional<SnapshotRecord> recovery_;
};

}  // namespace drumbeat::raft::testing
