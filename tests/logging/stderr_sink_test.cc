// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <chrono>
#include <ctime>
#include <regex>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include "drumbeat/log.h"

#include "logging/logger.h"

namespace drumbeat::logging {
namespace {

// Puts a pipe in the place of stderr for the life of a test.
class PipedStderr {
 public:
  PipedStderr() : saved_(::dup(STDERR_FILENO)) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[1]);
    read_end_ = ends[0];
    ::fcntl(read_end_, F_SETFL, O_NONBLOCK);
  }
  ~PipedStderr() {
    ::dup2(saved_, STDERR_FILENO);
    ::close(saved_);
    CloseReadEnd();
  }
  PipedStderr(const PipedStderr&) = delete;
  PipedStderr& operator=(const PipedStderr&) = delete;

  // What is in the pipe now.
  std::string Read() {
    std::string out;
    std::array<char, 4096> buffer{};
    ssize_t size = 0;
    while ((size = ::read(read_end_, buffer.data(), buffer.size())) > 0) {
      out.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return out;
  }
  // Everything up to and with `text`.
  std::string ReadUntil(std::string_view text) {
    std::string out;
    while (out.find(text) == std::string::npos) {
      pollfd readable{.fd = read_end_, .events = POLLIN, .revents = 0};
      if (::poll(&readable, 1, 10'000) != 1) return out + "(nothing more came)";
      out += Read();
    }
    return out;
  }
  void CloseReadEnd() {
    if (read_end_ >= 0) ::close(read_end_);
    read_end_ = -1;
  }
  // Leaves no room for another byte.
  void Fill() {
    const int flags = ::fcntl(STDERR_FILENO, F_GETFL);
    ::fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK);
    const std::string chunk(4096, '.');
    while (::write(STDERR_FILENO, chunk.data(), chunk.size()) > 0) {
    }
    while (::write(STDERR_FILENO, ".", 1) > 0) {
    }
    ::fcntl(STDERR_FILENO, F_SETFL, flags);
  }

 private:
  int saved_;
  int read_end_ = -1;
};

TEST(StderrSinkTest, WritesTimeLevelComponentAndText) {
  PipedStderr pipe;
  MakeStderrSink()->Write(LogLevel::kInfo, "transport", "text");
  const std::string line = pipe.Read();
  EXPECT_TRUE(std::regex_match(
      line, std::regex(R"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} I \| transport: text\n)")))
      << line;
}

TEST(StderrSinkTest, TheTimeIsLocalTime) {
  PipedStderr pipe;
  const std::time_t before = std::time(nullptr);
  MakeStderrSink()->Write(LogLevel::kInfo, "raft", "x");
  const std::time_t after = std::time(nullptr);
  const std::string shown = pipe.Read().substr(0, 19);
  const auto local = [](std::time_t time) {
    std::array<char, 20> text{};
    std::tm parts{};
    std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", ::localtime_r(&time, &parts));
    return std::string(text.data());
  };
  EXPECT_GE(shown, local(before));
  EXPECT_LE(shown, local(after));
}

TEST(StderrSinkTest, EachLevelHasItsLetter) {
  PipedStderr pipe;
  {
    const auto sink = MakeStderrSink();
    sink->Write(LogLevel::kDebug, "a", "one");
    sink->Write(LogLevel::kInfo, "a", "two");
    sink->Write(LogLevel::kWarning, "a", "three");
    sink->Write(LogLevel::kError, "b", "four");
    sink->Write(LogLevel::kCritical, "b", "five");
  }
  std::string letters;
  const std::string text = pipe.Read();
  for (std::size_t bar = text.find(" | "); bar != std::string::npos;
       bar = text.find(" | ", bar + 1)) {
    letters += text[bar - 1];
  }
  EXPECT_EQ(letters, "DIWEC");
}

TEST(StderrSinkTest, TextIsNotAFormat) {
  PipedStderr pipe;
  MakeStderrSink()->Write(LogLevel::kInfo, "raft", "{} %v {0} %n");
  EXPECT_TRUE(pipe.Read().ends_with("I | raft: {} %v {0} %n\n"));
}

TEST(StderrSinkTest, LinesOfOneThreadKeepTheirOrder) {
  PipedStderr pipe;
  {
    const auto sink = MakeStderrSink();
    for (int i = 0; i < 500; ++i) {
      sink->Write(LogLevel::kInfo, i % 2 == 0 ? "even" : "odd", "<" + std::to_string(i) + ">");
    }
  }
  const std::string text = pipe.Read();
  std::size_t at = 0;
  for (int i = 0; i < 500; ++i) {
    at = text.find("<" + std::to_string(i) + ">", at);
    ASSERT_NE(at, std::string::npos) << i;
  }
}

TEST(StderrSinkTest, AFullPipeBlocksNeitherCallersNorTheEnd) {
  PipedStderr pipe;
  pipe.Fill();
  const auto start = std::chrono::steady_clock::now();
  auto sink = MakeStderrSink();
  for (int i = 0; i < 20'000; ++i) {
    sink->Write(LogLevel::kInfo, "raft", "line " + std::to_string(i));
  }
  sink.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));

  // Once somebody reads again, the newest lines come, and how many are missing.
  const std::string text = pipe.ReadUntil("line 19999\n");
  EXPECT_EQ(text.find("line 10000\n"), std::string::npos);
  EXPECT_NE(text.find("W | logging: "), std::string::npos);
  EXPECT_NE(text.find(" lines were dropped, stderr was not read in time\n"), std::string::npos);
}

// Whoever shares it may have made it non-blocking.
TEST(StderrSinkTest, ANonBlockingPipeIsWaitedFor) {
  PipedStderr pipe;
  ::fcntl(STDERR_FILENO, F_SETFL, ::fcntl(STDERR_FILENO, F_GETFL) | O_NONBLOCK);
  const auto sink = MakeStderrSink();
  const std::string filling(200, '.');
  for (int i = 0; i < 2000; ++i) {
    sink->Write(LogLevel::kInfo, "raft", filling + "<" + std::to_string(i) + ">");
  }
  const std::string text = pipe.ReadUntil("<1999>\n");
  std::size_t at = 0;
  for (int i = 0; i < 2000; ++i) {
    at = text.find("I | raft: " + filling + "<" + std::to_string(i) + ">\n", at);
    ASSERT_NE(at, std::string::npos) << i;
  }
}

TEST(StderrSinkTest, AClosedPipeIsNotTheEndOfTheProcess) {
  PipedStderr pipe;
  pipe.CloseReadEnd();
  const auto sink = MakeStderrSink();
  sink->Write(LogLevel::kError, "raft", "nobody hears this");
}

TEST(StderrSinkTest, AVeryLongTextIsCut) {
  PipedStderr pipe;
  MakeStderrSink()->Write(LogLevel::kInfo, "raft", std::string(1 << 20, 'x'));
  EXPECT_LT(pipe.Read().size(), 10'000U);
}

}  // namespace
}  // namespace drumbeat::logging
