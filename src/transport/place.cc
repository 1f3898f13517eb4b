// SPDX-License-Identifier: Apache-2.0
#include "transport/place.h"

#include <map>
#include <tuple>

namespace drumbeat::transport {

std::optional<std::size_t> WhoMakesRoom(std::span<const Place> places, bool only_shaking_hands) {
  std::map<asio::ip::address, std::ptrdiff_t> networks;
  std::map<asio::ip::address, std::ptrdiff_t> machines;
  for (const Place& place : places) {
    ++networks[place.source.network];
    ++machines[place.source.machine];
  }
  const auto rank = [&](const Place& place) {
    return std::tuple(place.known, -networks[place.source.network], -machines[place.source.machine],
                      place.has_snapshot, place.last_used);
  };
  std::optional<std::size_t> worst;
  std::optional<decltype(rank(places[0]))> lowest;
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (only_shaking_hands && !places[i].shaking_hands) continue;
    const auto its = rank(places[i]);
    if (lowest && *lowest <= its) continue;
    lowest = its;
    worst = i;
  }
  return worst;
}

}  // namespace drumbeat::transport
