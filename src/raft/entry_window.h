// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "raft/entry.h"

namespace drumbeat::raft {

/// A queue of entries that grows and shrinks at both ends without an allocation per entry.
class EntryWindow {
 public:
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  /// `position` is below size().
  const Entry& operator[](std::size_t position) const { return slots_[Slot(position)]; }
  const Entry& back() const { return (*this)[size_ - 1]; }

  void PushBack(Entry entry);
  void PopFront();
  void PopBack();
  void Clear();

 private:
  /// What an idle replica may keep allocated.
  static constexpr std::size_t kIdleSlots = 64;

  std::size_t Slot(std::size_t position) const { return (head_ + position) & (slots_.size() - 1); }
  void Grow();
  void ShrinkWhenEmpty();

  std::vector<Entry> slots_;  // a ring; its size is 0 or a power of two
  std::size_t head_ = 0;
  std::size_t size_ = 0;
};

}  // namespace drumbeat::raft
