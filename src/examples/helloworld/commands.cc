// SPDX-License-Identifier: Apache-2.0
#include "commands.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <vector>

namespace helloworld {
namespace {

std::vector<std::string_view> SplitAtBlanks(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t blank = line.find(' ');
    words.push_back(line.substr(0, blank));
    if (blank == std::string_view::npos) return words;
    line.remove_prefix(blank + 1);
  }
}

std::optional<Command> ParseAdd(const std::vector<std::string_view>& words) {
  if (words.size() != 3 || !IsWordInAnyCase(words[0], "add") || words[1].empty()) return {};
  const std::optional<std::uint64_t> id = ParseDecimal(words[2]);
  if (!id) return {};
  return Add{.address = std::string(words[1]), .replica = drumbeat::ReplicaId(*id)};
}

std::optional<Command> ParseRemove(const std::vector<std::string_view>& words) {
  if (words.size() != 2 || !IsWordInAnyCase(words[0], "remove")) return {};
  const std::optional<std::uint64_t> id = ParseDecimal(words[1]);
  if (!id) return {};
  return Remove{.replica = drumbeat::ReplicaId(*id)};
}

}  // namespace

Command ParseCommand(std::string_view line) {
  if (line == "exit") return Exit{};
  const std::vector<std::string_view> words = SplitAtBlanks(line);
  if (auto add = ParseAdd(words)) return *add;
  if (auto remove = ParseRemove(words)) return *remove;
  return Message{.text = std::string(line)};
}

bool IsWordInAnyCase(std::string_view text, std::string_view lower_case_word) {
  return std::ranges::equal(text, lower_case_word, [](char c, char lower) {
    return (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) == lower;
  });
}

std::optional<std::uint64_t> ParseDecimal(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  // from_chars for an unsigned number takes digits only: no sign, no blank, no prefix.
  const auto [stopped, error] = std::from_chars(text.data(), end, value, 10);
  if (error != std::errc() || stopped != end) return {};
  return value;
}

}  // namespace helloworld
