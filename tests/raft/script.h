// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace drumbeat::raft::testing {

/// One command of a script: `name word word key=value`.
struct ScriptCommand {
  std::string name;
  std::vector<std::string> words;
  std::map<std::string, std::string> options;

  /// A bare word that switches something on.
  bool Has(std::string_view word) const;
  /// Option `key`, or `otherwise`.
  std::string Option(const std::string& key, const std::string& otherwise = {}) const;
  std::uint64_t Number(const std::string& key, std::uint64_t otherwise) const;
};

ScriptCommand ParseCommand(std::string_view line);
/// Every number in "1,2,5-7" or "1 2 3".
std::vector<std::uint64_t> Numbers(std::string_view text);
std::vector<std::string> SplitText(std::string_view text, char separator);

/// Does what a command says and returns what it prints: lines that each end in '\n'.
using ScriptHandler = std::function<std::string(const ScriptCommand&)>;

/// Runs a text file of commands, each with its expected output below:
///
///   # Why.
///   command word key=value
///   ----
///   what it prints, up to an empty line
///
/// A difference fails the current test; with DRUMBEAT_REWRITE set, what was printed replaces what
/// was expected, to be read before it is committed.
void RunScript(const std::string& path, const ScriptHandler& handler);

/// The scripts in a folder of the test data, by name without ".txt", sorted.
std::vector<std::string> ScriptNames(const std::string& folder);
std::string ScriptPath(const std::string& folder, const std::string& name);

}  // namespace drumbeat::raft::testing
