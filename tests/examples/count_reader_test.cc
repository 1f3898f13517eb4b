// SPDX-License-Identifier: Apache-2.0
#include "count_reader.h"

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "fake_shard_client.h"

namespace helloworld {
namespace {

using drumbeat::ErrorCode;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Fake = FakeShardClient;

class CountReaderTest : public testing::Test {
 protected:
  // Runs it for so many rounds; each line is marked with the second that it was printed in.
  std::vector<std::string> Run(int rounds) {
    std::stop_source stop;
    client_.on_pause = [&] {
      if (on_pause_) on_pause_();
      if (rounds-- == 0) stop.request_stop();
    };
    std::vector<std::string> lines;
    PrintCounts(client_, stop.get_token(), [&](const std::string& line) {
      lines.push_back(std::to_string(client_.Elapsed() / seconds(1)) + " s: " + line);
    });
    return lines;
  }

  FakeShardClient client_;
  std::function<void()> on_pause_;
};

TEST_F(CountReaderTest, PrintsTheCountEveryTenSeconds) {
  client_.count = 7;
  EXPECT_EQ(Run(3),
            (std::vector<std::string>{"10 s: count: 7", "20 s: count: 7", "30 s: count: 7"}));
}

TEST_F(CountReaderTest, PrintsNothingWhenAReadFails) {
  client_.read = {Fake::Hangs(), Fake::Fails(ErrorCode::kNoLeader), Fake::Ok()};
  EXPECT_EQ(Run(3), (std::vector<std::string>{"30 s: count: 0"}));
}

TEST_F(CountReaderTest, ASlowReadDoesNotShiftTheNext) {
  client_.read = {{.takes = milliseconds(2500), .code = {}, .message = {}}};
  EXPECT_EQ(Run(2), (std::vector<std::string>{"12 s: count: 0", "22 s: count: 0"}));
}

TEST_F(CountReaderTest, WhatAStoppedProcessMissedIsNotMadeUpFor) {
  int pauses = 0;
  on_pause_ = [&] {
    if (++pauses == 1) client_.Advance(seconds(65));
  };
  EXPECT_EQ(Run(3),
            (std::vector<std::string>{"75 s: count: 0", "80 s: count: 0", "90 s: count: 0"}));
}

}  // namespace
}  // namespace helloworld
