// SPDX-License-Identifier: Apache-2.0
#include "commands.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace helloworld {
namespace {

using drumbeat::ReplicaId;

Command MessageOf(std::string_view text) { return Message{std::string(text)}; }

TEST(CommandsTest, ExitIsExactlyThatWord) {
  EXPECT_EQ(ParseCommand("exit"), Command(Exit{}));
  for (const std::string_view line : {"Exit", "exit ", " exit", "exit now", "exit\r"}) {
    EXPECT_EQ(ParseCommand(line), MessageOf(line)) << line;
  }
}

TEST(CommandsTest, AddTakesAnAddressAndAnId) {
  const Command expected = Add{"localhost:63100", ReplicaId(4)};
  EXPECT_EQ(ParseCommand("add localhost:63100 4"), expected);
  EXPECT_EQ(ParseCommand("ADD localhost:63100 4"), expected);
  EXPECT_EQ(ParseCommand("aDd localhost:63100 4"), expected);
}

TEST(CommandsTest, AnAddressIsNotLookedAtHere) {
  EXPECT_EQ(ParseCommand("add nonsense 4"), Command(Add{"nonsense", ReplicaId(4)}));
}

TEST(CommandsTest, RemoveTakesAnId) {
  EXPECT_EQ(ParseCommand("remove 4"), Command(Remove{ReplicaId(4)}));
  EXPECT_EQ(ParseCommand("Remove 0"), Command(Remove{ReplicaId(0)}));
  EXPECT_EQ(ParseCommand("REMOVE 18446744073709551615"),
            Command(Remove{ReplicaId(18446744073709551615U)}));
}

TEST(CommandsTest, WhatDoesNotParseIsAMessage) {
  for (const std::string_view line : {"",           " ",
                                      "hello",      "add",
                                      "add x",      "add x y",
                                      "add  x 4",   "add x  4",
                                      "add x 4 ",   " add x 4",
                                      "add  4",     "add x -1",
                                      "add x +1",   "add x 0x4",
                                      "add x 4.0",  "add x 18446744073709551616",
                                      "add\tx\t4",  "adds x 4",
                                      "remove",     "remove ",
                                      "remove x",   "remove -1",
                                      "remove  1",  "remove 4 apples",
                                      "remove 4 ",  " remove 4",
                                      "remove\t4",  "remove 99999999999999999999",
                                      "remove 4\r", "r\xc3\xa9move 4"}) {
    EXPECT_EQ(ParseCommand(line), MessageOf(line)) << line;
  }
}

TEST(CommandsTest, AMessageKeepsAllItsBytes) {
  const std::string bytes("a\0b \xff\xfe\t", 8);
  EXPECT_EQ(ParseCommand(bytes), MessageOf(bytes));
}

TEST(CommandsTest, DecimalsAreDigitsOnly) {
  EXPECT_EQ(ParseDecimal("0"), 0U);
  EXPECT_EQ(ParseDecimal("18446744073709551615"), 18446744073709551615U);
  for (const std::string_view text :
       {"", "-0", "+1", " 1", "1 ", "1e3", "0x1", "18446744073709551616"}) {
    EXPECT_FALSE(ParseDecimal(text)) << text;
  }
}

}  // namespace
}  // namespace helloworld
