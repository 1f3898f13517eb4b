// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "drumbeat/config.h"
#include "drumbeat/error.h"
#include "drumbeat/event_listener.h"
#include "drumbeat/request.h"

#include "base/mutex.h"
#include "node_host/address_book.h"
#include "node_host/inbox.h"
#include "node_host/pending_proposals.h"
#include "node_host/pending_reads.h"
#include "node_host/services.h"

namespace drumbeat::node_host {

/// Where a replica is in its life; it only moves down this list.
enum class Life : std::uint8_t {
  kLoading,  ///< the state machine is not loaded yet
  kRunning,
  kStopping,  ///< asked to stop
  kFailed,    ///< stopped for good by an error of its own, or of what all share
  kRemoved,   ///< applied its own removal
};

/// The part of a replica that its two sides, Raft and state machine, and its clients share.
///
/// Thread-safety: all functions from any thread; members are constant, synchronise themselves or
/// are guarded as marked.
/// Lifetime: shared, because queues of the pools and streams of the transport may hold it for a
/// little longer than the host's table does.
class ReplicaState : public std::enable_shared_from_this<ReplicaState> {
 public:
  ReplicaState(const Services& shared, const ReplicaConfig& replica_config, std::uint64_t seed,
               std::size_t max_receive_bytes);

  const Services& services;
  const ReplicaConfig config;
  const ReplicaRef ref;
  AddressBook addresses;
  Inbox inbox;
  PendingProposals proposals;
  PendingReads reads;

  // -- Life ----------------------------------------------------------------------------------

  Life life() const { return life_.load(std::memory_order_acquire); }
  bool stopped() const { return life() >= Life::kStopping; }
  /// Loading is over.
  void SetRunning();
  /// Ends the replica's life, once: pending requests complete with kTerminated, calls fail with
  /// an error that fits, listener and log are told. False when it had ended before.
  bool End(Life how, const Error& why);
  /// Runs `step`; a broken invariant, or whatever else it throws, ends the replica.
  void Guarded(const std::function<void()>& step);
  /// Why a call cannot be served now, if so.
  std::optional<Error> Refusal() const;
  /// Why it must not go on as what it was started as; nothing when it may. A witness is sent no
  /// commands: as anything else it would show a state that there never was.
  std::optional<Error> WrongRole(const Membership& members) const;

  // -- What its Raft believes, for everybody to see --------------------------------------------

  void Publish(const LeaderInfo& leader, Index committed, Index last_index);
  LeaderInfo leader() const;
  Index committed() const { return Index(committed_.load(std::memory_order_relaxed)); }
  Index last_index() const { return Index(last_index_.load(std::memory_order_relaxed)); }
  Index snapshot_index() const { return Index(snapshot_index_.load(std::memory_order_relaxed)); }
  void SetSnapshotIndex(Index index) { snapshot_index_.store(index.value()); }

  // -- A received snapshot on its way into the state machine --------------------------------------

  /// While one is, no other may arrive: it would replace the image that is about to be loaded.
  void InstallBegins() { installs_.fetch_add(1); }
  void InstallEnds() { installs_.fetch_sub(1); }
  bool installing() const { return installs_.load() > 0; }

  /// Whoever adds a chunk holds one of these.
  class AddingChunk {
   public:
    explicit AddingChunk(ReplicaState& state) : state_(state), ok_(state.BeginChunk()) {}
    ~AddingChunk() {
      if (ok_) state_.EndChunk();
    }
    AddingChunk(const AddingChunk&) = delete;
    AddingChunk& operator=(const AddingChunk&) = delete;
    /// False: the replica does not run (any more).
    bool ok() const { return ok_; }

   private:
    ReplicaState& state_;
    const bool ok_;
  };
  /// Once this life has ended: calls `then` as soon as no chunk is being added, maybe at once.
  void WhenNoChunk(std::move_only_function<void()> then);

  // -- Requests of which there is one at a time --------------------------------------------------

  /// kInProgress when one is pending.
  Result<void> BeginTransfer(internal::Completion<LeaderInfo>& completion,
                             std::uint64_t deadline_tick);
  /// The request's number, never 0; kInProgress when one is pending.
  Result<std::uint64_t> BeginSnapshot(internal::Completion<Index>& completion,
                                      std::uint64_t deadline_tick);
  /// Does nothing when `request` is not the pending one (any more).
  void CompleteSnapshot(std::uint64_t request, Result<Index> result);
  /// Whether somebody still waits for it.
  bool WaitsForSnapshot(std::uint64_t request) const;
  /// Completes with kTimeout whatever was due before `tick`.
  void Expire(std::uint64_t tick);

 private:
  bool BeginChunk();
  void EndChunk();

  struct Transfer {
    internal::Completion<LeaderInfo> completion;
    LeaderInfo before;
    std::uint64_t deadline_tick = 0;
  };
  struct Snapshot {
    std::uint64_t request = 0;
    internal::Completion<Index> completion;
    std::uint64_t deadline_tick = 0;
  };

  std::atomic<Life> life_{Life::kLoading};
  std::atomic<std::uint64_t> committed_{0};
  std::atomic<std::uint64_t> last_index_{0};
  std::atomic<std::uint64_t> snapshot_index_{0};
  std::atomic<int> installs_{0};

  mutable base::Mutex mutex_;
  Error end_reason_ DRUMBEAT_GUARDED_BY(mutex_);
  LeaderInfo leader_ DRUMBEAT_GUARDED_BY(mutex_);
  std::optional<Transfer> transfer_ DRUMBEAT_GUARDED_BY(mutex_);
  std::optional<Snapshot> snapshot_ DRUMBEAT_GUARDED_BY(mutex_);
  std::uint64_t snapshot_requests_ DRUMBEAT_GUARDED_BY(mutex_) = 0;
  int chunks_ DRUMBEAT_GUARDED_BY(mutex_) = 0;
  std::move_only_function<void()> when_no_chunk_ DRUMBEAT_GUARDED_BY(mutex_);
};

}  // namespace drumbeat::node_host
