// SPDX-License-Identifier: Apache-2.0
#include "codec/entry_codec.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/byte_coding.h"
#include "codec/raw_writer.h"

namespace drumbeat::codec {
namespace {

/// A number's header with this bit announces 8 big-endian bytes; a type's, a negative value.
constexpr unsigned char kWideBit = 0x80;
constexpr unsigned char kEndMark = 0x7f;
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

char* WriteNumber(char* at, Field field, std::uint64_t value) {
  if (value == 0) return at;
  if (value < kWideFrom) {
    *at++ = static_cast<char>(field);
    return WriteVarint(at, value);
  }
  *at++ = static_cast<char>(field | kWideBit);
  return WriteBig64(at, value);
}

/// Reads a Colfer record front to back; every function is false past its end.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

  bool Byte(unsigned char& byte) {
    if (at_ == end_) return false;
    byte = static_cast<unsigned char>(*at_++);
    return true;
  }
  /// Up to 9 bytes, of which the ninth contributes all 8 bits.
  bool Varint(std::uint64_t& value) {
    unsigned char byte = 0;
    value = 0;
    for (unsigned shift = 0; shift < 56; shift += 7) {
      if (!Byte(byte)) return false;
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    if (!Byte(byte)) return false;
    value |= static_cast<std::uint64_t>(byte) << 56;
    return true;
  }
  bool Wide(std::uint64_t& value) {
    if (left() < sizeof(value)) return false;
    value = base::LoadBig<std::uint64_t>(at_);
    at_ += sizeof(value);
    return true;
  }
  bool Piece(std::string_view& piece) {
    std::uint64_t length = 0;
    if (!Varint(length) || length > left()) return false;
    piece = {at_, static_cast<std::size_t>(length)};
    at_ += length;
    return true;
  }

  std::string_view rest() const { return {at_, left()}; }

 private:
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  const char* at_;
  const char* end_;
};

void Set(raft::Entry& entry, unsigned field, std::uint64_t value) {
  switch (field) {
    case kTerm: entry.term = Term(value); break;
    case kIndex: entry.index = Index(value); break;
    case kKey: entry.key = value; break;
    case kClientId: entry.client_id = value; break;
    case kSeriesId: entry.series_id = value; break;
    default: entry.responded_to = value; break;
  }
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

char* WriteEntry(char* at, const raft::Entry& entry) {
  at = WriteNumber(at, kTerm, entry.term.value());
  at = WriteNumber(at, kIndex, entry.index.value());
  at = WriteNumber(at, kType, static_cast<std::uint64_t>(entry.type));
  at = WriteNumber(at, kKey, entry.key);
  at = WriteNumber(at, kClientId, entry.client_id);
  at = WriteNumber(at, kSeriesId, entry.series_id);
  at = WriteNumber(at, kRespondedTo, entry.responded_to);
  if (!entry.command.empty()) {
    *at++ = static_cast<char>(kCommand);
    at = WriteBytes(at, entry.command.view());
  }
  *at++ = static_cast<char>(kEndMark);
  return at;
}

void AppendEntry(std::string& out, const raft::Entry& entry) {
  AppendExactly(out, EncodedEntrySize(entry), [&](char* at) { return WriteEntry(at, entry); });
}

const char* ParseEntry(std::string_view& bytes, raft::Entry& entry, std::string_view& command) {
  Cursor cursor(bytes);
  int last_field = -1;
  while (true) {
    unsigned char header = 0;
    if (!cursor.Byte(header)) return "its end mark is missing";
    if (header == kEndMark) {
      bytes = cursor.rest();
      return nullptr;
    }
    const bool wide = (header & kWideBit) != 0;
    const int field = header & ~kWideBit;
    if (field <= last_field) return "its fields are out of order";
    last_field = field;
    std::uint64_t value = 0;
    if (field < kCommand && field != kType) {
      if (!(wide ? cursor.Wide(value) : cursor.Varint(value))) return "a number is cut off";
      Set(entry, static_cast<unsigned>(field), value);
    } else if (header == kCommand) {
      if (!cursor.Piece(command)) return "its command runs past its end";
    } else if (header == kType) {
      if (!cursor.Varint(value)) return "a number is cut off";
      if (value > static_cast<std::uint64_t>(raft::EntryType::kMetadata)) return "unknown type";
      entry.type = static_cast<raft::EntryType>(value);
    } else {
      return "unknown field";
    }
  }
}

Result<raft::Entry> DecodeEntry(const base::Bytes& bytes) {
  Result<raft::Entry> entry;
  std::string_view command;
  std::string_view rest = bytes.view();
  if (const char* wrong = ParseEntry(rest, *entry, command)) {
    return Fail(ErrorCode::kInvalidArgument, std::string("bad entry: ") + wrong);
  }
  if (!command.empty()) {
    entry->command =
        bytes.Slice(static_cast<std::size_t>(command.data() - bytes.data()), command.size());
  }
  return entry;
}

}  // namespace drumbeat::codec
