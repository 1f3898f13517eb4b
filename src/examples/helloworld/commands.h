// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "drumbeat/types.h"

namespace helloworld {

/// `add ADDR ID`: make replica ID, which listens at ADDR, a member.
struct Add {
  std::string address;
  drumbeat::ReplicaId replica;
  friend bool operator==(const Add&, const Add&) = default;
};
/// `remove ID`: remove that member for ever.
struct Remove {
  drumbeat::ReplicaId replica;
  friend bool operator==(const Remove&, const Remove&) = default;
};
/// `exit`: end this replica's process.
struct Exit {
  friend bool operator==(const Exit&, const Exit&) = default;
};
/// Anything else, to be replicated as it is.
struct Message {
  std::string text;
  friend bool operator==(const Message&, const Message&) = default;
};

using Command = std::variant<Add, Remove, Exit, Message>;

/// What a typed line, without its line end, asks for. The words of `add` (in any case) and `remove`
/// are split at single blanks and must be exactly so many; what does not parse so is a message.
Command ParseCommand(std::string_view line);

/// A decimal unsigned 64-bit number: digits only. Nothing when it is anything else.
std::optional<std::uint64_t> ParseDecimal(std::string_view text);

/// Compares ASCII letters in any case, whatever the locale.
bool IsWordInAnyCase(std::string_view text, std::string_view lower_case_word);

}  // namespace helloworld
