// SPDX-License-Identifier: Apache-2.0
#include "line_writer.h"

#include <chrono>
#include <csignal>
#include <regex>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "pipe.h"

namespace helloworld {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(LineWriterTest, WritesEachLineAtOnce) {
  Pipe pipe;
  LineWriter writer(pipe.write_end());
  writer.Write("one");
  EXPECT_EQ(pipe.ReadUntil("\n"), "one\n");
  writer.Write("");
  EXPECT_EQ(pipe.ReadUntil("\n"), "\n");
}

TEST(LineWriterTest, WritesBytesAsTheyAre) {
  Pipe pipe;
  LineWriter writer(pipe.write_end());
  writer.Write(std::string("a\0\xff\x1b\rb", 6));
  EXPECT_EQ(pipe.ReadUntil("\n"), std::string("a\0\xff\x1b\rb\n", 7));
}

TEST(LineWriterTest, TheEndWaitsForTheLastLines) {
  Pipe pipe;
  {
    LineWriter writer(pipe.write_end());
    for (int i = 0; i < 100; ++i) writer.Write(std::to_string(i));
  }
  pipe.CloseWriteEnd();
  EXPECT_TRUE(pipe.ReadUntil("99\n").starts_with("0\n1\n2\n"));
}

TEST(LineWriterTest, FlushSaysWhetherEverythingIsWritten) {
  Pipe pipe;
  LineWriter writer(pipe.write_end());
  writer.Write("one");
  EXPECT_TRUE(writer.Flush(seconds(10)));
  pipe.Fill();
  writer.Write("two");
  EXPECT_FALSE(writer.Flush(milliseconds(1)));
  pipe.ReadUntil("two\n");
  EXPECT_TRUE(writer.Flush(seconds(10)));
}

TEST(LineWriterTest, ALineLargerThanThePipeArrivesWhole) {
  Pipe pipe;
  LineWriter writer(pipe.write_end());
  const std::string line(3 << 20, 'x');
  writer.Write(line);
  EXPECT_EQ(pipe.ReadUntil("\n").size(), line.size() + 1);
}

// The writing thread may still be in its write() when the test ends, and needs the descriptor.
TEST(LineWriterTest, NobodyWaitsForAReaderThatDoesNotRead) {
  Pipe pipe;
  pipe.Fill();
  const auto start = std::chrono::steady_clock::now();
  {
    LineWriter writer(pipe.write_end());
    for (int i = 0; i < 10'000; ++i) writer.Write("line " + std::to_string(i));
  }
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_GE(took, LineWriter::kLastWait);
  EXPECT_LT(took, LineWriter::kLastWait + seconds(5));
  pipe.ReadUntil("line 0\n");
}

TEST(LineWriterTest, TheOldestLinesGiveWayAndAreCounted) {
  Pipe pipe;
  pipe.Fill();
  LineWriter writer(pipe.write_end(), 1000);
  for (int i = 1000; i < 2000; ++i) writer.Write(std::to_string(i));  // 5 bytes each
  std::string text = pipe.ReadUntil("\n1999\n");
  text.erase(0, text.find_first_not_of('.'));
  std::smatch match;
  // What is being written when the pipe fills up is not lost: line 1000, or not yet that.
  const std::regex shape(
      R"(^(1000\n)?\((\d+) lines are missing here: nobody read them in time\)\n(\d+)\n)");
  ASSERT_TRUE(std::regex_search(text, match, shape)) << text.substr(0, 200);
  const int missing = std::stoi(match[2]);
  const int first_shown = std::stoi(match[3]);
  EXPECT_EQ(first_shown, 1800);
  EXPECT_EQ(missing, match[1].matched ? 799 : 800);
}

TEST(LineWriterTest, AnOutputThatIsGoneIsNoError) {
  std::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  pipe.CloseReadEnd();
  LineWriter writer(pipe.write_end());
  writer.Write("into the void");
  EXPECT_TRUE(writer.Flush(seconds(10)));
  writer.Write("and this");
  EXPECT_TRUE(writer.Flush(seconds(10)));
}

TEST(LineWriterTest, ANonBlockingOutputIsWaitedFor) {
  Pipe pipe;
  ::fcntl(pipe.write_end(), F_SETFL, O_NONBLOCK);
  LineWriter writer(pipe.write_end());
  const std::string line(1 << 20, 'x');
  writer.Write(line);
  EXPECT_EQ(pipe.ReadUntil("\n").size(), line.size() + 1);
}

}  // namespace
}  // namespace helloworld
