// SPDX-License-Identifier: Apache-2.0
//
// `make run`: the group of three in one terminal, with the real program.
#include <cerrno>
#include <csignal>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "system/cluster.h"
#include "system/program.h"
#include "system/settings.h"
#include "system/system_test.h"

namespace drumbeat::system {
namespace {

class RunThreeTest : public SystemTest {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    if (IsSkipped()) return;
    ProgramOptions options;
    options.executable = "/usr/bin/env";
    options.arguments = {"python3", DRUMBEAT_RUN_THREE, ExampleProgram()};
    options.directory = folder_.path();
    options.console = Console::kTerminal;
    runner_ = std::make_unique<Program>(options);
  }

  void ExpectLine(const std::string& line) const {
    const auto is_line = [&](const std::string& text) { return text == line; };
    EXPECT_TRUE(Out().Await(is_line, kLongWait)) << "no '" << line << "' in\n" << Out().Text();
  }
  void ExpectUpdate(const std::vector<int>& replicas, const std::string& update) const {
    for (const int replica : replicas) {
      ExpectLine(std::to_string(replica) + " | from Update() : " + update);
    }
  }

  std::vector<pid_t> Replicas() const {
    const std::string pid = std::to_string(runner_->pid());
    std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
    std::vector<pid_t> pids;
    for (pid_t child = 0; children >> child;) pids.push_back(child);
    return pids;
  }

  const Capture& Out() const { return runner_->out(); }

  const TemporaryFolder folder_;
  std::unique_ptr<Program> runner_;
};

TEST_F(RunThreeTest, ThreeReplicasInOneTerminal) {
  for (const char* replica : {"1", "2", "3"}) {
    ExpectLine(std::string(replica) + " | node address: localhost:6300" + replica);
  }
  // What is logged is marked, too.
  ASSERT_TRUE(Out().Await("] became leader in term ", kLongWait)) << Out().Text();
  for (const Line& line : Out().Lines()) {
    EXPECT_TRUE(line.text.size() > 4 && line.text[0] >= '1' && line.text[0] <= '3' &&
                line.text.substr(1, 3) == " | ")
        << line.text;
  }
  runner_->Type("hi there");
  ExpectUpdate({1, 2, 3}, "msg: hi there, count:1");
  runner_->Type("2:hello from two");
  ExpectUpdate({1, 2, 3}, "msg: hello from two, count:2");
  // Only the one that it was typed at answers.
  runner_->Type("2:remove 9");
  ExpectLine("2 | membership change failed, replica 9 is not a member");
  runner_->Type("3:remove 8");
  ExpectLine("3 | membership change failed, replica 8 is not a member");
  runner_->Type("3:exit");
  ExpectLine("3 | (ended; the others go on)");
  runner_->Type("3:too late");
  ExpectLine("3 | has ended, the line is lost");
  runner_->Type("still here");
  ExpectUpdate({1, 2}, "msg: still here, count:3");
  runner_->PressCtrlC();
  EXPECT_TRUE(runner_->AwaitEnd(kLongWait));
}

TEST_F(RunThreeTest, CtrlCEndsAllThreeInOrderAndLeavesNothing) {
  ASSERT_TRUE(Out().Await("] became leader in term ", kLongWait)) << Out().Text();
  runner_->Type("before the end");
  ExpectUpdate({1, 2, 3}, "msg: before the end, count:1");
  const std::vector<pid_t> replicas = Replicas();
  ASSERT_EQ(replicas.size(), 3U);

  const auto pressed = Clock::now();
  runner_->PressCtrlC();
  const auto ending = runner_->AwaitEnd(kLongWait);
  ASSERT_TRUE(ending) << Out().Text();
  EXPECT_EQ(ending->status, 0);
  EXPECT_FALSE(ending->by_signal);
  // Whoever has not ended after three seconds is killed.
  const double took = Seconds(Clock::now() - pressed);
  EXPECT_TRUE(took < 3 || kSanitized) << took << " s\n" << Out().Text();
  for (const pid_t replica : replicas) {
    EXPECT_TRUE(::kill(replica, 0) != 0 && errno == ESRCH) << "process " << replica << " goes on";
  }

  // In order: what was said is there, and the next start finds nothing in its way.
  ProgramOptions options;
  options.executable = ExampleProgram();
  options.arguments = {"-replicaid", "2"};
  options.directory = folder_.path();
  Program again(options);
  EXPECT_TRUE(again.out().Await("msg: before the end, count:1", kLongWait)) << again.err().Text();
}

}  // namespace
}  // namespace drumbeat::system
