// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

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
/// A number of a vector's input, which has large ones as decimal texts; 0 where it is absent.
inline std::uint64_t NumberIn(const Json& input, const char* name) {
  const auto found = input.find(name);
  if (found == input.end()) return 0;
  if (found->is_string()) return std::stoull(found->get<std::string>());
  if (found->is_boolean()) return found->get<bool>() ? 1 : 0;
  return found->get<std::uint64_t>();
}
inline std::string TextIn(const Json& input, const char* name) {
  return input.value(name, std::string());
}
inline std::string BytesIn(const Json& input, const char* name) {
  const auto found = input.find(name);
  return found == input.end() || found->is_null() ? "" : FromHex((*found)["hex"]);
}

/// Names a test after its vector.
inline std::string NameOf(const testing::TestParamInfo<Vector>& tested) {
  std::string name = tested.param.name;
  std::replace_if(name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
  return name;
}

inline void PrintTo(const Vector& vector, std::ostream* out) { *out << vector.name; }

}  // namespace drumbeat::codec
