// SPDX-License-Identifier: Apache-2.0
#include "raft/inflight.h"

namespace drumbeat::raft {

void Inflight::Add(Index last, std::uint64_t bytes) {
  if (head_ > 0 && items_.size() == items_.capacity()) {
    items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  items_.push_back({.last = last, .bytes = bytes});
  bytes_ += bytes;
}

void Inflight::FreeTo(Index index) {
  while (head_ < items_.size() && items_[head_].last <= index) bytes_ -= items_[head_++].bytes;
  if (head_ == items_.size()) Clear();
}

void Inflight::Clear() {
  items_.clear();
  head_ = 0;
  bytes_ = 0;
}

}  // namespace drumbeat::raft
