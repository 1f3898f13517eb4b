// SPDX-License-Identifier: Apache-2.0
#include "codec/entry_codec.h"

#include <cstdint>
#include <utility>

#include "base/byte_coding.h"

namespace drumbeat::codec {
namespace {

constexpr char kEndMark = 0x7f;
/// Numbers from here on are written as 8 bytes.
constexpr std::uint64_t kWideFrom = std::uint64_t{1} << 49;

enum Field : unsigned char {
  kTerm = 0,
  kIndex = 1,
  kType = 2,
  kKey = 3,
  kClientId = 4,
  kSeriesId = 5,
  kRespondedTo = 6,
  kCommand = 7,
};

std::size_t NumberSize(std::uint64_t value) {
  if (value == 0) return 0;
  return 1 + (value >= kWideFrom ? 8 : base::VarintSize(value));
}

void AppendNumber(std::string& out, Field field, std::uint64_t value) {
  if (value == 0) return;
  if (value >= kWideFrom) {
    out.push_back(static_cast<char>(field | 0x80));
    base::AppendBig(out, value);
  } else {
    out.push_back(static_cast<char>(field));
    base::AppendVarint(out, value);
  }
}

/// Colfer's varint: up to 9 bytes, of which the ninth contributes all 8 bits.
std::uint64_t TakeVarint(base::ByteReader& reader) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 56; shift += 7) {
    const auto byte = reader.Little<std::uint8_t>();
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return value | static_cast<std::uint64_t>(reader.Little<std::uint8_t>()) << 56;
}

Error Bad(const char* why) {
  return Error{ErrorCode::kInvalidArgument, std::string("bad entry: ") + why};
}

}  // namespace

std::size_t EncodedEntrySize(const raft::Entry& entry) {
  std::size_t size = 1;
  size += NumberSize(entry.term.value()) + NumberSize(entry.index.value());
  if (entry.type != raft::EntryType::kApplication) size += 2;
  size += NumberSize(entry.key) + NumberSize(entry.client_id) + NumberSize(entry.series_id) +
          NumberSize(entry.responded_to);
  if (!entry.command.empty()) {
    size += 1 + base::VarintSize(entry.command.size()) + entry.command.size();
  }
  return size;
}

void AppendEntry(std::string& out, const raft::Entry& entry) {
  AppendNumber(out, kTerm, entry.term.value());
  AppendNumber(out, kIndex, entry.index.value());
  AppendNumber(out, kType, static_cast<std::uint64_t>(entry.type));
  AppendNumber(out, kKey, entry.key);
  AppendNumber(out, kClientId, entry.client_id);
  AppendNumber(out, kSeriesId, entry.series_id);
  AppendNumber(out, kRespondedTo, entry.responded_to);
  if (!entry.command.empty()) {
    out.push_back(static_cast<char>(kCommand));
    base::AppendVarint(out, entry.command.size());
    out.append(entry.command.view());
  }
  out.push_back(kEndMark);
}

Result<raft::Entry> DecodeEntry(const base::Bytes& bytes) {
  raft::Entry entry;
  base::ByteReader reader(bytes.view());
  int last_field = -1;
  while (true) {
    const auto header = reader.Little<std::uint8_t>();
    if (!reader.ok()) return std::unexpected(Bad("its end mark is missing"));
    if (header == static_cast<std::uint8_t>(kEndMark)) return entry;
    const bool flagged = (header & 0x80) != 0;
    const int field = header & 0x7f;
    if (field > kCommand || field <= last_field) return std::unexpected(Bad("its fields"));
    last_field = field;
    if (field == kCommand) {
      const std::uint64_t length = TakeVarint(reader);
      if (flagged || !reader.ok() || length > reader.rest().size()) {
        return std::unexpected(Bad("its command runs past its end"));
      }
      const std::string_view command = reader.Take(static_cast<std::size_t>(length));
      entry.command = bytes.Slice(static_cast<std::size_t>(command.data() - bytes.data()),
                                  command.size());
      continue;
    }
    if (field == kType) {
      const std::uint64_t type = TakeVarint(reader);
      if (flagged || type > static_cast<std::uint64_t>(raft::EntryType::kMetadata)) {
        return std::unexpected(Bad("unknown type"));
      }
      entry.type = static_cast<raft::EntryType>(type);
      continue;
    }
    const std::uint64_t value = flagged ? reader.Big<std::uint64_t>() : TakeVarint(reader);
    switch (field) {
      case kTerm: entry.term = Term(value); break;
      case kIndex: entry.index = Index(value); break;
      case kKey: entry.key = value; break;
      case kClientId: entry.client_id = value; break;
      case kSeriesId: entry.series_id = value; break;
      default: entry.responded_to = value; break;
    }
  }
}

}  // namespace drumbeat::codec
