// SPDX-License-Identifier: Apache-2.0
#include "line_reader.h"

#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include <gtest/gtest.h>

#include "pipe.h"

namespace helloworld {
namespace {

using Event = LineReader::Event;

class LineReaderTest : public testing::Test {
 protected:
  // The next event, and what it says.
  std::string Next() {
    std::string line;
    switch (reader_.Next(line)) {
      case Event::kLine: return "line <" + line + ">";
      case Event::kTooLong: return "too long";
      case Event::kStopped: return "stopped";
    }
    return "?";
  }
  std::string NextOfManyBytes(std::size_t* size) {
    std::string line;
    const Event event = reader_.Next(line);
    *size = line.size();
    return event == Event::kLine ? "line" : "other";
  }

  Pipe pipe_;
  std::stop_source stop_;
  LineReader reader_{pipe_.read_end(), stop_.get_token()};
};

TEST_F(LineReaderTest, LinesEndWithOrWithoutACarriageReturn) {
  pipe_.Write("one\ntwo\r\n\n\r\n a b \n\rx\ry\r\r\n");
  EXPECT_EQ(Next(), "line <one>");
  EXPECT_EQ(Next(), "line <two>");
  EXPECT_EQ(Next(), "line <>");
  EXPECT_EQ(Next(), "line <>");
  EXPECT_EQ(Next(), "line < a b >");
  EXPECT_EQ(Next(), "line <\rx\ry\r>");
}

TEST_F(LineReaderTest, AnyBytesAreALine) {
  pipe_.Write(std::string_view("\0\xff\xfe\x1b\n", 5));
  EXPECT_EQ(Next(), "line <" + std::string("\0\xff\xfe\x1b", 4) + ">");
}

TEST_F(LineReaderTest, ALineMayComeInPieces) {
  pipe_.Write("on");
  std::thread writer([this] {
    pipe_.Write("e");
    pipe_.Write("\r");
    pipe_.Write("\nt");
    pipe_.Write("wo\n");
  });
  EXPECT_EQ(Next(), "line <one>");
  EXPECT_EQ(Next(), "line <two>");
  writer.join();
}

TEST_F(LineReaderTest, TheLastLineNeedsNoEnd) {
  pipe_.Write("one\nlast");
  pipe_.CloseWriteEnd();
  EXPECT_EQ(Next(), "line <one>");
  EXPECT_EQ(Next(), "line <last>");
}

TEST_F(LineReaderTest, ACarriageReturnAtTheEndOfTheInputIsNoLineEnd) {
  pipe_.Write("last\r");
  pipe_.CloseWriteEnd();
  EXPECT_EQ(Next(), "line <last\r>");
}

TEST_F(LineReaderTest, TheEndOfTheInputIsNotTheEnd) {
  pipe_.Write("one\n");
  pipe_.CloseWriteEnd();
  EXPECT_EQ(Next(), "line <one>");
  std::jthread stopper([this] { stop_.request_stop(); });
  EXPECT_EQ(Next(), "stopped");
}

TEST_F(LineReaderTest, TheStopWakesAReaderThatWaits) {
  std::jthread stopper([this] { stop_.request_stop(); });
  EXPECT_EQ(Next(), "stopped");
  EXPECT_EQ(Next(), "stopped");
}

TEST_F(LineReaderTest, AfterTheStopNoLineIsHandedOut) {
  pipe_.Write("one\n");
  stop_.request_stop();
  EXPECT_EQ(Next(), "stopped");
}

TEST_F(LineReaderTest, AClosedInputIsAnEndOfIt) {
  LineReader reader(-1, stop_.get_token());
  std::jthread stopper([this] { stop_.request_stop(); });
  std::string line;
  EXPECT_EQ(reader.Next(line), Event::kStopped);
}

TEST_F(LineReaderTest, ALineMayHaveOneMebibyte) {
  const std::string longest(LineReader::kMaxLineBytes, 'x');
  std::thread writer([&] {
    pipe_.Write(longest + "\n" + longest + "\r\n");
    pipe_.Write(longest + "x\n" + longest + "x\r\n" + "next\n");
    pipe_.Write(longest + longest + longest + "\nand next\n" + longest + longest);
    pipe_.CloseWriteEnd();
  });
  std::size_t size = 0;
  EXPECT_EQ(NextOfManyBytes(&size), "line");
  EXPECT_EQ(size, longest.size());
  EXPECT_EQ(NextOfManyBytes(&size), "line");
  EXPECT_EQ(size, longest.size());
  EXPECT_EQ(Next(), "too long");
  EXPECT_EQ(Next(), "too long");
  EXPECT_EQ(Next(), "line <next>");
  EXPECT_EQ(Next(), "too long");
  EXPECT_EQ(Next(), "line <and next>");
  EXPECT_EQ(Next(), "too long");
  writer.join();
}

}  // namespace
}  // namespace helloworld
