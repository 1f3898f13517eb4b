// SPDX-License-Identifier: Apache-2.0
#include "transport/tcp_context.h"

#include <optional>

namespace drumbeat::transport {

void LogLost(const TcpContext& context, const std::exception& error) noexcept {
  try {
    context.logger.Error(std::string("an event was lost: ") + error.what());
  } catch (const std::exception&) {
    return;  // There is no memory for this either.
  }
}

void WarnOfStranger(TcpContext& context, const std::string& text) {
  const std::optional<std::uint64_t> left_out = context.stranger_lines.Allow(context.Now());
  if (!left_out) return;
  std::string line = text;
  if (*left_out > 0) line += " (" + std::to_string(*left_out) + " more lines like this left out)";
  context.logger.Warning(line);
}

}  // namespace drumbeat::transport
