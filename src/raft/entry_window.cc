// SPDX-License-Identifier: Apache-2.0
#include "raft/entry_window.h"

#include <algorithm>
#include <utility>

namespace drumbeat::raft {

void EntryWindow::PushBack(Entry entry) {
  if (size_ == slots_.size()) Grow();
  slots_[Slot(size_)] = std::move(entry);
  ++size_;
}

void EntryWindow::PopFront() {
  slots_[head_] = Entry{};
  head_ = Slot(1);
  --size_;
  ShrinkWhenEmpty();
}

void EntryWindow::PopBack() {
  slots_[Slot(size_ - 1)] = Entry{};
  --size_;
  ShrinkWhenEmpty();
}

void EntryWindow::Clear() {
  while (!empty()) PopBack();
}

void EntryWindow::Grow() {
  std::vector<Entry> larger(std::max<std::size_t>(4, slots_.size() * 2));
  for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move(slots_[Slot(i)]);
  slots_ = std::move(larger);
  head_ = 0;
}

void EntryWindow::ShrinkWhenEmpty() {
  if (empty() && slots_.size() > kIdleSlots) {
    slots_ = {};
    head_ = 0;
  }
}

}  // namespace drumbeat::raft
