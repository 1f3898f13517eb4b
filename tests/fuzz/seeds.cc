// SPDX-License-Identifier: Apache-2.0
#include "fuzz/seeds.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "base/crc.h"
#include "codec/frame.h"

namespace drumbeat::fuzz {
namespace {

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

/// Which vectors mean something to which target.
const std::map<std::string_view, std::set<std::string>>& KindsOf() {
  static const std::map<std::string_view, std::set<std::string>> kinds = {
      {"frames", {"frame", "poison"}},
      {"message_batch", {"message_batch", "message"}},
      {"entry", {"entry", "encoded_cmd"}},
      {"chunk_stream", {"chunk"}},
      {"snapshot_image", {"snapshot_image"}},
      {"session_table", {"session_table"}},
      {"membership", {"membership", "config_change", "bootstrap", "state", "snapshot"}},
  };
  return kinds;
}

/// As it stands in the input of `target`.
std::string Wrapped(std::string_view target, const std::string& kind, const std::string& bytes) {
  if (target == "frames") return std::string("\x05\x00", 2) + bytes;
  if (kind == "message" && bytes.size() < 128) {
    return std::string("\x0a") + static_cast<char>(bytes.size()) + bytes;
  }
  return bytes;
}

std::vector<Seed> FromVectors(std::string_view target, const std::filesystem::path& path) {
  std::vector<Seed> seeds;
  const auto wanted = KindsOf().find(target);
  if (wanted == KindsOf().end()) return seeds;
  std::ifstream file(path);
  const nlohmann::json vectors = nlohmann::json::parse(file);
  const auto add = [&](const std::string& name, const nlohmann::json& vector) {
    const std::string kind = vector["kind"];
    if (!wanted->second.contains(kind)) return;
    seeds.push_back({name, Wrapped(target, kind, FromHex(vector["hex"].get<std::string>()))});
  };
  for (const auto& vector : vectors["vectors"]) add(vector["name"], vector);
  int number = 0;
  for (const auto& vector : vectors["decode"]) add("decode_" + std::to_string(++number), vector);
  return seeds;
}

/// Choices of the target `replica`, in the order in which replica.cc asks for them.
class Script {
 public:
  /// One of three founding voters, with check-quorum.
  Script() : bytes_("\x01\x02") {}

  Script& Ticks(int count) { return Add({0, count - 1}); }
  /// A message: its place in the list of types, from replica 2, term, log term, log index, commit,
  /// accepted, hint. Numbers are as Near() takes them.
  Script& Message(int type, int term, int log_term = 0, int log_index = 0, int commit = 0,
                  int hint = 0) {
    Add({1, 0, type, 0});
    if (term >= 0) Add({term});
    return Add({log_term, log_index, commit, 0, hint});
  }
  Script& Add(std::initializer_list<int> bytes) {
    for (const int byte : bytes) bytes_.push_back(static_cast<char>(byte));
    return *this;
  }
  std::string Take() { return bytes_; }

 private:
  std::string bytes_;
};

// Near(): the replica's own term, its last index, its commit index.
constexpr int kTerm = 8;
constexpr int kLast = 24;
constexpr int kCommitted = 40;

Script Leader() {
  Script script;
  script.Ticks(12).Message(3, kTerm);  // a vote
  script.Message(1, kTerm, 0, kLast);  // the first entry is acknowledged
  return script;
}
Script Follower() {
  Script script;
  script.Message(4, kTerm + 1, 0, 0, kCommitted);  // a heartbeat of the next term
  return script;
}

std::vector<Seed> ReplicaScripts() {
  constexpr int kPropose = 6, kChange = 7, kRead = 8, kCrash = 10, kSnapshot = 12, kInstall = 13;
  return {
      {"leader", Leader().Take()},
      {"leader_proposes", Leader()
                              .Add({kPropose, 1, 0, 0, 0, 5, 0, 0})
                              .Message(1, kTerm, 0, kLast)
                              .Add({kRead})
                              .Message(5, kTerm, 0, 0, 0, 112)
                              .Ticks(3)
                              .Take()},
      {"leader_changes", Leader()
                             .Add({kChange, 0, 3, 3, 0, 9})
                             .Message(1, kTerm, 0, kLast)
                             .Add({kChange, 1, 2, 2, 0, 9})
                             .Message(1, kTerm, 0, kLast)
                             .Take()},
      {"leader_restarts", Leader().Add({kSnapshot, 1, kCrash, 0}).Ticks(12).Take()},
      {"follower", Follower().Take()},
      // Two entries behind the last one; then they are committed.
      {"follower_appends", Follower()
                               .Add({1, 0, 0, 0, kTerm, 9, kLast, kCommitted, 0, 0})
                               .Add({2, 7, 0, 0, 1, 1, 0, 0, 0, 4, 0, 0, 0, 0})
                               .Message(4, kTerm, 0, 0, kLast)
                               .Add({kSnapshot, 0, kCrash, 0})
                               .Take()},
      {"follower_restores", Follower()
                                .Add({kInstall, 0, kLast + 5, kTerm, 0, 0, 0, 0, 3, 'a', 'b', 'c'})
                                .Add({kCrash, 0})
                                .Take()},
  };
}

std::vector<Seed> Texts(std::initializer_list<std::string_view> texts) {
  std::vector<Seed> seeds;
  for (const std::string_view text : texts) {
    seeds.push_back({"text_" + std::to_string(seeds.size()), std::string(text)});
  }
  return seeds;
}

std::vector<Seed> ByHand(std::string_view target) {
  if (target == "replica") return ReplicaScripts();
  if (target == "command_line") {
    return Texts({"add localhost:63004 4\n", "remove 4\r\nexit\n", "hello, world", "ADD a:1 007",
                  "[::1]:63001", "add  x\n\n\n", "localhost:0"});
  }
  if (target == "stored_files") {
    return Texts(
        {"\x03"
         "drumbeat data folder, format 1\nraft address: localhost:63001\n"
         "deployment id: 1\nhost id: 3b1c8a3e-5d0c-4e7a-9f43-0c5d6d3b2a10\n",
         "\x01"
         "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
         "\x02"
         "0123456789012345678901234567890123456789012345678",
         "\x05"
         "l1234567812345678"});
  }
  return {};
}

}  // namespace

std::vector<Seed> SeedsOf(std::string_view target, const std::filesystem::path& vectors) {
  std::vector<Seed> seeds = FromVectors(target, vectors);
  for (Seed& seed : ByHand(target)) seeds.push_back(std::move(seed));
  return seeds;
}

std::vector<Seed> FindingsIn(const std::filesystem::path& folder) {
  std::vector<Seed> seeds;
  if (!std::filesystem::is_directory(folder)) return seeds;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path());
    std::string hex;
    for (std::string line; std::getline(file, line);) {
      for (const char c : line.substr(0, line.find('#'))) {
        if (std::isxdigit(static_cast<unsigned char>(c)) != 0) hex.push_back(c);
      }
    }
    seeds.push_back({entry.path().stem().string(), FromHex(hex)});
  }
  std::ranges::sort(seeds, {}, &Seed::name);
  return seeds;
}

}  // namespace drumbeat::fuzz
