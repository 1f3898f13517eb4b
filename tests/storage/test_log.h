// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "logging/logger.h"

namespace drumbeat::storage {

/// Collects log lines.
class TestSink : public LogSink {
 public:
  void Write(LogLevel, std::string_view, std::string_view text) override {
    const std::lock_guard lock(mutex_);
    text_.append(text).append("\n");
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

inline logging::Logger TestLogger(const std::shared_ptr<TestSink>& sink) {
  return logging::Logger(sink, LogLevel::kInfo, "storage");
}
inline logging::Logger NoLogger() { return logging::Logger(nullptr, LogLevel::kOff, "storage"); }

}  // namespace drumbeat::storage
