// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/byte_coding.h"
#include "codec/raw_writer.h"

// The protobuf wire format as Dragonboat's records use it: all scalars are always written, in
// ascending order, and read as tolerantly as its decoders do.
namespace drumbeat::codec {

enum class WireType : std::uint8_t {
  kVarint = 0,
  kFixed64 = 1,
  kBytes = 2,
  kGroup = 3,
  kFixed32 = 5
};

constexpr std::uint64_t FieldTag(std::uint32_t number, WireType type) {
  return (std::uint64_t{number} << 3) | static_cast<std::uint64_t>(type);
}

inline void AppendField(std::string& out, std::uint32_t number, std::uint64_t value) {
  base::AppendVarint(out, FieldTag(number, WireType::kVarint));
  base::AppendVarint(out, value);
}
inline void AppendField(std::string& out, std::uint32_t number, std::string_view bytes) {
  base::AppendVarint(out, FieldTag(number, WireType::kBytes));
  base::AppendVarint(out, bytes.size());
  out.append(bytes);
}
/// The same into memory that is large enough, for fields up to 15.
inline char* WriteTag(char* at, std::uint32_t number, WireType type) {
  *at = static_cast<char>(FieldTag(number, type));
  return at + 1;
}
inline char* WriteField(char* at, std::uint32_t number, std::uint64_t value) {
  return WriteVarint(WriteTag(at, number, WireType::kVarint), value);
}

constexpr std::size_t FieldSize(std::uint32_t number, std::uint64_t value) {
  return base::VarintSize(FieldTag(number, WireType::kVarint)) + base::VarintSize(value);
}
constexpr std::size_t BytesFieldSize(std::uint32_t number, std::size_t length) {
  return base::VarintSize(FieldTag(number, WireType::kBytes)) + base::VarintSize(length) + length;
}

/// Walks over the fields of one record. After a failure ok() is false and Next() ends the walk.
class FieldReader {
 public:
  explicit FieldReader(std::string_view record) : reader_(record) {}

  /// Moves on to the next field; false at the end and after a failure.
  bool Next() {
    // Nearly all fields of messages are small numbers: one byte of tag, one of value.
    const std::string_view rest = reader_.rest();
    if (!ok_ || rest.size() < 2) return NextOfAnyKind();
    const auto tag = static_cast<unsigned char>(rest[0]);
    const auto value = static_cast<unsigned char>(rest[1]);
    if ((tag & 0x87) != 0 || tag == 0 || value >= 0x80) return NextOfAnyKind();
    number_ = tag >> 3;
    type_ = WireType::kVarint;
    varint_ = value;
    reader_.Take(2);
    return true;
  }
  bool ok() const { return ok_; }

  std::uint32_t number() const { return number_; }
  /// The field as a number or as bytes; another wire type is a failure.
  std::uint64_t Varint() {
    if (type_ != WireType::kVarint) Fail();
    return ok_ ? varint_ : 0;
  }
  std::string_view Bytes() {
    if (type_ != WireType::kBytes) Fail();
    return ok_ ? bytes_ : std::string_view();
  }
  bool Bool() { return Varint() != 0; }
  std::string Text() { return std::string(Bytes()); }

 private:
  /// Groups within groups that are skipped at most.
  static constexpr int kMaxGroupDepth = 16;

  bool NextOfAnyKind();
  void Fail() { ok_ = false; }
  bool SkipGroup();

  base::ByteReader reader_;
  bool ok_ = true;
  std::uint32_t number_ = 0;
  WireType type_ = WireType::kVarint;
  std::uint64_t varint_ = 0;
  std::string_view bytes_;
};

}  // namespace drumbeat::codec
