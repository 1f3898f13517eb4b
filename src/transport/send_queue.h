// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "raft/message.h"
#include "transport/time.h"

namespace drumbeat::transport {

struct QueuedMessage {
  raft::Envelope envelope;
  /// Encoded, with tag and length.
  std::size_t bytes = 0;
  Time queued_at;
};

struct QueueLimits {
  std::size_t max_bytes = 256u << 20;
  std::size_t max_messages = 16384;
};

/// Messages for one address in the order in which they came, bounded in bytes and number. One may
/// be larger than the bytes allow and then waits besides: Raft would send it again for ever.
///
/// When it is full the oldest go: Raft repairs any gap, and of a heartbeat, a vote or a log tail
/// only the latest is worth having.
class SendQueue {
 public:
  explicit SendQueue(const QueueLimits& limits) : limits_(limits) {}

  bool empty() const { return first_ == messages_.size(); }
  std::size_t size() const { return messages_.size() - first_; }
  std::size_t bytes() const { return bytes_; }
  /// The oldest; only when it is not empty.
  const QueuedMessage& front() const { return messages_[first_]; }
  /// Messages dropped so far, for room or for age.
  std::uint64_t dropped() const { return dropped_; }

  void Push(raft::Envelope message, Time now);
  /// Drops what was queued before `oldest`.
  void Expire(Time oldest);
  /// Moves messages from the front behind what is in `batch`, as many as stay within `max_bytes`;
  /// if it is empty, one at least. Returns their bytes.
  std::size_t TakeBatch(std::size_t max_bytes, std::vector<QueuedMessage>& batch);

 private:
  bool IsLarge(std::size_t bytes) const { return bytes > limits_.max_bytes; }
  bool HasRoomFor(std::size_t bytes) const;
  void DropFront();
  void ForgetTaken();

  const QueueLimits limits_;
  /// Those before `first_` are gone already.
  std::vector<QueuedMessage> messages_;
  std::size_t first_ = 0;
  std::size_t bytes_ = 0;
  /// Of the one that is over the limit all by itself; 0: none is.
  std::size_t large_bytes_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace drumbeat::transport
