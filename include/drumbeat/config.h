// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "drumbeat/error.h"
#include "drumbeat/types.h"

namespace drumbeat {

class EventListener;
class LogSink;
enum class LogLevel : std::uint8_t;

enum class Compression : std::uint8_t { kNone = 0, kSnappy = 1 };

/// What kind of member a replica is started as.
enum class ReplicaRole : std::uint8_t {
  kVoter,
  /// Added with RequestAddNonVoting. Stays so configured after its promotion to a voter, for as
  /// long as its log may hold the entry that added it.
  kNonVoting,
  /// Added with RequestAddWitness: votes, but keeps no state. snapshot_entries must be 0.
  kWitness,
};

/// How one replica behaves. Ticks are periods of NodeHostConfig::tick.
///
/// All members of a shard must agree on pre_vote, quiesce and ordered_config_change, and should
/// agree on the timers: Raft relies on it and nothing can check it across hosts.
struct ReplicaConfig {
  /// Which shard and which of its members, at least 1.
  ShardId shard_id;
  ReplicaId replica_id;

  /// A follower that hears no leader for election_ticks to 2 x election_ticks - 1 ticks (drawn
  /// each time) campaigns. More than 2 x heartbeat_ticks, at most 2^20; below 10 x heartbeat_ticks
  /// elections that nobody needed become likely.
  std::uint64_t election_ticks = 10;
  /// A leader's heartbeat period, at least 1.
  std::uint64_t heartbeat_ticks = 1;
  /// A leader that has not heard from a quorum within election_ticks steps down, and members that
  /// hear a leader do not vote against it. Turn it off only to match members that have it off.
  bool check_quorum = true;
  /// Ask for votes before raising the term, so that a member that comes back does not depose a
  /// healthy leader (thesis 9.6). Equal on all members: a Dragonboat member that has it off, as is
  /// its default, ends on the first pre-vote.
  bool pre_vote = false;
  /// Stop heartbeats when nothing happened for 20 x election_ticks. Equal on all members.
  bool quiesce = false;
  ReplicaRole role = ReplicaRole::kVoter;

  /// Take a snapshot whenever more entries than this were applied since the last one. 0: only on
  /// request; then the log grows without bound. Small values cost snapshots, large ones disk
  /// space and a long replay after a restart.
  std::uint64_t snapshot_entries = 0;
  /// How many entries to keep in the log behind a snapshot, so that followers that lag a little
  /// need no snapshot.
  std::uint64_t compaction_overhead = 0;
  Compression snapshot_compression = Compression::kNone;
  /// For the commands proposed here; all members read both.
  Compression entry_compression = Compression::kNone;
  /// Refuse membership changes that do not name the current Membership::config_change_id. Part of
  /// the replicated rules: equal on all members.
  bool ordered_config_change = false;

  /// The largest command that may be proposed here, in bytes: 1 to 64 MiB.
  std::size_t max_entry_bytes = 64u << 20;
  /// Entries that are in the log but not applied yet may hold this much memory before proposals
  /// get kBusy; the leader also heeds what its followers report. As much again may wait in front of
  /// the log while that is written. 0: no limit; otherwise at least max_entry_bytes.
  std::size_t max_in_memory_log_bytes = 256u << 20;
  /// Accept IPv6 addresses of members, in StartOptions and in membership changes. One such entry
  /// ends every Dragonboat member of the shard, so it is off by default.
  bool allow_ipv6_members = false;

