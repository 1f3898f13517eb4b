// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

namespace drumbeat::simulation {

/// A protobuf record, read without codec/, so that what codec/ writes has a second opinion. Views
/// share the bytes that were read.
class RawRecord {
 public:
  /// Nothing if the bytes are no record or end within a field.
  static std::optional<RawRecord> Read(std::string_view bytes);

  /// The last value of a number; 0 if there is none.
  std::uint64_t Number(std::uint64_t field) const;
  /// All byte strings of a field, in order.
  const std::vector<std::string_view>& Texts(std::uint64_t field) const;
  std::string_view Text(std::uint64_t field) const;

 private:
  std::map<std::uint64_t, std::uint64_t> numbers_;
  std::map<std::uint64_t, std::vector<std::string_view>> texts_;
};

/// An entry in Colfer form, read likewise.
struct RawEntry {
  std::uint64_t term = 0;
  std::uint64_t index = 0;
  std::uint64_t type = 0;
  std::uint64_t key = 0;
  std::uint64_t client = 0;
  std::uint64_t series = 0;
  std::uint64_t responded = 0;
  std::string_view command;

  static std::optional<RawEntry> Read(std::string_view bytes);
};

}  // namespace drumbeat::simulation
