// SPDX-License-Identifier: Apache-2.0
#include "line_reader.h"

#include <array>
#include <cerrno>
#include <functional>
#include <string_view>
#include <sys/eventfd.h>
#include <utility>

#include <poll.h>
#include <unistd.h>

namespace helloworld {

LineReader::LineReader(int fd, std::stop_token stop)
    : fd_(fd), stop_(std::move(stop)), wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

LineReader::~LineReader() { ::close(wake_fd_); }

LineReader::Event LineReader::Next(std::string& line) {
  const std::stop_callback wake(stop_, [this] { ::eventfd_write(wake_fd_, 1); });
  while (!stop_.stop_requested()) {
    const std::size_t end = buffer_.find('\n', searched_);
    if (end != std::string::npos) {
      line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      searched_ = 0;
      if (line.ends_with('\r')) line.pop_back();
      return Finish(line);
    }
    // One byte more than a line may have: it may be the '\r' of its end.
    if (buffer_.size() > kMaxLineBytes + 1) {
      skipping_ = true;
      buffer_.clear();
    }
    searched_ = buffer_.size();
    if (at_end_ && (!buffer_.empty() || skipping_)) {
      line = std::exchange(buffer_, {});
      searched_ = 0;
      return Finish(line);
    }
    if (!WaitForInput()) break;
    ReadMore();
  }
  return Event::kStopped;
}

LineReader::Event LineReader::Finish(std::string& line) {
  if (std::exchange(skipping_, false) || line.size() > kMaxLineBytes) {
    line.clear();
    return Event::kTooLong;
  }
  return Event::kLine;
}

bool LineReader::WaitForInput() {
  std::array<pollfd, 2> waits{pollfd{.fd = wake_fd_, .events = POLLIN, .revents = 0},
                              // poll() passes over a negative descriptor.
                              pollfd{.fd = at_end_ ? -1 : fd_, .events = POLLIN, .revents = 0}};
  while (waits[0].revents == 0 && waits[1].revents == 0) {
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return false;
  }
  return waits[0].revents == 0;
}

void LineReader::ReadMore() {
  std::array<char, 65536> chunk{};
  const ssize_t size = ::read(fd_, chunk.data(), chunk.size());
  if (size > 0) {
    buffer_.append(chunk.data(), static_cast<std::size_t>(size));
  } else if (size == 0 || (errno != EINTR && errno != EAGAIN)) {
    at_end_ = true;
  }
}

}  // namespace helloworld
