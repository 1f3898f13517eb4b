// SPDX-License-Identifier: Apache-2.0
//
// Starts that cannot succeed: one line, a status, and nothing left behind.
#include <arpa/inet.h>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <vector>

#include <gtest/gtest.h>

#include "base/crc.h"
#include "system/cluster.h"
#include "system/namespace.h"
#include "system/stranger.h"
#include "system/system_test.h"

namespace drumbeat::system {
namespace {

namespace fs = std::filesystem;

class StartFailureTest : public SystemTest {
 protected:
  struct Outcome {
    int status = -1;
    std::string out;
    std::vector<std::string> errors;  // lines of stderr that are no log lines
  };

  static bool IsLog(const std::string& line) {
    return line.size() > 29 && line[4] == '-' && line[26] == ' ' && line[28] == ' ';
  }

  // Runs the program to its end.
  Outcome Run(std::vector<std::string> arguments) {
    ProgramOptions options = cluster_.Options(1);
    options.arguments = std::move(arguments);
    Program program(options);
    const auto ending = program.AwaitEnd(kLongWait);
    EXPECT_TRUE(ending) << "it runs\n" << program.err().Tail();
    Outcome outcome;
    if (!ending) return outcome;
    EXPECT_FALSE(ending->by_signal);
    outcome.status = ending->status;
    outcome.out = program.out().Text();
    for (const Line& line : program.err().Lines()) {
      if (!IsLog(line.text)) outcome.errors.push_back(line.text);
    }
    return outcome;
  }

  // One line with `part`, and status 1.
  void ExpectRefused(const std::vector<std::string>& arguments, const std::string& part) {
    const Outcome outcome = Run(arguments);
    EXPECT_EQ(outcome.status, 1) << part;
    ASSERT_EQ(outcome.errors.size(), 1U) << part;
    EXPECT_NE(outcome.errors[0].find(part), std::string::npos)
        << "not '" << part << "' but '" << outcome.errors[0] << "'";
  }

  // Usage, and status 2.
  void ExpectBadUsage(const std::vector<std::string>& arguments) {
    const std::string what = arguments.empty() ? "" : arguments.back();
    const Outcome outcome = Run(arguments);
    EXPECT_EQ(outcome.status, 2) << what;
    ASSERT_GE(outcome.errors.size(), 2U) << what;
    EXPECT_NE(outcome.errors[0], "") << what;
    EXPECT_NE(outcome.errors[1] + outcome.errors[2], "") << what;
    EXPECT_EQ(outcome.out, "") << what;
  }

  // Starts replica `id` and ends it when it serves: its folder is made.
  void MakeFolder(int id, std::vector<std::string> flags = {}) {
    cluster_.Start(id, std::move(flags));
    ExpectListens(id);
    cluster_.Stop(id);
  }

  void ExpectListens(int id) {
    EXPECT_TRUE(Stranger::AwaitPort(static_cast<std::uint16_t>(id <= 3 ? 63000 + id : 63100)))
        << cluster_.replica(id).err().Tail();
  }

