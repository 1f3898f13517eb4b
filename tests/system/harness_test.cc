// SPDX-License-Identifier: Apache-2.0
//
// The harness itself, tried on a stand-in for the executable and on small programs.
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/syscall.h>

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include "system/cluster.h"
#include "system/namespace.h"
#include "system/program.h"
#include "system/system_test.h"

namespace drumbeat::system {
namespace {

using std::chrono::milliseconds;

class HarnessTest : public SystemTest {
 protected:
  ProgramOptions Shell(const std::string& script) const {
    ProgramOptions options;
    options.executable = "/bin/sh";
    options.arguments = {"-c", script};
    options.directory = folder_.path();
    return options;
  }

  static ProgramOptions StandIn(const Cluster& cluster, int replica) {
    ProgramOptions options = cluster.Options(replica);
    options.executable = DRUMBEAT_STAND_IN;
    return options;
  }

  const TemporaryFolder folder_;
};

TEST_F(HarnessTest, APipedProgramIsReadLineByLine) {
  Program program(Shell("echo one; echo two >&2; read x; printf \"$x\"; exit 3"));
  EXPECT_TRUE(program.out().Await("one", kLongWait));
  EXPECT_TRUE(program.err().Await("two", kLongWait));
  program.Type("last");
  const auto ending = program.AwaitEnd(kLongWait);
  ASSERT_TRUE(ending);
  EXPECT_EQ(ending->status, 3);
  EXPECT_FALSE(ending->by_signal);
  EXPECT_EQ(program.out().Text(), "one\nlast\n");
}

TEST_F(HarnessTest, ATerminalEchoesAndInterrupts) {
  ProgramOptions options = Shell("test -t 0 && test -t 2 && echo terminal; exec cat");
  options.console = Console::kTerminal;
  Program program(options);
  EXPECT_TRUE(program.out().Await("terminal", kLongWait));
  program.Type("hello");
  // The echo, and what cat says.
  int hellos = 0;
  const auto twice = [&](const std::string& line) { return line == "hello" && ++hellos == 2; };
  EXPECT_TRUE(program.out().Await(twice, kLongWait));
  program.PressCtrlC();
  const auto ending = program.AwaitEnd(kLongWait);
  ASSERT_TRUE(ending);
  EXPECT_EQ(ending->status, 130);
  EXPECT_TRUE(ending->by_signal);
}

TEST_F(HarnessTest, AProgramDiesWithItsObject) {
  Descriptor child;
  {
    Program program(Shell("sleep 1000 & echo $!; wait"));
    const auto line = program.out().Await("", kLongWait);
    ASSERT_TRUE(line);
    child = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, std::stoi(line->text), 0)));
    ASSERT_GE(child.get(), 0);
  }
  pollfd ended{.fd = child.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&ended, 1, 10'000), 1);
}

TEST_F(HarnessTest, ASanitizersReportIsAFailure) {
  for (const std::string report :
       {"WARNING: ThreadSanitizer: data race", "a.cc:1:2: runtime error: x"}) {
    EXPECT_NONFATAL_FAILURE(
        {
          Program program(Shell("echo '" + report + "' >&2; kill -9 $$"));
          EXPECT_TRUE(program.AwaitEnd(kLongWait));
        },
        report);
  }
}

TEST_F(HarnessTest, NobodyReadsAFullPipe) {
  ProgramOptions options = Shell("echo out; echo done >&2");
  options.stdout_reading = Reading::kLater;
  Program program(options);
  EXPECT_FALSE(program.err().Await("done", milliseconds(100)));
  program.ReadOutput();
  EXPECT_TRUE(program.err().Await("done", kLongWait));
  EXPECT_TRUE(program.out().Await("out", kLongWait));
}

TEST_F(HarnessTest, AnotherUserRunsWithoutRights) {
  if (!CanRunAsOthers()) GTEST_SKIP() << "*** NOT TESTED: needs real root ***";
  ProgramOptions options = Shell("id -u");
  options.directory = "/";
  options.user = 10'001;
  Program program(options);
  EXPECT_TRUE(program.out().Await("10001", kLongWait));
}

TEST_F(HarnessTest, MountsAreReadOnlyOrSmall) {
  ASSERT_TRUE(MountReadOnly(folder_.path()));
  EXPECT_FALSE(std::ofstream(folder_.path() / "file"));
  ASSERT_TRUE(Unmount(folder_.path()));
  ASSERT_TRUE(MountSmallDisk(folder_.path(), 1 << 20));
  EXPECT_EQ(std::filesystem::space(folder_.path()).capacity, 1U << 20);
  ASSERT_TRUE(Unmount(folder_.path()));
  EXPECT_TRUE(std::ofstream(folder_.path() / "file"));
}

TEST_F(HarnessTest, AClusterIsTypedAtAndAgrees) {
  for (const Console console : {Console::kPipes, Console::kTerminal}) {
    Cluster cluster(console);
    for (const int replica : Cluster::kFounders) cluster.Start(replica, StandIn(cluster, replica));
    EXPECT_EQ(cluster.Say(1, "hi there"), 1U);
    EXPECT_EQ(cluster.Leader(), 3);
    cluster.Stop(3);
    EXPECT_EQ(cluster.Say(2, "again"), 2U);
    cluster.Kill(2);
    cluster.Start(3, StandIn(cluster, 3));
    EXPECT_EQ(cluster.AwaitUpdate(3, "again"), 2U);
    cluster.replica(1).Type("exit");
    EXPECT_EQ(cluster.AwaitEnd(1).status, 0);
    EXPECT_EQ(cluster.GetHistory().last_count(), 2U);
  }
}

}  // namespace
}  // namespace drumbeat::system
