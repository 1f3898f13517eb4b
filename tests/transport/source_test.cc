// SPDX-License-Identifier: Apache-2.0
#include "transport/source.h"

#include <string>

#include <gtest/gtest.h>

namespace drumbeat::transport {
namespace {

std::string NetworkOf(const char* address) {
  return SourceOf(asio::ip::make_address(address)).network.to_string();
}

TEST(SourceTest, AnIpv6MachineIsKnownByItsNetwork) {
  EXPECT_EQ(NetworkOf("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
  EXPECT_EQ(NetworkOf("2001:db8:1:2:ffff::"), NetworkOf("2001:db8:1:2::1"));
  EXPECT_NE(NetworkOf("2001:db8:1:3::1"), NetworkOf("2001:db8:1:2::1"));
}

TEST(SourceTest, MachinesOfOneNetworkAreStillToldApart) {
  const asio::ip::address address = asio::ip::make_address("2001:db8::1");
  EXPECT_EQ(SourceOf(address).machine, address);
}

TEST(SourceTest, Ipv4IsTheSameWhereverItComesIn) {
  EXPECT_EQ(NetworkOf("192.0.2.7"), "192.0.2.7");
  const Source mapped = SourceOf(asio::ip::make_address("::ffff:192.0.2.7"));
  EXPECT_EQ(mapped.network.to_string(), "192.0.2.7");
  EXPECT_EQ(mapped.machine, mapped.network);
}

TEST(SourceTest, LoopbackStaysAsItIs) {
  EXPECT_EQ(NetworkOf("::1"), "::1");
  EXPECT_EQ(NetworkOf("127.0.0.9"), "127.0.0.9");
}

TEST(SourceTest, TheSameLinkLocalNetworkOfTwoInterfacesIsTwo) {
  asio::ip::address_v6 first = asio::ip::make_address_v6("fe80::1");
  asio::ip::address_v6 second = first;
  first.scope_id(1);
  second.scope_id(2);
  EXPECT_NE(SourceOf(first).network, SourceOf(second).network);
}

}  // namespace
}  // namespace drumbeat::transport
