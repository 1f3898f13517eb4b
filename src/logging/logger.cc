// SPDX-License-Identifier: Apache-2.0
#include "logging/logger.h"

#include <utility>

#include <spdlog/fmt/fmt.h>

namespace drumbeat::logging {

Logger::Logger(std::shared_ptr<LogSink> sink, LogLevel level, std::string component)
    : sink_(std::move(sink)), level_(level), component_(std::move(component)) {}

Logger Logger::For(std::string component) const {
  return Logger(sink_, level_, std::move(component));
}

void Logger::Write(LogLevel level, std::string_view text) const {
  if (!Enabled(level) || sink_ == nullptr) return;
  try {
    sink_->Write(level, component_, Escape(text));
  } catch (...) {
    // There is nobody left to tell, and no line is worth the process.
  }
}

std::string Name(const ReplicaRef& replica) { return Name(replica.shard, replica.replica); }

std::string Name(ShardId shard, ReplicaId replica) {
  return fmt::format("[{:05}:{:05}]", shard.value(), replica.value());
}

std::string Escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out.push_back(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      out += fmt::format("\\x{:02x}", byte);
    }
  }
  return out;
}

}  // namespace drumbeat::logging
