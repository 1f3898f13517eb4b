// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <exception>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include <poll.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include "base/mutex.h"
#include "base/thread.h"
#include "logging/logger.h"

namespace drumbeat::logging {
namespace {

constexpr std::size_t kQueuedLines = 4096;
constexpr std::size_t kMaxTextBytes = 8192;
// How long the end of a sink waits for its last lines to be written.
constexpr std::chrono::milliseconds kDrainLimit{250};

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarning: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
    case LogLevel::kCritical: return spdlog::level::critical;
    case LogLevel::kOff: break;
  }
  return spdlog::level::off;
}

// One write() a line. Unlike stdio it holds no lock of the process while stderr is not read, so
// that the program itself can still end.
class StderrWriter final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  // `pool`: the one whose thread calls this sink, to ask what it had to drop.
  void Watch(spdlog::details::thread_pool* pool) { pool_ = pool; }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    WriteLine(message);
    const std::size_t dropped = pool_->overrun_counter();
    if (dropped == reported_) return;
    const std::string note =
        std::to_string(dropped - reported_) + " lines were dropped, stderr was not read in time";
    reported_ = dropped;
    WriteLine(spdlog::details::log_msg("logging", spdlog::level::warn, note));
  }
  void flush_() override {}

 private:
  void WriteLine(const spdlog::details::log_msg& message) {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    std::string_view rest(line.data(), line.size());
    while (!rest.empty()) {
      const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0 && errno == EAGAIN) {
        // Somebody else made it non-blocking.
        pollfd writable{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
        ::poll(&writable, 1, -1);
        continue;
      }
      if (written <= 0) return;  // A log that cannot be written is nobody's failure.
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  spdlog::details::thread_pool* pool_ = nullptr;
  std::size_t reported_ = 0;
};

// Says when everything that was queued before it has been written.
class Marker final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  std::future<void> reached() { return reached_.get_future(); }

 protected:
  void sink_it_(const spdlog::details::log_msg&) override { reached_.set_value(); }
  void flush_() override {}

 private:
  std::promise<void> reached_;
};

// The writing thread handles no signals; a write to a stderr that was closed is an error, not a
// SIGPIPE for the process.
void BlockSignals() {
  const sigset_t signals = base::SignalsOfTheProgram();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

// spdlog's side: the loggers, by component, and the thread that writes for them.
class Backend {
 public:
  Backend()
      : writer_(std::make_shared<StderrWriter>()),
        pool_(std::make_shared<spdlog::details::thread_pool>(kQueuedLines, 1, BlockSignals)) {
    writer_->Watch(pool_.get());
    writer_->set_pattern("%Y-%m-%d %H:%M:%S.%f %L | %n: %v");
  }
  // Joins the thread, which may be stuck in a write to a stderr that nobody reads. Members are
  // destroyed from the last one on: loggers outlive the thread that uses them.
  ~Backend() = default;

  void Write(LogLevel level, std::string_view component, std::string_view text) {
    LoggerOf(component)->log(ToSpdlog(level), spdlog::string_view_t(text.data(), text.size()));
  }

  // Whether everything was written within `limit`. Call it once, last.
  bool Drain(std::chrono::milliseconds limit) {
    const auto marker = std::make_shared<Marker>();
    const std::future<void> reached = marker->reached();
    marker_logger_ = MakeLogger("", marker);
    marker_logger_->log(spdlog::level::info, "");
    return reached.wait_for(limit) == std::future_status::ready;
  }

 private:
  using LoggerPtr = std::shared_ptr<spdlog::async_logger>;

  LoggerPtr LoggerOf(std::string_view component) {
    const base::MutexLock lock(mutex_);
    auto found = loggers_.find(component);
    if (found == loggers_.end()) {
      std::string name(component);
      auto logger = MakeLogger(name, writer_);
      found = loggers_.emplace(std::move(name), std::move(logger)).first;
    }
    return found->second;
  }

  LoggerPtr MakeLogger(std::string name, spdlog::sink_ptr sink) {
    auto logger = std::make_shared<spdlog::async_logger>(
        std::move(name), std::move(sink), pool_, spdlog::async_overflow_policy::overrun_oldest);
    logger->set_level(spdlog::level::trace);
    return logger;
  }

  base::Mutex mutex_;
  std::map<std::string, LoggerPtr, std::less<>> loggers_ DRUMBEAT_GUARDED_BY(mutex_);
  LoggerPtr marker_logger_;
  const std::shared_ptr<StderrWriter> writer_;
  const std::shared_ptr<spdlog::details::thread_pool> pool_;
};

class StderrSink final : public LogSink {
 public:
  // A backend that is stuck is left to a thread that may wait for as long.
  ~StderrSink() override {
    if (backend_->Drain(kDrainLimit)) return;
    try {
      std::thread([backend = std::move(backend_)] {}).detach();
    } catch (const std::system_error&) {
      // No thread to be had: the backend went with the lambda, after all waiting was done.
    }
  }

  void Write(LogLevel level, std::string_view component, std::string_view text) override {
    backend_->Write(level, component, text.substr(0, kMaxTextBytes));
  }

 private:
  std::unique_ptr<Backend> backend_ = std::make_unique<Backend>();
};

}  // namespace

std::shared_ptr<LogSink> MakeStderrSink() {
  try {
    return std::make_shared<StderrSink>();
  } catch (const std::exception&) {
    return nullptr;
  }
}

}  // namespace drumbeat::logging
