// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drumbeat::system {

/// What a line `from Update() : msg: X, count:N` says.
struct Update {
  std::string message;
  std::uint64_t count = 0;
  friend bool operator==(const Update&, const Update&) = default;
};

std::optional<Update> ParseUpdate(std::string_view line);

/// One process's life: what it printed, in order.
struct Run {
  std::uint64_t replica = 0;
  std::vector<Update> updates;
  /// How often its log said that it recovered from a snapshot: as often its counts may jump.
  std::size_t recoveries = 0;
};

/// What all replicas of a group have printed over all their lives, checked against each other.
///
/// The messages of a history are different from each other, as typed by the test.
class History {
 public:
  void Add(const Run& run);

  /// What is wrong, one line each: counts that do not rise within a run, or jump without a
  /// snapshot; a count with two messages; a message with two counts.
  const std::vector<std::string>& problems() const { return problems_; }
  /// The message of each count that was printed anywhere.
  const std::map<std::uint64_t, std::string>& messages() const { return messages_; }
  std::uint64_t last_count() const { return messages_.empty() ? 0 : messages_.rbegin()->first; }
  /// The count of `message`, 0 when it was never printed.
  std::uint64_t CountOf(const std::string& message) const;

  /// What is wrong with messages `<prefix><number>` that one console was given in the order of
  /// their numbers: one that was counted before an earlier one.
  std::vector<std::string> Disorder(std::string_view prefix) const;

 private:
  std::map<std::uint64_t, std::string> messages_;
  std::map<std::string, std::uint64_t> counts_;
  std::vector<std::string> problems_;
};

}  // namespace drumbeat::system
