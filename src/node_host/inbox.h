// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "drumbeat/types.h"

#include "base/mutex.h"
#include "raft/entry.h"
#include "raft/message.h"

namespace drumbeat::node_host {

// What other parts of the host tell a replica's Raft.

/// The state machine has been loaded; the Raft may start.
struct StateLoaded {};
/// A membership change was applied or refused at `index`.
struct ChangeApplied {
  Index index;
  bool accepted = false;
  Membership members;
};
/// This replica applied its own removal.
struct RemovedItself {};
struct SnapshotRestored {
  raft::SnapshotRecord snapshot;
};
/// A snapshot was taken; the log may be cut through `cut_through`.
struct SnapshotTaken {
  raft::SnapshotRecord snapshot;
  Index cut_through;
};
/// A snapshot stream ended; its outcome counts after `delay_ticks`.
struct SnapshotStreamEnded {
  ReplicaId to;
  bool failed = false;
  std::uint64_t delay_ticks = 0;
};
struct PeerUnreachable {
  ReplicaId replica;
};
struct TransferWanted {
  ReplicaId target;
};

using ReplicaEvent =
    std::variant<StateLoaded, ChangeApplied, RemovedItself, SnapshotRestored, SnapshotTaken,
                 SnapshotStreamEnded, PeerUnreachable, TransferWanted>;

/// Everything that waits for one replica's Raft, bounded so that data never crowds out what keeps
/// the shard alive: messages that carry entries have a budget of bytes, proposals another, all
/// other messages one of their own, and time is counted, not queued. Strangers have so little that
/// they crowd out nobody.
/// Thread-safety: all functions from any thread.
class Inbox {
 public:
  static constexpr std::size_t kMaxControlMessages = 4096;
  static constexpr std::size_t kMaxStrangersMessages = 64;

  /// What entries in messages, and proposals, may take up.
  struct Limits {
    std::size_t data_bytes = 0;
    /// 0: no limit.
    std::size_t proposal_bytes = 0;
  };

  explicit Inbox(const Limits& limits) : limits_(limits) {}

  /// False: dropped, its budget is used up. An InstallSnapshot is always taken.
  bool AddMessage(raft::Envelope message);
  /// The same of a sender that no membership names.
  bool AddStrangersMessage(raft::Envelope message);
  /// False: its budget is used up, and `entry` is left alone. A single one is always taken.
  bool AddProposal(raft::Entry& entry);
  void AddEvent(ReplicaEvent event);
  void AddTick();

  struct Contents {
    std::uint64_t ticks = 0;
    std::vector<ReplicaEvent> events;
    std::vector<raft::Envelope> messages;
    std::vector<raft::Entry> proposals;
  };
  /// Takes everything out, into `contents`, whose old content goes and whose memory is used again.
  void Take(Contents& contents);

 private:
  const Limits limits_;
  base::Mutex mutex_;
  Contents contents_ DRUMBEAT_GUARDED_BY(mutex_);
  std::size_t data_bytes_ DRUMBEAT_GUARDED_BY(mutex_) = 0;
  std::size_t proposal_bytes_ DRUMBEAT_GUARDED_BY(mutex_) = 0;
  std::size_t control_messages_ DRUMBEAT_GUARDED_BY(mutex_) = 0;
  std::size_t strangers_messages_ DRUMBEAT_GUARDED_BY(mutex_) = 0;
  std::size_t strangers_bytes_ DRUMBEAT_GUARDED_BY(mutex_) = 0;
};

}  // namespace drumbeat::node_host
