// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "codec/snapshot_image.h"

namespace drumbeat::codec {

/// A session as Dragonboat writes it: members in its order, no blanks, history keys sorted as
/// texts, `{}` for an empty history.
std::string EncodeSession(const StoredSession& session);

/// Takes members in any order, with any spacing. Nothing unless `text` is exactly a session: every
/// member once, no others, numbers whole and below 2^64, no series twice. Needs memory in
/// proportion to the text, whatever it holds.
std::optional<StoredSession> DecodeSession(std::string_view text);

}  // namespace drumbeat::codec
