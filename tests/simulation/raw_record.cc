// SPDX-License-Identifier: Apache-2.0
#include "simulation/raw_record.h"

namespace drumbeat::simulation {
namespace {

std::optional<std::uint64_t> TakeVarint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

std::optional<std::string_view> TakeText(std::string_view& bytes) {
  const std::optional<std::uint64_t> size = TakeVarint(bytes);
  if (!size || *size > bytes.size()) return std::nullopt;
  const std::string_view text = bytes.substr(0, *size);
  bytes.remove_prefix(*size);
  return text;
}

/// A number of an entry: a varint, or 8 big-endian bytes where the header says so.
std::optional<std::uint64_t> TakeColfer(std::string_view& bytes, bool fixed) {
  if (!fixed) return TakeVarint(bytes);
  if (bytes.size() < 8) return std::nullopt;
  std::uint64_t value = 0;
  for (const char byte : bytes.substr(0, 8)) value = value << 8 | static_cast<unsigned char>(byte);
  bytes.remove_prefix(8);
  return value;
}

}  // namespace

std::optional<RawRecord> RawRecord::Read(std::string_view bytes) {
  RawRecord record;
  while (!bytes.empty()) {
    const std::optional<std::uint64_t> tag = TakeVarint(bytes);
    if (!tag || *tag >> 3 == 0) return std::nullopt;
    switch (*tag & 7) {
      case 0: {
        const std::optional<std::uint64_t> value = TakeVarint(bytes);
        if (!value) return std::nullopt;
        record.numbers_[*tag >> 3] = *value;
        break;
      }
      case 2: {
        const std::optional<std::string_view> text = TakeText(bytes);
        if (!text) return std::nullopt;
        record.texts_[*tag >> 3].push_back(*text);
        break;
      }
      default: return std::nullopt;  // none of the records has other types
    }
  }
  return record;
}

std::uint64_t RawRecord::Number(std::uint64_t field) const {
  const auto found = numbers_.find(field);
  return found == numbers_.end() ? 0 : found->second;
}

const std::vector<std::string_view>& RawRecord::Texts(std::uint64_t field) const {
  static const std::vector<std::string_view> none;
  const auto found = texts_.find(field);
  return found == texts_.end() ? none : found->second;
}

std::string_view RawRecord::Text(std::uint64_t field) const {
  return Texts(field).empty() ? std::string_view() : Texts(field).back();
}

std::optional<RawEntry> RawEntry::Read(std::string_view bytes) {
  RawEntry entry;
  std::uint64_t* const numbers[] = {&entry.term,   &entry.index,  &entry.type,     &entry.key,
                                    &entry.client, &entry.series, &entry.responded};
  int last = -1;
  while (!bytes.empty()) {
    const auto header = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    if (header == 0x7f) return entry;
    const int field = header & 0x7f;
    if (field <= last || field > 7) return std::nullopt;
    last = field;
    if (field == 7) {
      const std::optional<std::string_view> command = TakeText(bytes);
      if (!command) return std::nullopt;
      entry.command = *command;
      continue;
    }
    const std::optional<std::uint64_t> value = TakeColfer(bytes, (header & 0x80) != 0);
    if (!value) return std::nullopt;
    *numbers[field] = *value;
  }
  return std::nullopt;
}

}  // namespace drumbeat::simulation
