// SPDX-License-Identifier: Apache-2.0
#include "codec/protobuf.h"

namespace drumbeat::codec {
namespace {

constexpr std::uint64_t kEndGroup = 4;
constexpr std::uint64_t kMaxFieldNumber = (1u << 29) - 1;

}  // namespace

bool FieldReader::NextOfAnyKind() {
  if (!ok_ || reader_.done()) return false;
  const std::uint64_t tag = reader_.Varint();
  const std::uint64_t number = tag >> 3;
  if (!reader_.ok() || number == 0 || number > kMaxFieldNumber) {
    Fail();
    return false;
  }
  number_ = static_cast<std::uint32_t>(number);
  switch (tag & 7) {
    case 0:
      type_ = WireType::kVarint;
      varint_ = reader_.Varint();
      break;
    case 1:
      type_ = WireType::kFixed64;
      reader_.Take(8);
      break;
    case 2:
      type_ = WireType::kBytes;
      bytes_ = reader_.LengthPrefixed();
      break;
    case 3:
      type_ = WireType::kGroup;
      if (!SkipGroup()) Fail();
      break;
    case 5:
      type_ = WireType::kFixed32;
      reader_.Take(4);
      break;
    default: Fail();
  }
  if (!reader_.ok()) Fail();
  return ok_;
}

bool FieldReader::SkipGroup() {
  for (int depth = 1; depth > 0;) {
    const std::uint64_t tag = reader_.Varint();
    if (!reader_.ok() || (tag >> 3) == 0) return false;
    switch (tag & 7) {
      case 0: reader_.Varint(); break;
      case 1: reader_.Take(8); break;
      case 2: reader_.LengthPrefixed(); break;
      case 3:
        if (++depth > kMaxGroupDepth) return false;
        break;
      case kEndGroup: --depth; break;
      case 5: reader_.Take(4); break;
      default: return false;
    }
    if (!reader_.ok()) return false;
  }
  return true;
}

}  // namespace drumbeat::codec
