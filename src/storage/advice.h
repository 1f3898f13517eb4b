// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "drumbeat/error.h"

// What an operator can do about damage, as the end of a message.
namespace drumbeat::storage {

constexpr std::string_view kHostAdvice =
    "; restore the data folder from a backup, or remove this host's replicas from their shards and "
    "add new ones in a new folder";
constexpr std::string_view kReplicaAdvice =
    "; restore the data folder from a backup, or remove this replica from its shard and add a new "
    "one";
constexpr std::string_view kNewerAdvice = "; start that version";

/// `text` with `advice` at its end, in place of what an inner layer may have advised already.
inline std::string Advised(std::string_view text, std::string_view advice) {
  for (const std::string_view inner : {kHostAdvice, kReplicaAdvice}) {
    if (text.ends_with(inner)) text.remove_suffix(inner.size());
  }
  return std::string(text).append(advice);
}

/// What to do about an error of one replica's: only what is known to be bad is given up. What the
/// system refused is there when it is tried again.
constexpr std::string_view ReplicaAdvice(ErrorCode code) {
  switch (code) {
    case ErrorCode::kDamaged: return kReplicaAdvice;
    case ErrorCode::kNewerFormat: return kNewerAdvice;
    default: return {};
  }
}

}  // namespace drumbeat::storage
