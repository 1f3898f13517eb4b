// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "drumbeat/event_listener.h"
#include "drumbeat/snapshot.h"

#include "base/bytes.h"
#include "raft/entry.h"
#include "storage/log_store.h"

namespace drumbeat::storage {

inline ReplicaRef Replica(std::uint64_t shard, std::uint64_t replica) {
  return {ShardId(shard), ReplicaId(replica)};
}

inline raft::Entry MakeEntry(std::uint64_t index, std::uint64_t term, std::string_view command) {
  raft::Entry entry;
  entry.term = Term(term);
  entry.index = Index(index);
  entry.type = raft::EntryType::kApplication;
  entry.key = index * 31 + term;
  entry.client_id = 7;
  entry.command = base::Bytes::Copy(command);
  return entry;
}

/// Entries [first, end) of one term, each with a command that tells index and term.
inline std::vector<raft::Entry> MakeEntries(std::uint64_t first, std::uint64_t end,
                                            std::uint64_t term, std::size_t padding = 0) {
  std::vector<raft::Entry> entries;
  for (std::uint64_t index = first; index < end; ++index) {
    const std::string command = std::to_string(index) + "/" + std::to_string(term);
    entries.push_back(MakeEntry(index, term, command + std::string(padding, 'p')));
  }
  return entries;
}

inline raft::HardState MakeHardState(std::uint64_t term, std::uint64_t vote, std::uint64_t commit) {
  return {.term = Term(term), .vote = ReplicaId(vote), .commit = Index(commit)};
}

inline raft::SnapshotRecord MakeRecord(std::uint64_t index, std::uint64_t term,
                                       std::uint64_t image_bytes = 0) {
  raft::SnapshotRecord record;
  record.index = Index(index);
  record.term = Term(term);
  record.membership.config_change_id = 3;
  record.membership.voters = {{ReplicaId(1), "localhost:63001"}, {ReplicaId(2), "localhost:63002"}};
  record.image_bytes = image_bytes;
  return record;
}

inline Result<void> SaveEntries(LogStore& log, const ReplicaRef& replica,
                                std::span<const raft::Entry> entries) {
  const ReplicaUpdate update{.replica = replica, .entries = entries};
  return log.Save({&update, 1});
}

inline Result<void> SaveHardState(LogStore& log, const ReplicaRef& replica,
                                  const raft::HardState& state) {
  const ReplicaUpdate update{.replica = replica, .hard_state = state};
  return log.Save({&update, 1});
}

/// Everything that a reader hands out, or its error's text behind "error: ".
inline std::string ReadWhole(SnapshotReader& reader, std::size_t step = 1000) {
  std::string all;
  std::vector<char> buffer(step);
  for (;;) {
    const Result<std::size_t> got = reader.Read(buffer);
    if (!got) return "error: " + got.error().message;
    if (*got == 0) return all;
    all.append(buffer.data(), *got);
  }
}

constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};

}  // namespace drumbeat::storage
