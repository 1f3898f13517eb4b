// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "raft/message.h"

namespace drumbeat::transport {

/// A heartbeat of shard `shard` from replica 1 to 2 that is known by its commit index.
inline raft::Envelope HeartbeatOf(std::uint64_t shard, std::uint64_t commit) {
  return {.shard = ShardId(shard),
          .from = ReplicaId(1),
          .to = ReplicaId(2),
          .term = Term(3),
          .message = raft::Heartbeat{.commit = Index(commit), .context = {}}};
}

inline std::uint64_t CommitOf(const raft::Envelope& envelope) {
  const auto* heartbeat = std::get_if<raft::Heartbeat>(&envelope.message);
  return heartbeat == nullptr ? 0 : heartbeat->commit.value();
}

/// Whether those of each kind keep their order in each shard: HeartbeatOf(shard, i) and
/// AppendOf(shard, i) with an `i` that rises.
inline bool InOrder(const std::vector<raft::Envelope>& messages) {
  std::map<std::pair<ShardId, bool>, std::uint64_t> last;
  for (const raft::Envelope& envelope : messages) {
    const auto* append = std::get_if<raft::AppendEntries>(&envelope.message);
    const std::uint64_t own = append ? append->entries.at(0).index.value() : CommitOf(envelope);
    if (own <= std::exchange(last[{envelope.shard, append != nullptr}], own)) return false;
  }
  return true;
}

/// An append with one entry of `bytes`.
inline raft::Envelope AppendOf(std::uint64_t shard, std::uint64_t index, std::size_t bytes) {
  raft::Entry entry;
  entry.term = Term(3);
  entry.index = Index(index);
  entry.type = raft::EntryType::kApplication;
  entry.key = index;
  entry.client_id = 7;
  entry.command = base::Bytes::Copy(std::string(bytes, static_cast<char>('a' + index % 26)));
  return {.shard = ShardId(shard),
          .from = ReplicaId(1),
          .to = ReplicaId(2),
          .term = Term(3),
          .message = raft::AppendEntries{.previous = Index(index - 1),
                                         .previous_term = Term(3),
                                         .commit = Index(index - 1),
                                         .entries = {std::move(entry)}}};
}

/// More than any memory holds; they are not there.
inline base::Bytes BytesOfTooMuch() {
  return base::Bytes::Static({"", std::numeric_limits<std::size_t>::max() / 2});
}

inline raft::Envelope AppendOfTooMuch() {
  raft::Envelope message = AppendOf(1, 1, 0);
  std::get<raft::AppendEntries>(message.message).entries[0].command = BytesOfTooMuch();
  return message;
}

}  // namespace drumbeat::transport
