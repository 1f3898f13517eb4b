// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "system/settings.h"

namespace drumbeat::system {

/// A line of output without its end (`\n`, or `\r\n` as a terminal has it), and when it was read.
struct Line {
  std::string text;
  Clock::time_point time;
};

/// What a program has written to one stream so far, line by line.
///
/// Thread-safety: all functions from any thread.
class Capture {
 public:
  using Predicate = std::function<bool(const std::string&)>;

  /// Takes the bytes that were read just now.
  void Append(std::string_view bytes);
  /// No more bytes will come. A rest without a line end becomes a line.
  void Close();

  /// How many whole lines there are: what Await() and Lines() take as `from` to see only later
  /// ones.
  std::size_t Mark() const;
  std::vector<Line> Lines(std::size_t from = 0) const;
  /// All whole lines from `from` on as one text.
  std::string Text(std::size_t from = 0) const;
  /// The last few lines as one text, for messages.
  std::string Tail() const;

  /// The first line from `from` on that `wanted` accepts; nothing when none came within `limit`, or
  /// the stream ended without.
  std::optional<Line> Await(const Predicate& wanted, std::chrono::milliseconds limit,
                            std::size_t from = 0) const;
  /// The same for a line that contains `part`.
  std::optional<Line> Await(std::string_view part, std::chrono::milliseconds limit,
                            std::size_t from = 0) const;
  /// Whether the stream ended within `limit`.
  bool AwaitClose(std::chrono::milliseconds limit) const;
  bool Contains(std::string_view part, std::size_t from = 0) const;
  /// How many lines contain `part`.
  std::size_t Count(std::string_view part, std::size_t from = 0) const;

 private:
  void Push(std::string_view text) DRUMBEAT_REQUIRES(mutex_);

  mutable base::Mutex mutex_;
  mutable base::ConditionVariable changed_;
  std::vector<Line> lines_ DRUMBEAT_GUARDED_BY(mutex_);
  std::string rest_ DRUMBEAT_GUARDED_BY(mutex_);
  bool closed_ DRUMBEAT_GUARDED_BY(mutex_) = false;
};

}  // namespace drumbeat::system
