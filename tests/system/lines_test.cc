// SPDX-License-Identifier: Apache-2.0
//
// What may be typed.
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "system/cluster.h"
#include "system/system_test.h"

namespace drumbeat::system {
namespace {

using namespace std::string_view_literals;

class LinesTest : public SystemTest {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    if (!IsSkipped()) cluster_.StartAndAwaitLeader();
  }

  // Types bytes as they are, and expects that all print `message`.
  void ExpectMessage(std::string_view typed, std::string_view message) {
    cluster_.replica(2).Write(typed);
    ++count_;
    for (const int replica : cluster_.Running()) {
      EXPECT_EQ(cluster_.AwaitUpdate(replica, std::string(message)), count_)
          << "'" << typed.substr(0, 100) << "' at replica " << replica;
    }
  }

  Cluster cluster_;
  std::uint64_t count_ = 1;
};

TEST_F(LinesTest, AnythingIsAMessage) {
  for (const std::string_view line : {""sv,
                                      " "sv,
                                      "add x"sv,
                                      "add"sv,
                                      "remove"sv,
                                      "add me too"sv,
                                      "remove 4 apples"sv,
                                      "remove -1"sv,
                                      "remove  1"sv,
                                      " remove 1"sv,
                                      "remove\t1"sv,
                                      "add localhost:63009 9 9"sv,
                                      "remove 18446744073709551616"sv,
                                      " exit"sv,
                                      "exit now"sv,
                                      "EXIT"sv,
                                      "tab\tand \x1b[31m"sv,
                                      "\0zero\0"sv,
                                      "\xff\xfe\xc0 no UTF-8"sv,
                                      "\xe2\x82\xac"sv,
                                      "x, count:99"sv,
                                      "a\rb"sv}) {
    ExpectMessage(std::string(line) + "\n", line);
  }
  ExpectMessage("a PC's line\r\n", "a PC's line");
  ExpectMessage("two at\nonce\n"sv.substr(0, 7), "two at");
  ExpectMessage("once\n", "once");
}

TEST_F(LinesTest, AMebibyteIsTakenAndAByteMoreIsNot) {
  const std::string longest(std::size_t{1} << 20, 'x');
  ExpectMessage(longest + "\n", longest);
  Program& typist = cluster_.replica(2);
  typist.Write(longest + "y\n");
  EXPECT_TRUE(typist.err().Await("the line is longer than 1 MiB", kLongWait))
      << typist.err().Text();
  ExpectMessage("the next line\n", "the next line");
  const std::string ten(std::size_t{10} << 20, 'z');
  typist.Write(ten + "\n");
  ExpectMessage("and the next\n", "and the next");
  EXPECT_EQ(cluster_.GetHistory().last_count(), count_);
}

TEST_F(LinesTest, ExitAndTheEndOfTheInput) {
  cluster_.replica(3).Type("exit");
  const Ending ending = cluster_.AwaitEnd(3);
  EXPECT_EQ(ending.status, 0);
  EXPECT_FALSE(ending.by_signal);

  Program& typist = cluster_.replica(2);
  typist.Write("last words");
  typist.CloseInput();
  for (const int replica : {1, 2}) EXPECT_EQ(cluster_.AwaitUpdate(replica, "last words"), 2U);
  EXPECT_EQ(cluster_.Say(1, "it still serves"), 3U);
  EXPECT_LT(typist.CpuTime(), std::chrono::seconds(2)) << "busy at the end of the input";
}

}  // namespace
}  // namespace drumbeat::system
