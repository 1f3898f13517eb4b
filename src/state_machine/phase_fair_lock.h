// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

namespace drumbeat::state_machine {

/// A reader-writer lock between any number of readers and ONE writer thread, in which neither
/// side starves: a writer waits only for the readers that came before it, and a reader only for
/// the one writer phase that it met. Readers cost two atomic additions when no writer is about.
/// Who has to wait sleeps.
///
/// Thread-safety: lock_shared and unlock_shared from any threads; lock, unlock and readers_wait
/// from one thread at a time. Not recursive on either side. Works with std::shared_lock and
/// std::unique_lock.
/// Source: Brandenburg and Anderson 2010, "Spin-based reader-writer synchronization for
/// multiprocessor real-time systems" (PF-T), with one writer and sleeping instead of spinning.
class PhaseFairLock {
 public:
  PhaseFairLock() = default;
  PhaseFairLock(const PhaseFairLock&) = delete;
  PhaseFairLock& operator=(const PhaseFairLock&) = delete;

  void lock_shared();
  void unlock_shared();
  void lock();
  void unlock();

  /// With the lock held exclusively: whether readers wait for it.
  bool readers_wait() const;

 private:
  // Readers are counted in the upper bits, modulo 2^24: far more threads than a process has.
  static constexpr std::uint32_t kOneReader = 0x100;
  static constexpr std::uint32_t kReaders = ~std::uint32_t{0xff};
  // What a waiting reader looks at: whether there is a writer, and which of two phases it is in,
  // so that a writer that comes back at once is told from the one that left.
  static constexpr std::uint32_t kWriterPresent = 0x2;
  static constexpr std::uint32_t kPhase = 0x1;
  static constexpr std::uint32_t kWriter = kWriterPresent | kPhase;

  /// Readers that have come, and the writer's bits.
  std::atomic<std::uint32_t> entered_{0};
  /// Readers that have gone.
  std::atomic<std::uint32_t> left_{0};
  // The writer's own:
  std::uint32_t phase_ = 0;
  /// Readers that had come when the writer did.
  std::uint32_t before_ = 0;
};

}  // namespace drumbeat::state_machine
