// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "transport/source.h"
#include "transport/time.h"

namespace drumbeat::transport {

/// What has one of the places for accepted connections.
struct Place {
  Source source;
  /// Brought a frame of our deployment.
  bool known = false;
  bool shaking_hands = false;
  bool has_snapshot = false;
  /// When it was accepted or last brought a frame of our deployment.
  Time last_used;
};

/// Whose place goes to a newcomer; nothing when nobody is eligible.
///
/// Whoever never brought a frame of our deployment goes first, then whoever comes from where most
/// come from (by network, then by machine), then messages before snapshots, then who was silent for
/// longest. So one machine cannot take the places of others, whatever it says, and many hosts on
/// one machine share them as if there were no such rule.
std::optional<std::size_t> WhoMakesRoom(std::span<const Place> places, bool only_shaking_hands);

}  // namespace drumbeat::transport
