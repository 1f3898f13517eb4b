// SPDX-License-Identifier: Apache-2.0
#include "line_writer.h"

#include <chrono>
#include <csignal>
#include <regex>
#include <sstream>
#include <string>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

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
  // Where the writing thread stands when the pipe fills up is up to the machine; but each line is
  // either shown in its place or counted in a gap, and the newest 1,000 bytes are all there.
  const std::regex gap(R"(\((\d+) lines are missing here: nobody read them in time\))");
  std::istringstream lines(text);
  std::string line;
  int next = 1000;
  int missing = 0;
  while (std::getline(lines, line)) {
    std::smatch match;
    if (std::regex_match(line, match, gap)) {
      missing += std::stoi(match[1]);
      next += std::stoi(match[1]);
    } else {
      ASSERT_EQ(line, std::to_string(next)) << text.substr(0, 200);
      ++next;
    }
  }
  EXPECT_EQ(next, 2000);
  EXPECT_GE(missing, 798);
  EXPECT_LE(missing, 800);
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

// In all that takes longer than the end waits for somebody who does not read.
TEST(LineWriterTest, TheEndWaitsWhileSomebodyReads) {
  Pipe pipe;
  pipe.Fill();
  LineWriter writer(pipe.write_end());
  writer.Write(std::string(1 << 20, 'x'));
  writer.Write("last");
  std::jthread reader([&] {
    std::string all;
    while (!all.ends_with("last\n")) {
      const std::string more = pipe.Read();
      if (more.empty()) return;
      all += more;
      std::this_thread::sleep_for(LineWriter::kLastWait / 6);
    }
  });
  EXPECT_EQ(writer.Close(), 0u);
}

TEST(LineWriterTest, TheEndSaysHowMuchNobodyRead) {
  Pipe pipe;
  pipe.Fill();
  LineWriter writer(pipe.write_end());
  for (int i = 0; i < 100; ++i) writer.Write("line");
  EXPECT_EQ(writer.Close(), 100u);
  EXPECT_EQ(writer.Close(), 0u);
  pipe.ReadUntil("line\n");
}

TEST(LineWriterTest, WhatCannotBeWrittenIsCountedAndTheRestComes) {
  Pipe pipe;
  const int fd = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  {
    LineWriter writer(fd);
    for (const char* line : {"one", "two", "three"}) {
      writer.Write(line);
      EXPECT_TRUE(writer.Flush(seconds(10)));
    }
    ASSERT_EQ(::dup3(pipe.write_end(), fd, O_CLOEXEC), fd);  // there is room again
    writer.Write("four");
    EXPECT_EQ(pipe.ReadUntil("four\n"),
              "(3 lines are missing here: they could not be written)\nfour\n");
  }
  ::close(fd);
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
