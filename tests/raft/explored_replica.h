// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "raft/core.h"
#include "raft/fake_disk.h"
#include "raft/test_replica.h"

namespace drumbeat::raft::testing {

/// What a host may do wrong: proofs that an exploration would find it.
enum class HostFault : std::uint8_t {
  kNone,
  kVotesBeforeSave,         ///< sends votes before the save
  kAcknowledgesBeforeSave,  ///< sends acknowledgements of entries before the save
  kForgetsVote,             ///< a crash loses the vote of the stored term
  kLosesLastEntry,          ///< a crash loses the last entry of the log, although it was synced
  kCountsBeforeSave,        ///< says Saved() before the save
};

/// Whether each promise is checked when it is made, or only what Raft promises to its users: one
/// leader in a term that has what is committed, and one history.
enum class ExploredChecks : std::uint8_t { kAll, kOutcome };

/// What the exploration lets happen to all replicas.
struct ExploredSetup {
  Membership members;
  bool pre_vote = false;
  /// Applying is a step of its own; else everything committed is applied at once.
  bool apply_by_hand = false;
  HostFault fault = HostFault::kNone;
  ExploredChecks checks = ExploredChecks::kAll;
  /// Texts of proposals in the order in which they are made: commands, or changes as Change() has
  /// them.
  std::vector<std::string> proposals;
};

/// An entry in one number: its term and which proposal it is (0: a leader's first).
using LogWord = std::uint32_t;
constexpr std::uint64_t TermOf(LogWord word) { return word >> 8; }

/// Reads whichever disk it was last told: so copies of a Core, which all hold on to one LogReader,
/// each read their own.
class DiskSwitch : public LogReader {
 public:
  void Use(const FakeDisk& disk) { disk_ = &disk; }

  Index first() const override { return disk_->first(); }
  Index last() const override { return disk_->last(); }
  const SnapshotRecord& snapshot() const override { return disk_->snapshot(); }
  Result<std::optional<Term>> TermAt(Index index) const override { return disk_->TermAt(index); }
  Result<std::vector<Entry>> Read(Index first, Index end, std::uint64_t max_bytes) const override {
    return disk_->Read(first, end, max_bytes);
  }

 private:
  const FakeDisk* disk_ = nullptr;
};

/// A replica and its host as a value: the core, the disk, an output that is being saved, a state
/// machine. A copy of it goes another way. One tick makes it campaign (a leader: send heartbeats).
///
/// Its host takes an output whenever it has none under way, so what happens during a save comes
/// into the next output together. An output that needs no sync is written at once.
class ExploredReplica {
 public:
  /// `setup` and `disk` must outlive it.
  ExploredReplica(std::uint64_t id, const ExploredSetup& setup, DiskSwitch& disk);

  // -- What may happen; returns what was sent ----------------------------------------------------

  std::vector<Envelope> Tick();
  /// Proposal number `which`, from 1 on.
  std::vector<Envelope> Propose(std::uint64_t which);
  std::vector<Envelope> Read(std::uint64_t which);
  std::vector<Envelope> Transfer(std::uint64_t to);
  std::vector<Envelope> Deliver(Envelope envelope);
  /// The output under way becomes durable and is finished.
  std::vector<Envelope> Save();
  std::vector<Envelope> Apply();
  /// A power cut and a new start. What is under way is lost, or just reached the disk.
  enum class UnderWay : std::uint8_t { kLost, kWritten };
  std::vector<Envelope> Crash(UnderWay under_way);

  // -- Views -------------------------------------------------------------------------------------

  std::uint64_t Hash() const;
  const Core& core() const { return *core_; }
  bool saving() const { return output_.has_value(); }
  bool has_to_apply() const { return !to_apply_.empty(); }
  /// The log as it would be found after a power cut, from index 1 on.
  std::vector<LogWord> DurableLog() const;
  HardState DurableState() const;
  const std::vector<LogWord>& applied() const { return applied_; }
  const Membership& members() const { return members_; }
  /// Reads that the last call confirmed: which, and their index.
  const std::vector<std::pair<std::uint64_t, Index>>& reads() const { return reads_; }

 private:
  void Begin();
  void Start();
  std::vector<Envelope> Work();
  void Finish(Output output, std::vector<Envelope>& sent);
  void Send(std::vector<Envelope>& messages, std::vector<Envelope>& sent);
  void SendTooEarly(Output& output, std::vector<Envelope>& sent) const;
  void CheckPromise(const Envelope& message) const;
  void ApplyEntry(const Entry& entry);

  std::uint64_t id_;
  const ExploredSetup* setup_;
  DiskSwitch* switch_;
  FakeDisk disk_;
  std::optional<Core> core_;
  std::optional<Output> output_;
  std::vector<Entry> to_apply_;
  std::vector<LogWord> applied_;
  Membership members_;
  std::vector<std::pair<std::uint64_t, Index>> reads_;
};

}  // namespace drumbeat::raft::testing
