// SPDX-License-Identifier: Apache-2.0
#include "storage/sealed_value.h"

#include <cstdint>

#include "base/byte_coding.h"
#include "base/crc.h"

namespace drumbeat::storage {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kCrcBytes = 4;

}  // namespace

void BeginValue(std::string& value) {
  value.clear();
  value.push_back(static_cast<char>(kFormat));
}

void SealValue(std::string& value, std::string_view key) {
  base::AppendLittle(value, base::Crc32c(value, base::Crc32c(key)));
}

Result<std::string_view> OpenValue(std::string_view key, std::string_view value) {
  if (value.size() < kSealBytes) return Fail(ErrorCode::kDamaged, "a stored value is too short");
  const std::string_view covered = value.substr(0, value.size() - kCrcBytes);
  const auto crc = base::LoadLittle<std::uint32_t>(value.data() + covered.size());
  if (base::Crc32c(covered, base::Crc32c(key)) != crc) {
    return Fail(ErrorCode::kDamaged, "a stored value has a wrong checksum");
  }
  const auto format = static_cast<std::uint8_t>(covered.front());
  if (format > kFormat) {
    return Fail(ErrorCode::kNewerFormat, "a newer version of drumbeat wrote a stored value");
  }
  if (format != kFormat) return Fail(ErrorCode::kDamaged, "a stored value has no known format");
  return covered.substr(1);
}

}  // namespace drumbeat::storage
