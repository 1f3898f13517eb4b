// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Bytes of messages and chunks made by hand, also such as codec/ refuses to make.
namespace drumbeat::simulation {

inline std::string Varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
  return out;
}
inline std::string Field(std::uint64_t number, std::uint64_t value) {
  return Varint(number << 3) + Varint(value);
}
inline std::string Field(std::uint64_t number, std::string_view text) {
  return Varint(number << 3 | 2) + Varint(text.size()) + std::string(text);
}

struct EntryBytes {
  std::uint64_t term = 5;
  std::uint64_t index = 11;
  std::uint64_t type = 2;
  std::uint64_t key = 77;
  std::uint64_t client = 88;
  std::string command = std::string("\0hello", 6);

  std::string Make() const {
    std::string out;
    const std::uint64_t numbers[] = {term, index, type, key, client};
    for (std::size_t i = 0; i < 5; ++i) {
      if (numbers[i] != 0) out += static_cast<char>(i) + Varint(numbers[i]);
    }
    if (!command.empty()) out += '\x07' + Varint(command.size()) + command;
    return out + '\x7f';
  }
};

/// A change of `type` (0 adds a voter, 1 removes, 2 and 3 add the other kinds).
inline EntryBytes ChangeBytes(std::uint64_t index, std::uint64_t type, std::uint64_t replica,
                              std::string_view address) {
  return {.index = index,
          .type = 1,
          .client = 0,
          .command =
              Field(1, 0) + Field(2, type) + Field(3, replica) + Field(4, address) + Field(5, 0)};
}

struct MessageBytes {
  std::uint64_t type = 0;
  std::uint64_t to = 2;
  std::uint64_t from = 1;
  std::uint64_t term = 5;
  std::uint64_t log_term = 0;
  std::uint64_t log_index = 0;
  std::uint64_t commit = 0;
  std::uint64_t reject = 0;
  std::uint64_t hint = 0;
  std::vector<EntryBytes> entries = {};

  std::string Make() const {
    std::string out = Field(1, type) + Field(2, to) + Field(3, from) + Field(4, 128) +
                      Field(5, term) + Field(6, log_term) + Field(7, log_index) + Field(8, commit) +
                      Field(9, reject) + Field(10, hint);
    for (const EntryBytes& entry : entries) out += Field(11, entry.Make());
    return out + Field(12, std::string_view()) + Field(13, 0);
  }
};

}  // namespace drumbeat::simulation
