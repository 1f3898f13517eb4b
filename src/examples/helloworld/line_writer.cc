// SPDX-License-Identifier: Apache-2.0
#include "line_writer.h"

#include <algorithm>
#include <atomic>
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

enum class Outcome { kWritten, kFailed, kGone };

/// Written at once, so that who reads a long line slowly is seen to read.
constexpr std::size_t kPiece = 4096;

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

  // Run() returns after the line that it is at. Returns how many lines were not written.
  std::size_t Close() {
    std::lock_guard lock(mutex_);
    const std::size_t under_way = telling_ > 0 ? telling_ : busy_ ? 1 : 0;
    const std::size_t left = closed_ ? 0 : under_way + dropped_ + lines_.size();
    closed_ = true;
    lines_.clear();
    changed_.notify_all();
    return left;
  }

  // Of all lines so far, also of those that are not yet whole.
  std::uint64_t written_bytes() const { return written_bytes_; }

  void Run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return closed_ || !lines_.empty(); });
      if (closed_) return;
      // What is missing is told before the next line, and that is lost as well if it cannot be.
      telling_ = std::exchange(dropped_, 0);
      const std::string text = telling_ > 0 ? NoteOf(telling_) : TakeFirst();
      busy_ = true;
      lock.unlock();
      const Outcome outcome = WriteAll(text);
      lock.lock();
      busy_ = false;
      if (outcome == Outcome::kGone) {
        closed_ = true;
        lines_.clear();
      } else if (outcome == Outcome::kFailed) {
        if (telling_ > 0 && !lines_.empty()) TakeFirst();
        dropped_ += telling_ + 1;
      }
      telling_ = 0;
      failed_ = outcome == Outcome::kFailed;
      changed_.notify_all();
    }
  }

 private:
  Outcome WriteAll(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), std::min(bytes.size(), kPiece));
      if (written >= 0) {
        bytes.remove_prefix(static_cast<std::size_t>(written));
        written_bytes_ += static_cast<std::uint64_t>(written);
        in_line_ = !bytes.empty();
      } else if (errno == EAGAIN) {
        // Somebody else made this descriptor non-blocking.
        pollfd writable{.fd = fd_, .events = POLLOUT, .revents = 0};
        ::poll(&writable, 1, -1);
      } else if (errno == EPIPE || errno == EBADF) {
        return Outcome::kGone;
      } else if (errno != EINTR) {
        return Outcome::kFailed;
      }
    }
    return Outcome::kWritten;
  }

  std::string NoteOf(std::uint64_t missing) const {
    return (in_line_ ? "\n(" : "(") + std::to_string(missing) + " lines are missing here: " +
           (failed_ ? "they could not be written" : "nobody read them in time") + ")\n";
  }

  // With mutex_ held and lines_ not empty.
  std::string TakeFirst() {
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
  std::uint64_t telling_ = 0;  // so many, by what Run() is writing
  bool busy_ = false;          // Run() is writing a line
  bool closed_ = false;

  // Of Run()'s thread: the newest write failed, or left a line without its end.
  bool failed_ = false;
  bool in_line_ = false;
  std::atomic<std::uint64_t> written_bytes_ = 0;
};

LineWriter::LineWriter(int fd, std::size_t max_waiting_bytes)
    : queue_(std::make_shared<Queue>(fd, max_waiting_bytes)) {
  std::thread([queue = queue_] { queue->Run(); }).detach();
}

LineWriter::~LineWriter() { Close(); }

std::size_t LineWriter::Close() {
  std::uint64_t before = 0;
  do {
    before = queue_->written_bytes();
  } while (!Flush(kLastWait) && queue_->written_bytes() != before);
  return queue_->Close();
}

void LineWriter::Write(std::string line) { queue_->Push(std::move(line)); }

bool LineWriter::Flush(std::chrono::milliseconds limit) { return queue_->WaitUntilWritten(limit); }

}  // namespace helloworld
