// SPDX-License-Identifier: Apache-2.0
#include "transport/send_queue.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "codec/message_batch.h"

namespace drumbeat::transport {

void SendQueue::Push(raft::Envelope message, Time now) {
  const std::size_t bytes = codec::EncodedMessageSize(message);
  if (limits_.max_messages == 0) {
    ++dropped_;
    return;
  }
  while (!HasRoomFor(bytes)) DropFront();
  messages_.push_back({.envelope = std::move(message), .bytes = bytes, .queued_at = now});
  bytes_ += bytes;
  if (IsLarge(bytes)) large_bytes_ = bytes;
}

bool SendQueue::HasRoomFor(std::size_t bytes) const {
  if (size() >= limits_.max_messages) return false;
  if (IsLarge(bytes)) return large_bytes_ == 0;
  return bytes_ - large_bytes_ + bytes <= limits_.max_bytes;
}

void SendQueue::Expire(Time oldest) {
  while (!empty() && front().queued_at < oldest) DropFront();
}

std::size_t SendQueue::TakeBatch(std::size_t max_bytes, std::vector<QueuedMessage>& batch) {
  if (first_ == 0 && bytes_ <= max_bytes && batch.empty()) {
    messages_.swap(batch);
    large_bytes_ = 0;
    return std::exchange(bytes_, 0);
  }
  std::size_t end = first_;
  std::size_t taken = 0;
  const auto fits = [&](std::size_t bytes) {
    return taken + bytes <= max_bytes || (taken == 0 && batch.empty());
  };
  while (end < messages_.size() && fits(messages_[end].bytes)) taken += messages_[end++].bytes;
  // All that can throw comes before anything is taken.
  batch.reserve(batch.size() + (end - first_));
  while (first_ < end) {
    if (IsLarge(front().bytes)) large_bytes_ = 0;
    batch.push_back(std::move(messages_[first_++]));
  }
  bytes_ -= taken;
  ForgetTaken();
  return taken;
}

void SendQueue::DropFront() {
  if (IsLarge(front().bytes)) large_bytes_ = 0;
  bytes_ -= front().bytes;
  messages_[first_] = {};
  ++first_;
  ++dropped_;
  ForgetTaken();
}

void SendQueue::ForgetTaken() {
  // Half of them: each message is moved down at most once on average.
  if (first_ * 2 < messages_.size()) return;
  messages_.erase(messages_.begin(),
                  std::next(messages_.begin(), static_cast<std::ptrdiff_t>(first_)));
  first_ = 0;
}

}  // namespace drumbeat::transport
