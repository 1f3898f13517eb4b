// SPDX-License-Identifier: Apache-2.0
#include "state_machine/phase_fair_lock.h"

namespace drumbeat::state_machine {

void PhaseFairLock::lock_shared() {
  std::uint32_t seen = entered_.fetch_add(kOneReader, std::memory_order_acquire);
  const std::uint32_t writer = seen & kWriter;
  if (writer == 0) return;
  seen += kOneReader;
  while ((seen & kWriter) == writer) {
    entered_.wait(seen, std::memory_order_acquire);
    seen = entered_.load(std::memory_order_acquire);
  }
}

void PhaseFairLock::unlock_shared() {
  // Both this pair and the writer's (set the bits, look at left_) are in one total order: either
  // the writer sees that this reader left, or this reader sees that a writer waits.
  left_.fetch_add(kOneReader, std::memory_order_seq_cst);
  if ((entered_.load(std::memory_order_seq_cst) & kWriterPresent) != 0) left_.notify_one();
}

void PhaseFairLock::lock() {
  const std::uint32_t bits = kWriterPresent | phase_;
  phase_ ^= kPhase;
  before_ = entered_.fetch_add(bits, std::memory_order_seq_cst) & kReaders;
  std::uint32_t gone = left_.load(std::memory_order_seq_cst);
  while (gone != before_) {
    left_.wait(gone, std::memory_order_acquire);
    gone = left_.load(std::memory_order_seq_cst);
  }
}

void PhaseFairLock::unlock() {
  const std::uint32_t seen = entered_.fetch_and(~kWriter, std::memory_order_release);
  if ((seen & kReaders) != before_) entered_.notify_all();
}

bool PhaseFairLock::readers_wait() const {
  return (entered_.load(std::memory_order_relaxed) & kReaders) != before_;
}

}  // namespace drumbeat::state_machine
