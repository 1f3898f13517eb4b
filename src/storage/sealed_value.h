// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "drumbeat/error.h"

// The frame that every stored value has (FORMATS.md): a format byte, a body, and a CRC-32C over
// key, format byte and body, so that a value is whole and stands where it was put.
namespace drumbeat::storage {

constexpr std::size_t kSealBytes = 5;

/// Empties `value` and begins it; append the body, then seal it.
void BeginValue(std::string& value);
void SealValue(std::string& value, std::string_view key);

/// The body of a stored value. kDamaged, kNewerFormat.
Result<std::string_view> OpenValue(std::string_view key, std::string_view value);

}  // namespace drumbeat::storage
