// SPDX-License-Identifier: Apache-2.0
#include "line_writer.h"

#include <cerrno>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include <poll.h>
#include <unistd.h>

namespace helloworld {
namespace {

// False when nothing can be written any more: closed, or an end of a pipe that nobody holds.
bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      // Somebody else made this descriptor non-blocking.
      pollfd writable{.fd = fd, .events = POLLOUT, .revents = 0};
      ::poll(&writable, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

class LineWriter::Queue {
 public:
  Queue(int fd, std::size_t max_bytes) : fd_(fd), max_bytes_(max_bytes) {}

  void Push(std::string line) {
    line += '\n';
    std::lock_guard lock(mutex_);
    if (closed_) return;
    bytes_ += line.size();
    lines_.push_back(std::move(line));
    while (bytes_ > max_bytes_ && lines_.size() > 1) {
      bytes_ -= lines_.front().size();
      lines_.pop_front();
      ++dropped_;
    }
    changed_.notify_all();
  }

  bool WaitUntilWritten(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [this] { return closed_ || (lines_.empty() && !busy_); });
  }

  // Run() returns after the line that it is at.
  void Close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    lines_.clear();
    changed_.notify_all();
  }

  void Run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return closed_ || !lines_.empty(); });
      if (closed_) return;
      const std::string line = TakeNext();
      busy_ = true;
      lock.unlock();
      const bool written = WriteAll(fd_, line);
      lock.lock();
      busy_ = false;
      if (!written) {
        closed_ = true;
        lines_.clear();
      }
      changed_.notify_all();
    }
  }

 private:
  // With mutex_ held and lines_ not empty.
  std::string TakeNext() {
    if (dropped_ > 0) {
      const std::uint64_t missing = std::exchange(dropped_, 0);
      return "(" + std::to_string(missing) + " lines are missing here: nobody read them in time)\n";
    }
    std::string line = std::move(lines_.front());
    lines_.pop_front();
    bytes_ -= line.size();
    return line;
  }

  const int fd_;
  const std::size_t max_bytes_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> lines_;
  std::size_t bytes_ = 0;      // of lines_
  std::uint64_t dropped_ = 0;  // before lines_.front(), not yet told
  bool busy_ = false;          // Run() is writing a line
  bool closed_ = false;
};

LineWriter::LineWriter(int fd, std::size_t max_waiting_bytes)
    : queue_(std::make_shared<Queue>(fd, max_waiting_bytes)) {
  std::thread([queue = queue_] { queue->Run(); }).detach();
}

LineWriter::~LineWriter() {
  Flush(kLastWait);
  queue_->Close();
}

void LineWriter::Write(std::string line) { queue_->Push(std::move(line)); }

bool LineWriter::Flush(std::chrono::milliseconds limit) { return queue_->WaitUntilWritten(limit); }

}  // namespace helloworld
