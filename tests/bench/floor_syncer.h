// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "bench/floor_log.h"
#include "bench/system.h"

namespace drumbeat::bench {

/// Writes and syncs the floor's own log on a thread, so that the leader goes on meanwhile; what
/// came during one sync goes into the next.
class FloorSyncer {
 public:
  explicit FloorSyncer(const std::filesystem::path& path);
  ~FloorSyncer();

  void Append(std::string_view bytes, std::uint64_t last_index);
  /// Index of the last entry that is safe.
  std::uint64_t durable() const { return durable_.load(std::memory_order_acquire); }
  /// Becomes readable when durable() has moved.
  int event() const { return event_.get(); }
  void ClearEvent();

 private:
  void Run();

  FloorLog log_;
  Fd event_;
  std::atomic<std::uint64_t> durable_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string pending_;
  std::uint64_t pending_index_ = 0;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace drumbeat::bench