  /// Says what is wrong with the first field that is out of bounds.
  Result<void> Validate() const;
};

/// Mutual TLS between node hosts (TLS 1.2 and 1.3): both sides present a certificate, both verify
/// it against `ca_file`; the dialling side also checks the host part of the address it dialled.
struct TlsConfig {
  std::filesystem::path ca_file;
  std::filesystem::path certificate_file;
  std::filesystem::path key_file;
};

/// What peers and strangers may use up. Beyond a limit, connections are closed and messages are
/// dropped; Raft repairs what is lost.
struct TransportLimits {
  /// Incoming connections at once, and at most three eighths of the descriptors that the process
  /// may have (its soft RLIMIT_NOFILE as the host opens; connections to other hosts may take a
  /// quarter, and the log store keeps another one open at most, but never more than 512). Beyond
  /// it, one is closed: of those that never sent a frame, else of those from the machine with most
  /// (an IPv6 network of 64 bits counts as one), the one idle for longest. An idle one costs 2 KiB
  /// of memory, with TLS 24 KiB and its peer's certificates, so all of them 24 MiB. A quarter at
  /// most are in a TLS handshake, which holds up to 100 KiB of certificates.
  std::size_t max_connections = 1024;
  /// The largest frame accepted, 65 MiB to 1 TiB: peers batch up to 64 MiB. Beyond 64 KiB
  /// each, unfinished ones may hold four times as much together, half of it for one network.
  std::size_t max_frame_bytes = 160u << 20;
  /// Bytes waiting to be sent to one address, at least 64 KiB; one larger message waits besides.
  std::size_t max_send_queue_bytes = 256u << 20;
  /// Messages waiting to be sent to one address and stream.
  std::size_t max_send_queue_messages = 16384;
  /// Bytes of received messages waiting for one replica, at least 64 KiB.
  std::size_t max_receive_queue_bytes = 256u << 20;
  /// Snapshots streamed out and in at once, at least 1.
  std::size_t max_snapshots_out = 64;
  std::size_t max_snapshots_in = 128;
  /// Bytes per second of all outgoing and all incoming snapshots together; 0: no limit. Each
  /// incoming one gets at least 2,000,000 of them, or its sender would give it up: what is beyond
  /// that waits for its turn and is sent again. Less than 1,000,000 counts as that for incoming
  /// ones.
  std::uint64_t snapshot_send_bytes_per_second = 0;
  std::uint64_t snapshot_receive_bytes_per_second = 0;
};

/// How a node host behaves.
struct NodeHostConfig {
  /// Everything this host stores. Created (mode 0700) with its missing parents when absent. A
  /// relative path counts from the working directory of the moment of Open().
  std::filesystem::path data_dir;
  /// The `host:port` that other members dial, exactly as it stands in the membership; lower-cased.
  /// The data folder is bound to it.
  std::string raft_address;
  /// Where to listen; empty: raft_address. Port 0 takes a free one.
  std::string listen_address = {};
  /// A listening TCP socket to use instead of binding listen_address; -1: none. It is the host's
  /// once Open() succeeded. For parents that hand the socket in, and tests without a fixed port.
  int listen_fd = -1;
  /// Period of the logical clock, 1 ms to 1 min; about the round-trip time between hosts.
  std::chrono::milliseconds tick{200};
  /// Keeps unrelated deployments apart; compared on every message. 0 means 1. Not a secret.
  std::uint64_t deployment_id = 0;
  std::optional<TlsConfig> tls = {};
  TransportLimits transport = {};

  /// Threads that run Raft and write the log, each for a fixed part of the shards, at most 1,024.
  /// 0: one for two cores. May change between starts.
  std::size_t engine_workers = 0;
  /// Threads that run state machines; a slow one takes up one of them. 0: as many as cores, at
  /// least 2; at most 1,024. May change between starts.
  std::size_t apply_workers = 0;
  /// Memory of RocksDB's write buffers, in bytes: 4 MiB to 1 TiB. More of it makes bursts cheaper.
  std::size_t log_store_memory_bytes = 64u << 20;

  /// Told of what happens; may be null. See event_listener.h for threads.
  std::shared_ptr<EventListener> listener = {};
  /// Where log lines go; null: stderr.
  std::shared_ptr<LogSink> log_sink = {};
  /// Lines below this level are dropped. (Default: LogLevel::kInfo.)
  LogLevel log_level = static_cast<LogLevel>(1);

  /// Says what is wrong with the first field that is out of bounds.
  Result<void> Validate() const;
};

}  // namespace drumbeat
