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

// The flags as typed; what they mean is ours to find, as CLI11 reads numbers loosely.
struct Texts {
  std::string replica_id = "1";
  std::string address;
  std::string join = "false";
  std::string version = "false";
  std::string help = "false";
};

bool TakesNextWord(std::string_view name) { return name == "replicaid" || name == "addr"; }
bool IsSwitch(std::string_view name) {
  return name == "join" || name == "version" || name == "help" || name == "h";
}

struct TypedFlag {
  // What complaints call it: as it was typed, without its value.
  std::string spelling;
  // CLI11 knows no long names behind a single dash, and takes an option's value only from the next
  // word when that word may not look like an option. So this is "--name" and, when it has a value,
  // the value as a word of its own.
  std::vector<std::string> words;
};

// Takes one flag off the words before `end`; or a word that is none, as it is.
TypedFlag TakeFlag(std::vector<std::string>::const_iterator& word,
                   std::vector<std::string>::const_iterator end) {
  const std::string& text = *word++;
  const std::size_t dashes = text.starts_with("--") ? 2 : 1;
  const std::size_t equals = text.find('=');
  if (!text.starts_with('-') || text.size() == dashes || text[dashes] == '-' || equals == dashes) {
    return {.spelling = text, .words = {text}};
  }
  const std::string name = text.substr(dashes, equals - dashes);
  TypedFlag flag{.spelling = text.substr(0, equals),
                 .words = {"--" + (name == "h" ? "help" : name)}};
  if (equals != std::string::npos) {
    flag.words.push_back(text.substr(equals + 1));
  } else if (IsSwitch(name)) {
    flag.words.emplace_back("true");
  } else if (TakesNextWord(name) && word != end) {
    flag.words.push_back(*word++);
  }
  return flag;
}

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

EarlyExit UnknownFlag(const CLI::App& app, const std::string& word) {
  return BadUsage(app, "not a flag of this program: " + word);
}

EarlyExit CannotStart(std::string complaint) {
  return {
      .status = kStartFailure, .to_stdout = {}, .to_stderr = OneLine(std::move(complaint)) + "\n"};
}

std::optional<std::string> WhyNoAddress(const Flags& flags) {
  drumbeat::NodeHostConfig config;
  config.data_dir = "anywhere";
  config.raft_address = flags.address;
  // IPv6 in brackets would do for this host, but no group could have it as a member.
  if (config.Validate() && !flags.address.starts_with('[')) return {};
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

constexpr const char* kVersionLine = "example-helloworld " HELLOWORLD_VERSION "\n";

void Describe(CLI::App& app, Texts& texts) {
  app.set_help_flag();  // Ours has a value, such as -h=false.
  const auto add = [&app](const char* name, std::string& text, const char* what, const char* says) {
    app.add_option(name, text, says)
        ->option_text(what)
        ->type_name("value")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  };
  add("-h,--help", texts.help, " ", "Print this help message and exit");
  add("--version", texts.version, " ", "Print the version and end");
  add("--replicaid", texts.replica_id, "N", "Which replica this is (default 1)");
  add("--addr", texts.address, "HOST:PORT",
      "Where it is reached (default localhost:6300N for replicas 1, 2 and 3)");
  add("--join", texts.join, " ", "It was added to the group with the add command");
  app.footer("One dash does as well as two, and -flag=value as well as -flag value.");
}

// What is wrong with the value of the flag that was read last: those before it were right.
std::optional<std::string> WhyBadValue(const Texts& texts, const std::string& spelling) {
  const auto complaint = [&spelling](const std::string& value, const std::string& why) {
    return "invalid value \"" + value + "\" for flag " + spelling + ": " + why;
  };
  if (!ParseReplicaId(texts.replica_id)) {
    return complaint(texts.replica_id, "not a decimal number of at most 64 bits");
  }
  for (const std::string& text : {texts.join, texts.version, texts.help}) {
    if (!ParseBool(text)) return complaint(text, "neither true nor false");
  }
  return {};
}

// Reads one more flag into `texts`; says why the program ends there, if it does.
std::optional<EarlyExit> Read(CLI::App& app, TypedFlag flag, const Texts& texts) {
  std::ranges::reverse(flag.words);  // CLI11 takes them from the back.
  try {
    app.parse(std::move(flag.words));
  } catch (const CLI::ExtrasError&) {
    return UnknownFlag(app, flag.spelling);
  } catch (const CLI::ArgumentMismatch&) {
    return BadUsage(app, "missing value for flag " + flag.spelling);
  } catch (const CLI::ParseError& error) {
    return BadUsage(app, error.what());
  }
  if (const auto why = WhyBadValue(texts, flag.spelling)) return BadUsage(app, *why);
  if (*ParseBool(texts.help)) {
    return EarlyExit{.status = 0, .to_stdout = app.help(), .to_stderr = {}};
  }
  if (*ParseBool(texts.version)) {
    return EarlyExit{.status = 0, .to_stdout = kVersionLine, .to_stderr = {}};
  }
  return {};
}

std::expected<Flags, EarlyExit> Interpret(const Texts& texts) {
  Flags flags{.replica_id = ReplicaId(*ParseReplicaId(texts.replica_id)),
              .address = texts.address,
              .join = *ParseBool(texts.join)};
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
  Texts texts;
  Describe(app, texts);
  // One at a time, as Go's flag package does: what is wrong, or ends the program, first decides.
  for (auto word = arguments.begin(); word != arguments.end();) {
    if (*word == "--") {  // Flags end here, and there is nothing else to say.
      if (++word == arguments.end()) break;
      return std::unexpected(UnknownFlag(app, *word));
    }
    if (auto end = Read(app, TakeFlag(word, arguments.end()), texts)) {
      return std::unexpected(std::move(*end));
    }
  }
  return Interpret(texts);
}

}  // namespace helloworld
