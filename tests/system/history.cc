// SPDX-License-Identifier: Apache-2.0
#include "system/history.h"

#include <charconv>

namespace drumbeat::system {
namespace {

std::optional<std::uint64_t> ParseNumber(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::optional<Update> ParseUpdate(std::string_view line) {
  constexpr std::string_view kPrefix = "from Update() : msg: ";
  constexpr std::string_view kCount = ", count:";
  if (!line.starts_with(kPrefix)) return std::nullopt;
  line.remove_prefix(kPrefix.size());
  // A message may say ", count:" itself.
  const std::size_t at = line.rfind(kCount);
  if (at == std::string_view::npos) return std::nullopt;
  const auto count = ParseNumber(line.substr(at + kCount.size()));
  if (!count) return std::nullopt;
  return Update{.message = std::string(line.substr(0, at)), .count = *count};
}

void History::Add(const Run& run) {
  const std::string name = "replica " + std::to_string(run.replica) + ": ";
  std::uint64_t last = 0;
  std::size_t jumps = 0;
  for (const Update& update : run.updates) {
    const std::string what = "'" + update.message + "', count " + std::to_string(update.count);
    if (update.count <= last) {
      problems_.push_back(name + what + " came after count " + std::to_string(last));
    } else if (update.count > last + 1 && ++jumps > run.recoveries) {
      problems_.push_back(name + what + " came after count " + std::to_string(last) +
                          ", and no snapshot explains it");
    }
    last = update.count;
    const auto [message, first] = messages_.emplace(update.count, update.message);
    if (!first && message->second != update.message) {
      problems_.push_back(name + what + ", which is '" + message->second + "' elsewhere");
    }
    const auto [count, fresh] = counts_.emplace(update.message, update.count);
    if (!fresh && count->second != update.count) {
      problems_.push_back(name + what + ", which has count " + std::to_string(count->second) +
                          " elsewhere");
    }
  }
}

std::uint64_t History::CountOf(const std::string& message) const {
  const auto found = counts_.find(message);
  return found != counts_.end() ? found->second : 0;
}

std::vector<std::string> History::Disorder(std::string_view prefix) const {
  std::vector<std::string> problems;
  std::uint64_t last = 0;
  for (const auto& [count, message] : messages_) {
    if (!message.starts_with(prefix)) continue;
    const auto number = ParseNumber(std::string_view(message).substr(prefix.size()));
    if (!number) continue;
    if (*number <= last) {
      problems.push_back("'" + message + "', count " + std::to_string(count) + " came after " +
                         std::to_string(last));
    }
    last = *number;
  }
  return problems;
}

}  // namespace drumbeat::system