  Cluster cluster_;
};

TEST_F(StartFailureTest, TheUsageIsGoesAndMore) {
  ExpectBadUsage({"-bogus"});
  ExpectBadUsage({"-replicaid"});
  ExpectBadUsage({"-addr"});
  for (const std::string id : {"", "x", "-1", "+1", "1x", "0x1", "1.0", "18446744073709551616"}) {
    ExpectBadUsage({"-replicaid", id});
    ExpectBadUsage({"--replicaid=" + id});
  }
  ExpectBadUsage({"-join=perhaps"});
  for (const std::string help : {"-h", "-help", "--help"}) {
    const Outcome outcome = Run({help});
    EXPECT_EQ(outcome.status, 0) << help;
    EXPECT_NE(outcome.out.find("replicaid"), std::string::npos) << outcome.out;
  }
  const Outcome version = Run({"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_NE(version.out.find("example-helloworld"), std::string::npos);
  EXPECT_FALSE(fs::exists(cluster_.directory() / "example-data"));
}

TEST_F(StartFailureTest, IdsAndAddressesAreLookedAtFirst) {
  const std::string three = "node id must be 1, 2 or 3 when address is not specified";
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"-replicaid", "5"},
           {"--replicaid=4"},
           {"-replicaid", "5", "-join"},
           {"-replicaid", "1", "-replicaid", "18446744073709551615"}}) {
    const Outcome outcome = Run(arguments);
    EXPECT_EQ(outcome.status, 1);
    EXPECT_EQ(outcome.errors, std::vector<std::string>{three});
  }
  ExpectRefused({"-replicaid", "0"}, "0");
  ExpectRefused({"-replicaid", "0", "-addr", "localhost:63001"}, "0");
  for (const std::string address : {"localhost", "localhost:", ":", "localhost:65536", "a b:1",
                                    "localhost:x", "localhost:-1", "[::1", ""}) {
    const Outcome outcome = Run({"-replicaid", "4", "-join", "-addr", address});
    EXPECT_EQ(outcome.status, 1) << "'" << address << "'";
    EXPECT_EQ(outcome.errors.size(), 1U) << "'" << address << "'";
  }
  EXPECT_FALSE(fs::exists(cluster_.directory() / "example-data"));
}

TEST_F(StartFailureTest, AFolderInUseIsNamedWithItsUser) {
  cluster_.Start(1);
  ExpectListens(1);
  ExpectRefused({"-replicaid", "1"}, std::to_string(cluster_.replica(1).pid()));
  EXPECT_TRUE(cluster_.replica(1).Running());
}

TEST_F(StartFailureTest, APortInUseLeavesNoFolder) {
  Descriptor taken = Stranger::Listen(63001);
  ASSERT_GE(taken.get(), 0);
  ExpectRefused({"-replicaid", "1"}, "localhost:63001");
  EXPECT_FALSE(fs::exists(cluster_.directory() / "example-data"));
  taken.Close();
  MakeFolder(1);
}

TEST_F(StartFailureTest, AFolderOfAnotherReplicaSaysWhose) {
  MakeFolder(1);
  MakeFolder(2);
  const auto swap = [&] {
    fs::rename(cluster_.data(1), cluster_.data(9));
    fs::rename(cluster_.data(2), cluster_.data(1));
    fs::rename(cluster_.data(9), cluster_.data(2));
  };
  swap();
  ExpectRefused({"-replicaid", "1"}, "localhost:63002");
  ExpectRefused({"-replicaid", "2"}, "localhost:63001");
  swap();
  MakeFolder(1);
  // The right address, but the folder is another replica's.
  MakeFolder(4, {"-addr", "localhost:63100", "-join"});
  fs::rename(cluster_.data(4), cluster_.data(5));
  ExpectRefused({"-replicaid", "5", "-addr", "localhost:63100", "-join"}, "replica 4");
}

TEST_F(StartFailureTest, HowAReplicaWasFirstStartedHolds) {
  MakeFolder(1);
  ExpectRefused({"-replicaid", "1", "-join"}, "failed to add cluster, ");
  MakeFolder(4, {"-addr", "localhost:63100", "-join"});
  ExpectRefused({"-replicaid", "4", "-addr", "localhost:63100"}, "failed to add cluster, ");
  MakeFolder(1, {"-join=false"});
}

TEST_F(StartFailureTest, AFolderThatCannotBeWrittenIsNotServed) {
  ASSERT_TRUE(MountReadOnly(cluster_.directory()));
  ExpectRefused({"-replicaid", "1"}, "example-data");
  ASSERT_TRUE(Unmount(cluster_.directory()));
  MakeFolder(1);
  ASSERT_TRUE(MountReadOnly(cluster_.data(1)));
  ExpectRefused({"-replicaid", "1"}, "node1");
  ASSERT_TRUE(Unmount(cluster_.data(1)));
  MakeFolder(1);
}

TEST_F(StartFailureTest, WhatIsNoDataFolderIsLeftAlone) {
  fs::create_directories(cluster_.data());
  std::ofstream(cluster_.data(1)) << "mine\n";
  ExpectRefused({"-replicaid", "1"}, "node1");
  EXPECT_EQ(fs::file_size(cluster_.data(1)), 5U);
  fs::remove(cluster_.data(1));

  fs::create_directory(cluster_.directory() / "elsewhere");
  fs::create_directory_symlink(cluster_.directory() / "elsewhere", cluster_.data(1));
  ExpectRefused({"-replicaid", "1"}, "node1");
  EXPECT_TRUE(fs::is_empty(cluster_.directory() / "elsewhere"));
  fs::remove(cluster_.data(1));

  fs::create_directory(cluster_.data(1));
  fs::permissions(cluster_.data(1), fs::perms::owner_all);
  std::ofstream(cluster_.data(1) / "letter") << "mine\n";
  ExpectRefused({"-replicaid", "1"}, "letter");
  EXPECT_EQ(fs::file_size(cluster_.data(1) / "letter"), 5U);
}

TEST_F(StartFailureTest, AFolderOfANewerVersionIsLeftToIt) {
  MakeFolder(1);
  const fs::path file = cluster_.data(1) / "IDENTITY";
  std::ifstream in(file);
  std::string text((std::istreambuf_iterator<char>(in)), {});
  const std::string format = "format 1\n";
  const std::size_t at = text.find(format);
  const std::size_t sum = text.find("crc32c: ");
  ASSERT_NE(at, std::string::npos);
  ASSERT_NE(sum, std::string::npos);
  text.replace(at, format.size(), "format 2\n");
  text.resize(sum);
  std::array<char, 32> line{};
  std::snprintf(line.data(), line.size(), "crc32c: %08x\n", base::Crc32c(text));
  std::ofstream(file) << text << line.data();
  ExpectRefused({"-replicaid", "1"}, "newer version");
}

}  // namespace
}  // namespace drumbeat::system
