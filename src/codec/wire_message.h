// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "raft/message.h"

namespace drumbeat::codec {

/// Dragonboat's numbers for the messages that may travel.
enum class WireMessageType : std::uint8_t {
  kNoOp = 4,
  kPropose = 7,
  kReplicate = 12,
  kReplicateResp = 13,
  kRequestVote = 14,
  kRequestVoteResp = 15,
  kHeartbeat = 17,
  kHeartbeatResp = 18,
  kReadIndex = 19,
  kReadIndexResp = 20,
  kQuiesce = 21,
  kSnapshotReceived = 22,
  kLeaderTransfer = 23,
  kTimeoutNow = 24,
  kRateLimit = 25,
  kRequestPreVote = 26,
  kRequestPreVoteResp = 27,
};

/// A message as it travels: one record for all kinds, whose fields change meaning with the type.
struct WireMessage {
  std::uint64_t type = 0;
  std::uint64_t to = 0;
  std::uint64_t from = 0;
  std::uint64_t shard = 0;
  std::uint64_t term = 0;
  std::uint64_t log_term = 0;
  std::uint64_t log_index = 0;
  std::uint64_t commit = 0;
  bool reject = false;
  std::uint64_t hint = 0;
  std::uint64_t hint_high = 0;
};

/// The entries that `message` carries, or null.
const std::vector<raft::Entry>* EntriesOf(const raft::Message& message);

/// Everything but the entries. Checks that the message is none of those that end a Dragonboat
/// process: our own core makes no such message.
WireMessage ToWire(const raft::Envelope& envelope);

/// The message that `wire` and `entries` stand for; nothing when such a message has no business on
/// the wire (see MessageBatch::refused).
std::optional<raft::Envelope> FromWire(const WireMessage& wire, std::vector<raft::Entry> entries);

}  // namespace drumbeat::codec
