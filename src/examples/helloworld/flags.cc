// SPDX-License-Identifier: Apache-2.0
#include "flags.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>

#include "drumbeat/config.h"

#include "commands.h"

namespace helloworld {
namespace {

using drumbeat::MemberMap;
using drumbeat::ReplicaId;

constexpr int kStartFailure = 1;
constexpr int kUsageFailure = 2;

// CLI11 knows no long names behind a single dash, and takes an option's value only from the next
// word when that word may not look like an option. So every flag becomes "--name" and, when it has
// a value, the value as a word of its own.
class DoubleDashes {
 public:
  explicit DoubleDashes(const std::vector<std::string>& arguments) {
    for (auto word = arguments.begin(); word != arguments.end(); ++word) {
      word = Rewrite(word, arguments.end());
    }
  }
  std::vector<std::string> Take() && { return std::move(words_); }

 private:
  using Word = std::vector<std::string>::const_iterator;

  // Returns the last word that was used.
  Word Rewrite(Word word, Word end) {
    const std::string_view text = *word;
    const std::size_t dashes = text.starts_with("--") ? 2 : 1;
    if (!text.starts_with('-') || text.size() == dashes || text[dashes] == '-') {
      words_.push_back(*word);
      return word;
    }
    const std::size_t equals = text.find('=');
    const std::string name(text.substr(dashes, equals - dashes));
    std::optional<std::string> value;
    if (equals != std::string_view::npos) value = text.substr(equals + 1);

    if (name == "h") {
      words_.emplace_back("--help");
    } else if (name == "join") {
      Append(name, value.value_or("true"));
    } else if (value) {
      Append(name, *value);
    } else if (TakesNextWord(name) && std::next(word) != end) {
      Append(name, *++word);
    } else {
      words_.push_back("--" + name);
    }
    return word;
  }

  static bool TakesNextWord(std::string_view name) { return name == "replicaid" || name == "addr"; }

  void Append(const std::string& name, std::string value) {
    words_.push_back("--" + name);
    words_.push_back(std::move(value));
  }

