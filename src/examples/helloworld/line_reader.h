// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string>

namespace helloworld {

/// Reads the lines that are typed, or piped in.
///
/// A line ends with `\n` or `\r\n`; the end is not part of it, all other bytes are. What follows
/// the last line end at the end of the input is a line, too, unless it is empty.
/// Thread-safety: one thread; the stop may be requested by any.
class LineReader {
 public:
  static constexpr std::size_t kMaxLineBytes = std::size_t{1} << 20;

  enum class Event : std::uint8_t {
    kLine,     ///< `line` is the next line.
    kTooLong,  ///< A line of more than kMaxLineBytes was skipped.
    kStopped,  ///< The stop was requested.
  };

  /// `fd` stays open and the caller's.
  LineReader(int fd, std::stop_token stop);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  /// Blocks until there is something to tell. The end of the input is not an event of its own: the
  /// program goes on serving until it is stopped.
  Event Next(std::string& line);

 private:
  /// Waits for input or the stop; false at the stop.
  bool WaitForInput();
  /// Reads once; at the end of the input, and when it cannot be read, closes it.
  void ReadMore();
  Event Finish(std::string& line);

  const int fd_;
  const std::stop_token stop_;
  const int wake_fd_;         // becomes readable at the stop
  std::string buffer_;        // read and not handed out yet
  std::size_t searched_ = 0;  // no line end before this place in buffer_
  bool skipping_ = false;     // the rest of a line that is too long
  bool at_end_ = false;
};

}  // namespace helloworld
