// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace drumbeat::codec {

/// Base64 with the standard alphabet and padding (RFC 4648, section 4).
std::string EncodeBase64(std::string_view data);
/// Nothing unless `text` is exactly such a text, without line breaks.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace drumbeat::codec