  std::vector<std::string> words_;
};

// The words that Go's flag package takes for a bool.
std::optional<bool> ParseBool(std::string_view text) {
  constexpr std::array<std::string_view, 6> kTrue = {"1", "t", "T", "true", "TRUE", "True"};
  constexpr std::array<std::string_view, 6> kFalse = {"0", "f", "F", "false", "FALSE", "False"};
  if (std::ranges::find(kTrue, text) != kTrue.end()) return true;
  if (std::ranges::find(kFalse, text) != kFalse.end()) return false;
  return {};
}

// A leading zero is refused: to a Go program it says octal, to a reader nothing.
std::optional<std::uint64_t> ParseReplicaId(std::string_view text) {
  if (text.size() > 1 && text.starts_with('0')) return {};
  return ParseDecimal(text);
}

// Keeps a complaint about what was typed on one line.
std::string OneLine(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  std::ranges::replace_if(text, [](char c) { return c >= 0 && c < ' '; }, '?');
  return text;
}

EarlyExit BadUsage(const CLI::App& app, std::string complaint) {
  return {.status = kUsageFailure,
          .to_stdout = {},
          .to_stderr = OneLine(std::move(complaint)) + "\n" + app.help()};
}

EarlyExit CannotStart(std::string complaint) {
  return {.status = kStartFailure, .to_stdout = {}, .to_stderr = std::move(complaint) + "\n"};
}

std::optional<std::string> WhyNoAddress(const Flags& flags) {
  drumbeat::NodeHostConfig config;
  config.data_dir = "anywhere";
  config.raft_address = flags.address;
  if (config.Validate()) return {};
  return "address \"" + flags.address + "\" is not host:port";
}

// Without -join a replica is one of the founders, at the address that the others know. Said before
// a data folder is made, which would be bound to the address.
std::optional<std::string> WhyNoFounder(const Flags& flags) {
  if (flags.join) return {};
  const std::string id = std::to_string(flags.replica_id.value());
  const auto member = InitialMembers().find(flags.replica_id);
  if (member == InitialMembers().end()) {
    return "failed to add cluster, replica " + id +
           " is not among the initial members; add it to the group, then start it with -join";
  }
  if (!IsWordInAnyCase(flags.address, member->second)) {
    return "failed to add cluster, the initial members have replica " + id + " at " +
           member->second + ", not at " + flags.address;
  }
  return {};
}

// The texts as typed; their meaning is ours to find, as CLI11 reads numbers loosely.
struct Texts {
  std::string replica_id = "1";
  std::string address;
  std::string join = "false";
};

std::expected<Flags, EarlyExit> Interpret(const CLI::App& app, const Texts& texts) {
  const std::optional<std::uint64_t> id = ParseReplicaId(texts.replica_id);
  if (!id) {
    return std::unexpected(BadUsage(app, "invalid value \"" + texts.replica_id +
                                             "\" for flag -replicaid: not a decimal number of at "
                                             "most 64 bits"));
  }
  const std::optional<bool> join = ParseBool(texts.join);
  if (!join) {
    return std::unexpected(BadUsage(
        app, "invalid value \"" + texts.join + "\" for flag -join: neither true nor false"));
  }
  Flags flags{.replica_id = ReplicaId(*id), .address = texts.address, .join = *join};
  if (!flags.replica_id) {
    return std::unexpected(CannotStart("replica id must not be 0"));
  }
  if (flags.address.empty()) {
    const auto member = InitialMembers().find(flags.replica_id);
    if (member == InitialMembers().end()) {
      return std::unexpected(
          CannotStart("node id must be 1, 2 or 3 when address is not specified"));
    }
    flags.address = member->second;
  }
  if (auto why = WhyNoAddress(flags)) return std::unexpected(CannotStart(*why));
  if (auto why = WhyNoFounder(flags)) return std::unexpected(CannotStart(*why));
  return flags;
}

}  // namespace

const MemberMap& InitialMembers() {
  static const MemberMap members = {
      {ReplicaId(1), "localhost:63001"},
      {ReplicaId(2), "localhost:63002"},
      {ReplicaId(3), "localhost:63003"},
  };
  return members;
}

std::expected<Flags, EarlyExit> ParseFlags(const std::vector<std::string>& arguments) {
  CLI::App app("A replicated counter of messages: one replica of a three-replica group.",
               "example-helloworld");
  app.footer("One dash does as well as two, and -flag=value as well as -flag value.");
  const std::string version = "example-helloworld " HELLOWORLD_VERSION;
  app.set_version_flag("--version", version, "Print the version and end");
  Texts texts;
  app.add_option("--replicaid", texts.replica_id, "Which replica this is (default 1)")
      ->option_text("N")
      ->type_name("value")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--addr", texts.address,
                 "Where it is reached (default localhost:6300N for replicas 1, 2 and 3)")
      ->option_text("HOST:PORT")
      ->type_name("value")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--join", texts.join, "It was added to the group with the add command")
      ->option_text(" ")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);

  std::vector<std::string> words = DoubleDashes(arguments).Take();
  std::ranges::reverse(words);  // CLI11 takes them from the back.
  try {
    app.parse(std::move(words));
  } catch (const CLI::CallForHelp&) {
    return std::unexpected(EarlyExit{.status = 0, .to_stdout = app.help(), .to_stderr = {}});
  } catch (const CLI::CallForVersion&) {
    return std::unexpected(EarlyExit{.status = 0, .to_stdout = version + "\n", .to_stderr = {}});
  } catch (const CLI::ExtrasError&) {
    return std::unexpected(BadUsage(app, "not a flag of this program: " + app.remaining().front()));
  } catch (const CLI::ParseError& error) {
    return std::unexpected(BadUsage(app, error.what()));
  }
  return Interpret(app, texts);
}

}  // namespace helloworld
