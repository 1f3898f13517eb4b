// SPDX-License-Identifier: Apache-2.0
#include <stop_token>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "commands.h"
#include "fuzz/input.h"
#include "fuzz/targets.h"
#include "line_reader.h"
#include "logging/logger.h"
#include "transport/address.h"

namespace drumbeat::fuzz {
namespace {

std::string Text(ReplicaId id) { return std::to_string(id.value()); }

/// Whether a command says no more and no less than the line that it was read from.
struct Faithful {
  std::string_view line;

  std::string operator()(const helloworld::Exit&) const {
    return line == "exit" ? std::string() : "exit is the whole line";
  }
  std::string operator()(const helloworld::Message& message) const {
    if (message.text != line) return "a message is the line";
    return line == "exit" ? "exit is no message" : std::string();
  }
  std::string operator()(const helloworld::Add& add) const {
    if (add.address.empty() || add.address.find(' ') != std::string::npos) return "an address";
    return Same(add, "add " + add.address + " " + Text(add.replica));
  }
  std::string operator()(const helloworld::Remove& remove) const {
    return Same(remove, "remove " + Text(remove.replica));
  }
  /// A command written again is the same command.
  static std::string Same(const helloworld::Command& command, const std::string& again) {
    return helloworld::ParseCommand(again) == command ? std::string() : "a command comes back";
  }
};

std::string CheckLine(std::string_view line) {
  return std::visit(Faithful{line}, helloworld::ParseCommand(line));
}

/// The lines of `typed` by the rule, not by the reader.
std::vector<std::string> LinesOf(std::string_view typed) {
  std::vector<std::string> lines;
  while (!typed.empty()) {
    const std::size_t end = typed.find('\n');
    std::string_view line = typed.substr(0, end);
    typed.remove_prefix(end == std::string_view::npos ? typed.size() : end + 1);
    if (end != std::string_view::npos && line.ends_with('\r')) line.remove_suffix(1);
    lines.emplace_back(line);
  }
  return lines;
}

/// What the example would read if `typed` were piped in.
std::string CheckReader(std::string_view typed) {
  constexpr std::size_t kPipeBytes = 64u << 10;
  int ends[2];
  if (typed.size() > kPipeBytes || ::pipe2(ends, O_CLOEXEC) != 0) return {};
  const bool written =
      ::write(ends[1], typed.data(), typed.size()) == static_cast<ssize_t>(typed.size());
  ::close(ends[1]);
  std::string wrong;
  {
    helloworld::LineReader reader(ends[0], std::stop_token());
    std::string line;
    for (const std::string& expected : written ? LinesOf(typed) : std::vector<std::string>()) {
      if (reader.Next(line) != helloworld::LineReader::Event::kLine || line != expected) {
        wrong = "lines are read as they were typed";
        break;
      }
    }
  }
  ::close(ends[0]);
  return wrong;
}

std::string CheckAddress(std::string_view text) {
  const std::string normal = transport::NormalizeAddress(text);
  if (transport::NormalizeAddress(normal) != normal) return "normal is normal";
  const auto strict = transport::ParseAddress(text, transport::AddressSyntax::kDragonboat);
  const auto wide = transport::ParseAddress(text, transport::AddressSyntax::kIpv6Too);
  if (strict && (!wide || wide->host != strict->host || wide->port != strict->port)) {
    return "an address of Dragonboat's is one of ours";
  }
  if (wide && (wide->host.empty() || wide->port == 0)) return "an address has a host and a port";
  for (const char c : logging::Escape(text)) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return "nothing controls the terminal";
  }
  return {};
}

}  // namespace

std::string FuzzCommandLine(std::string_view bytes) {
  if (std::string wrong = CheckLine(bytes); !wrong.empty()) return wrong;
  if (std::string wrong = CheckAddress(bytes); !wrong.empty()) return wrong;
  for (const std::string& line : LinesOf(bytes)) {
    if (std::string wrong = CheckLine(line); !wrong.empty()) return wrong;
  }
  return CheckReader(bytes);
}

}  // namespace drumbeat::fuzz
