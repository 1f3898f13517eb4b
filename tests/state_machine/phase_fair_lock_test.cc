// SPDX-License-Identifier: Apache-2.0
#include "state_machine/phase_fair_lock.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace drumbeat::state_machine {
namespace {

TEST(PhaseFairLockTest, WritersAreAloneAndReadersSeeWholeWrites) {
  PhaseFairLock lock;
  std::array<std::uint64_t, 4> words{};  // equal except inside a write
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> torn{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!done.load()) {
        std::shared_lock held(lock);
        for (const std::uint64_t word : words) torn += word != words[0] ? 1 : 0;
      }
    });
  }
  for (std::uint64_t round = 1; round <= 5000; ++round) {
    std::unique_lock held(lock);
    for (std::uint64_t& word : words) word = round;
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(torn.load(), 0u);
}

// Readers that overlap without a gap would keep a reader-preferring lock shared for ever.
TEST(PhaseFairLockTest, AStreamOfReadersDoesNotStarveTheWriter) {
  PhaseFairLock lock;
  std::atomic<bool> written{false};
  std::atomic<int> turn{0};
  std::atomic<int> handovers{0};
  std::vector<std::thread> readers;
  for (int me = 0; me < 2; ++me) {
    readers.emplace_back([&, me] {
      // Each holds the lock until the other has it too, as long as no writer came between.
      while (!written.load()) {
        std::shared_lock held(lock);
        if (turn.exchange(me) != me) ++handovers;
        for (int spins = 0; spins < 2000 && turn.load() == me && !written.load(); ++spins) {
          std::this_thread::yield();
        }
      }
    });
  }
  while (handovers.load() < 100) std::this_thread::yield();
  const int before = handovers.load();
  lock.lock();
  // Hardly any, were it not for the moment in which this thread may lose its processor.
  EXPECT_LT(handovers.load() - before, 5000);
  written = true;
  lock.unlock();
  for (std::thread& reader : readers) reader.join();
}

TEST(PhaseFairLockTest, AWriterThatComesBackAtOnceDoesNotStarveReaders) {
  PhaseFairLock lock;
  std::atomic<bool> read{false};
  lock.lock();
  std::thread reader([&] {
    std::shared_lock held(lock);
    read = true;
  });
  while (!lock.readers_wait()) std::this_thread::yield();
  EXPECT_FALSE(read.load());
  lock.unlock();
  lock.lock();  // behind the reader that was waiting
  EXPECT_TRUE(read.load());
  EXPECT_FALSE(lock.readers_wait());
  lock.unlock();
  reader.join();
}

}  // namespace
}  // namespace drumbeat::state_machine
