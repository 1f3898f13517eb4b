// SPDX-License-Identifier: Apache-2.0
#include "bench/floor_syncer.h"

#include <sys/eventfd.h>
#include <utility>

#include <unistd.h>

namespace drumbeat::bench {

FloorSyncer::FloorSyncer(const std::filesystem::path& path)
    : log_(path), event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), thread_([this] { Run(); }) {}

FloorSyncer::~FloorSyncer() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void FloorSyncer::Append(std::string_view bytes, std::uint64_t last_index) {
  {
    std::lock_guard lock(mutex_);
    pending_ += bytes;
    pending_index_ = last_index;
  }
  changed_.notify_one();
}

void FloorSyncer::ClearEvent() {
  std::uint64_t count = 0;
  std::ignore = read(event_.get(), &count, sizeof count);
}

void FloorSyncer::Run() {
  std::string mine;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stop_ || !pending_.empty(); });
    if (pending_.empty()) return;
    mine.swap(pending_);
    pending_.clear();
    const std::uint64_t index = pending_index_;
    lock.unlock();
    log_.Append(mine);
    log_.Sync();
    durable_.store(index, std::memory_order_release);
    const std::uint64_t one = 1;
    std::ignore = write(event_.get(), &one, sizeof one);
    lock.lock();
  }
}

}  // namespace drumbeat::bench
