// SPDX-License-Identifier: Apache-2.0
#include "transport/place.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace drumbeat::transport {
namespace {

Place From(const std::string& address, int second) {
  return {.source = SourceOf(asio::ip::make_address(address)),
          .known = true,
          .last_used = Time(std::chrono::seconds(second))};
}

TEST(PlaceTest, WhoWasSilentForLongestMakesRoom) {
  const std::vector<Place> places = {From("192.0.2.1", 5), From("192.0.2.2", 3),
                                     From("192.0.2.3", 4)};
  EXPECT_EQ(WhoMakesRoom(places, false), 1u);
  EXPECT_EQ(WhoMakesRoom({}, false), std::nullopt);
}

TEST(PlaceTest, StrangersGoBeforeAnybodyElse) {
  std::vector<Place> places = {From("192.0.2.1", 1), From("192.0.2.1", 2), From("192.0.2.2", 3)};
  places[2].known = false;
  EXPECT_EQ(WhoMakesRoom(places, false), 2u);
}

TEST(PlaceTest, AnIpv6MachineDoesNotCountAsManyWithItsAddresses) {
  const std::vector<Place> places = {From("2001:db8:1::1", 1), From("2001:db8:2::1", 2),
                                     From("2001:db8:2::2", 3), From("2001:db8:2::3", 4)};
  EXPECT_EQ(WhoMakesRoom(places, false), 1u);
}

TEST(PlaceTest, InOneIpv6NetworkAMachineDoesNotTakeThePlacesOfItsNeighbours) {
  const std::vector<Place> places = {From("2001:db8::1", 1), From("2001:db8::2", 2),
                                     From("2001:db8::3", 3), From("2001:db8::3", 4)};
  EXPECT_EQ(WhoMakesRoom(places, false), 2u);
}

// Whoever knows the ids of a replica can announce as many as it likes.
TEST(PlaceTest, ASnapshotPutsNobodyBeforeOtherMachines) {
  std::vector<Place> places = {From("192.0.2.1", 1), From("192.0.2.2", 2), From("192.0.2.2", 3)};
  places[1].has_snapshot = true;
  places[2].has_snapshot = true;
  EXPECT_EQ(WhoMakesRoom(places, false), 1u);
  places[2].has_snapshot = false;
  EXPECT_EQ(WhoMakesRoom(places, false), 2u) << "what it has of messages goes first";
}

TEST(PlaceTest, AHandshakeCanOnlyTakeThePlaceOfAnother) {
  std::vector<Place> places = {From("192.0.2.1", 1), From("192.0.2.2", 2)};
  EXPECT_EQ(WhoMakesRoom(places, true), std::nullopt);
  places[1].shaking_hands = true;
  EXPECT_EQ(WhoMakesRoom(places, true), 1u);
}

}  // namespace
}  // namespace drumbeat::transport
