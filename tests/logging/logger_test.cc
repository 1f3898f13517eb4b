// SPDX-License-Identifier: Apache-2.0
#include "logging/logger.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace drumbeat::logging {
namespace {

class RecordingSink final : public LogSink {
 public:
  void Write(LogLevel level, std::string_view component, std::string_view text) override {
    lines.push_back(std::to_string(static_cast<int>(level)) + " " + std::string(component) + " " +
                    std::string(text));
  }
  std::vector<std::string> lines;
};

TEST(LoggerTest, DropsWhatIsBelowItsLevel) {
  const auto sink = std::make_shared<RecordingSink>();
  const Logger logger(sink, LogLevel::kWarning, "raft");
  logger.Info("no");
  logger.Warning("yes");
  logger.Error("yes too");
  EXPECT_EQ(sink->lines, (std::vector<std::string>{"2 raft yes", "3 raft yes too"}));
  EXPECT_FALSE(logger.Enabled(LogLevel::kInfo));
}

TEST(LoggerTest, SpeaksForAnotherComponent) {
  const auto sink = std::make_shared<RecordingSink>();
  Logger(sink, LogLevel::kDebug, "raft").For("transport").Debug("x");
  EXPECT_EQ(sink->lines, (std::vector<std::string>{"0 transport x"}));
}

TEST(LoggerTest, WithoutASinkItSaysNothing) {
  Logger(nullptr, LogLevel::kDebug, "raft").Error("into the void");
}

class ThrowingSink : public LogSink {
 public:
  void Write(LogLevel, std::string_view, std::string_view) override { throw 1; }
};

TEST(LoggerTest, ASinkThatThrowsHarmsNobody) {
  const Logger logger(std::make_shared<ThrowingSink>(), LogLevel::kInfo, "raft");
  EXPECT_NO_THROW(logger.Error("a line"));
}

TEST(LoggerTest, EscapesControlCharacters) {
  EXPECT_EQ(Escape("a\nb\rc\td\x01\x7f"), "a\\nb\\rc\\td\\x01\\x7f");
  EXPECT_EQ(Escape(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(Escape("caf\xc3\xa9"), "caf\xc3\xa9");
}

TEST(LoggerTest, NamesAReplicaWithFiveDigitsAtLeast) {
  EXPECT_EQ(Name(ShardId(128), ReplicaId(2)), "[00128:00002]");
  EXPECT_EQ(Name(ReplicaRef{ShardId(123456), ReplicaId(7)}), "[123456:00007]");
}

}  // namespace
}  // namespace drumbeat::logging
