// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "drumbeat/event_listener.h"
#include "drumbeat/log.h"

namespace drumbeat::logging {

/// Speaks for one component of one node host ("transport", "raft", ...). Cheap to copy.
/// Thread-safety: all functions from any thread.
class Logger {
 public:
  Logger(std::shared_ptr<LogSink> sink, LogLevel level, std::string component);

  /// The same sink and level for another component.
  Logger For(std::string component) const;

  bool Enabled(LogLevel level) const { return level >= level_; }
  /// Control characters in `text` are escaped. What the sink throws is dropped.
  void Write(LogLevel level, std::string_view text) const;
  void Debug(std::string_view text) const { Write(LogLevel::kDebug, text); }
  void Info(std::string_view text) const { Write(LogLevel::kInfo, text); }
  void Warning(std::string_view text) const { Write(LogLevel::kWarning, text); }
  void Error(std::string_view text) const { Write(LogLevel::kError, text); }

 private:
  std::shared_ptr<LogSink> sink_;
  LogLevel level_;
  std::string component_;
};

/// A sink on stderr through spdlog. It never blocks its callers: lines go through a bounded queue
/// to a thread of spdlog's, and the oldest are dropped (and counted) when stderr is not read. Its
/// destructor waits for the last lines, for a quarter of a second at most. Null when no thread can
/// be started; a Logger without a sink says nothing.
std::shared_ptr<LogSink> MakeStderrSink();

/// `[00128:00002]`: shard and replica, five digits at least.
std::string Name(const ReplicaRef& replica);
std::string Name(ShardId shard, ReplicaId replica);

/// Control characters as `\n`, `\t`, `\xNN`.
std::string Escape(std::string_view text);

}  // namespace drumbeat::logging
