// SPDX-License-Identifier: Apache-2.0
#include "raft/script.h"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <gtest/gtest.h>

namespace drumbeat::raft::testing {
namespace {

constexpr std::string_view kRule = "----";

/// What stands in the file: comments, a command, what it should print.
struct Paragraph {
  std::string comments;  // with empty lines, as they are
  std::string command;   // empty: only comments, at the end of the file
  std::string expected;
  std::size_t line = 0;
};

bool IsComment(std::string_view line) { return line.empty() || line.front() == '#'; }

std::vector<Paragraph> ParseScript(std::istream& in) {
  std::vector<Paragraph> paragraphs(1);
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    Paragraph& now = paragraphs.back();
    if (now.command.empty()) {
      if (IsComment(line)) {
        now.comments += line + "\n";
        continue;
      }
      now.command = line;
      now.line = number;
      ++number;
      if (!std::getline(in, line) || line != kRule) {
        throw std::runtime_error("line " + std::to_string(number) + ": expected ----");
      }
    } else if (line.empty()) {
      paragraphs.emplace_back();
    } else {
      now.expected += line + "\n";
    }
  }
  return paragraphs;
}

std::string Print(const std::vector<Paragraph>& paragraphs) {
  std::string text;
  for (const Paragraph& paragraph : paragraphs) {
    text += paragraph.comments;
    if (paragraph.command.empty()) continue;
    text += paragraph.command + "\n" + std::string(kRule) + "\n" + paragraph.expected + "\n";
  }
  while (text.ends_with("\n\n")) text.pop_back();
  return text;
}

std::string RunOne(const ScriptHandler& handler, const std::string& command) {
  try {
    return handler(ParseCommand(command));
  } catch (const std::exception& error) {
    return "error: " + std::string(error.what()) + "\n";
  }
}

}  // namespace

bool ScriptCommand::Has(std::string_view word) const {
  return std::ranges::find(words, word) != words.end();
}

std::string ScriptCommand::Option(const std::string& key, const std::string& otherwise) const {
  const auto found = options.find(key);
  return found == options.end() ? otherwise : found->second;
}

std::uint64_t ScriptCommand::Number(const std::string& key, std::uint64_t otherwise) const {
  const std::string text = Option(key);
  return text.empty() ? otherwise : std::stoull(text);
}

ScriptCommand ParseCommand(std::string_view line) {
  ScriptCommand command;
  std::istringstream in{std::string(line)};
  in >> command.name;
  for (std::string word; in >> word;) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) {
      command.words.push_back(word);
    } else {
      command.options[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  return command;
}

std::vector<std::string> SplitText(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in{std::string(text)};
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  return parts;
}

std::vector<std::uint64_t> Numbers(std::string_view text) {
  std::vector<std::uint64_t> numbers;
  for (const std::string& part : SplitText(text, ',')) {
    const std::size_t dash = part.find('-');
    const std::uint64_t first = std::stoull(part);
    const std::uint64_t last =
        dash == std::string::npos ? first : std::stoull(part.substr(dash + 1));
    for (std::uint64_t n = first; n <= last; ++n) numbers.push_back(n);
  }
  return numbers;
}

void RunScript(const std::string& path, const ScriptHandler& handler) {
  std::ifstream in(path);
  ASSERT_TRUE(in.is_open()) << path;
  std::vector<Paragraph> paragraphs = ParseScript(in);
  const bool rewrite = std::getenv("DRUMBEAT_REWRITE") != nullptr;
  for (Paragraph& paragraph : paragraphs) {
    if (paragraph.command.empty()) continue;
    const std::string printed = RunOne(handler, paragraph.command);
    if (!rewrite) {
      EXPECT_EQ(printed, paragraph.expected)
          << path << ":" << paragraph.line << ": " << paragraph.command;
    }
    paragraph.expected = printed;
  }
  if (rewrite) std::ofstream(path) << Print(paragraphs);
}

std::vector<std::string> ScriptNames(const std::string& folder) {
  std::vector<std::string> names;
  const auto root = std::filesystem::path(DRUMBEAT_TEST_DATA) / folder;
  for (const auto& file : std::filesystem::directory_iterator(root)) {
    if (file.path().extension() == ".txt") names.push_back(file.path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

std::string ScriptPath(const std::string& folder, const std::string& name) {
  return (std::filesystem::path(DRUMBEAT_TEST_DATA) / folder / (name + ".txt")).string();
}

}  // namespace drumbeat::raft::testing
