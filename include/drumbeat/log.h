// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace drumbeat {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError, kCritical, kOff };

/// Where a node host's log lines go. The default writes to stderr in the form
/// `2017-09-09 00:02:08.873755 I | transport: text` (local time).
///
/// Thread-safety: called from any thread of the node host, possibly at once.
/// Must neither block for long nor throw nor call the node host; a sink that blocks holds up what
/// it logs for.
class LogSink {
 public:
  virtual ~LogSink() = default;

  /// `component`: the part that speaks, such as "transport". `text`: one line, control characters
  /// escaped, never a payload or a secret.
  virtual void Write(LogLevel level, std::string_view component, std::string_view text) = 0;
};

}  // namespace drumbeat
