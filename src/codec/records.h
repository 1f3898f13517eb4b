// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "drumbeat/error.h"
#include "drumbeat/types.h"

#include "raft/entry.h"
#include "raft/membership.h"

// Dragonboat's protobuf records (wire.md 2.2), byte for byte. Decoders take missing and unknown
// fields as Dragonboat does. A member takes 6 bytes at least, and some 80 in memory.
namespace drumbeat::codec {

std::string EncodeConfigChange(const raft::ConfigChange& change);
/// Refuses unknown change types.
Result<raft::ConfigChange> DecodeConfigChange(std::string_view bytes);

/// The longest membership that is taken from another host, as its members take more memory than
/// bytes: some 280,000 removed replicas with ids of any size. No rule keeps a shard from more, so
/// beyond it no snapshot is taken.
constexpr std::size_t kMaxMembershipBytes = 4u << 20;

std::string EncodeMembership(const Membership& members);
Result<Membership> DecodeMembership(std::string_view bytes);

std::string EncodeHardState(const raft::HardState& state);
Result<raft::HardState> DecodeHardState(std::string_view bytes);

/// How a replica was first started.
struct Bootstrap {
  MemberMap addresses;
  bool join = false;
  /// 1: regular (in memory); 2: concurrent; 3: on disk.
  std::uint64_t state_machine_type = 1;

  friend bool operator==(const Bootstrap&, const Bootstrap&) = default;
};
std::string EncodeBootstrap(const Bootstrap& bootstrap);
Result<Bootstrap> DecodeBootstrap(std::string_view bytes);

/// The empty Snapshot record that every message carries, and a record as Dragonboat stores it.
/// Fields that drumbeat has no use for are written as zero and skipped when read.
std::string EncodeSnapshotRecord(const raft::SnapshotRecord& record, ShardId shard);
Result<raft::SnapshotRecord> DecodeSnapshotRecord(std::string_view bytes);

/// The entry that stands at `index` (from 1) in the log of each founding member: term 1, adding
/// the index-th member by ascending id.
std::vector<raft::Entry> BootstrapEntries(const MemberMap& founding_members);

}  // namespace drumbeat::codec
