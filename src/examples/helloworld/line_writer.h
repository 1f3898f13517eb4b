// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace helloworld {

/// Writes lines to a file descriptor from a thread of its own, so that nobody who prints ever waits
/// for who reads: each line, raw, with one write() up to 4,096 bytes.
///
/// When nobody reads, lines wait up to a limit; then the oldest give way to the newest, and once
/// somebody reads again, a line says how many are missing in this place. So it does where lines
/// could not be written (a full disk, for one). When the other end is gone, nothing is written any
/// more.
/// Thread-safety: all functions from any thread.
class LineWriter {
 public:
  /// How long the end waits for somebody to read on.
  static constexpr std::chrono::milliseconds kLastWait{300};

  /// `fd` stays open and the caller's. `max_waiting_bytes`: of lines not written yet.
  explicit LineWriter(int fd, std::size_t max_waiting_bytes = std::size_t{64} << 20);
  /// As Close().
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  /// Writes `line`, which needs no line end, soon. Never blocks.
  void Write(std::string line);

  /// The end: waits for the waiting lines while they go on to be read, and returns how many were
  /// not. What is stuck in a write() then is abandoned.
  std::size_t Close();

  /// Waits until everything is written; false when that took longer than `limit`.
  bool Flush(std::chrono::milliseconds limit);

 private:
  class Queue;
  // Shared with the writing thread, which outlives this object when it is stuck.
  std::shared_ptr<Queue> queue_;
};

}  // namespace helloworld
