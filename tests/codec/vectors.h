// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace drumbeat::codec {

using Json = nlohmann::json;

/// The byte vectors that real Dragonboat code emitted.
inline const Json& Vectors() {
  static const Json vectors = [] {
    std::ifstream file(std::string(DRUMBEAT_TEST_DATA) + "/wire-vectors.json");
    return Json::parse(file);
  }();
  return vectors;
}

inline std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

inline std::string ToHex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    hex.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
    hex.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
  }
  return hex;
}

/// One vector: its name, kind, inputs and bytes.
struct Vector {
  std::string name;
  std::string kind;
  Json input;
  std::string bytes;
};

inline std::vector<Vector> VectorsOf(const std::vector<std::string>& kinds) {
  std::vector<Vector> found;
  for (const Json& json : Vectors()["vectors"]) {
    const std::string kind = json["kind"];
    if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) continue;
    found.push_back({json["name"], kind, json["input"], FromHex(json["hex"])});
  }
  return found;
}


}  // namespace drumbeat::codec
