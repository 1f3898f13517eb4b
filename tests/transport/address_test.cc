// SPDX-License-Identifier: Apache-2.0
#include "transport/address.h"

#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace drumbeat::transport {
namespace {

struct Row {
  std::string_view text;
  /// What Dragonboat's members accept, and what is accepted with IPv6 allowed.
  bool dragonboat;
  bool ipv6_too;
};

using namespace std::literals;

TEST(AddressTest, SyntaxIsDragonboats) {
  const std::string label63(63, 'a');
  const std::string label64(64, 'a');
  const std::string longest = label63 + "." + label63 + "." + label63 + "." + std::string(61, 'b');
  const std::string label63_port = label63 + ":1";
  const std::string label64_port = label64 + ":1";
  const std::string longest_port = longest + ":1";
  const std::string too_long_port = longest + "b:1";
  const Row rows[] = {
      {"localhost:63001", true, true},
      {"LocalHost:63001", true, true},
      {" localhost:63001\t\n", true, true},
      {"a:1", true, true},
      {"a.b-c.d9:65535", true, true},
      {"127.0.0.1:63001", true, true},
      {"0.0.0.0:80", true, true},
      {label63_port, true, true},
      {longest_port, true, true},
      {"[::1]:63001", false, true},
      {"[2001:DB8::7]:63001", false, true},
      {"[::ffff:1.2.3.4]:1", false, true},
      {"", false, false},
      {" ", false, false},
      {":", false, false},
      {":63001", false, false},
      {"localhost", false, false},
      {"localhost:", false, false},
      {"localhost:0", false, false},
      {"localhost:65536", false, false},
      {"localhost:99999999999999999999", false, false},
      {"localhost:-1", false, false},
      {"localhost:+1", false, false},
      {"localhost:1x", false, false},
      {"localhost: 1", false, false},
      {"localhost :1", false, false},
      {"localhost:1:2", false, false},
      {"node_9:64002", false, false},
      {"9node:64002", false, false},
      {"-a:1", false, false},
      {"a-:1", false, false},
      {"a..b:1", false, false},
      {".a:1", false, false},
      {"a.:1", false, false},
      {"a.-b:1", false, false},
      {"a/b:1", false, false},
      {"a\0b:1"sv, false, false},
      {"http://a:1", false, false},
      {"256.0.0.1:1", false, false},
      {"1.2.3:1", false, false},
      {"1.2.3.4.5:1", false, false},
      {"1:1", false, false},
      {label64_port, false, false},
      {too_long_port, false, false},
      {"::1:63001", false, false},
      {"[::1]", false, false},
      {"[::1]63001", false, false},
      {"[::1:63001", false, false},
      {"[]:1", false, false},
      {"[localhost]:1", false, false},
      {"[127.0.0.1]:1", false, false},
      {"[fe80::1%lo]:1", false, false},
      {"[::1\0]:1"sv, false, false},
      {"\xc3\xa4:1", false, false},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(ParseAddress(row.text, AddressSyntax::kDragonboat).has_value(), row.dragonboat)
        << row.text;
    EXPECT_EQ(ParseAddress(row.text, AddressSyntax::kIpv6Too).has_value(), row.ipv6_too)
        << row.text;
  }
}

TEST(AddressTest, TakesHostAndPortApart) {
  const auto name = ParseAddress(" node-1.example:63001 ", AddressSyntax::kDragonboat);
  ASSERT_TRUE(name);
  EXPECT_EQ(name->host, "node-1.example");
  EXPECT_EQ(name->port, 63001);
  const auto v6 = ParseAddress("[::1]:7", AddressSyntax::kIpv6Too);
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->port, 7);
}

TEST(AddressTest, PortZeroIsOnlyForListening) {
  EXPECT_FALSE(ParseAddress("localhost:0", AddressSyntax::kIpv6Too));
  const auto listening = ParseAddress("localhost:0", AddressSyntax::kIpv6Too, true);
  ASSERT_TRUE(listening);
  EXPECT_EQ(listening->port, 0);
}

TEST(AddressTest, NormalAddressesAreTrimmedAndLowerCase) {
  EXPECT_EQ(NormalizeAddress(" \tLocalHost:63001\r\n"), "localhost:63001");
  EXPECT_EQ(NormalizeAddress("127.0.0.1:1"), "127.0.0.1:1");
  EXPECT_EQ(NormalizeAddress(" \n"), "");
}

}  // namespace
}  // namespace drumbeat::transport
