// SPDX-License-Identifier: Apache-2.0
#include "flags.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace helloworld {
namespace {

using drumbeat::ReplicaId;
using Arguments = std::vector<std::string>;

Flags MustParse(const Arguments& arguments) {
  const auto flags = ParseFlags(arguments);
  if (!flags) {
    ADD_FAILURE() << "refused: " << flags.error().to_stderr;
    return {};
  }
  return *flags;
}

// The same for a replica that joins: only such a one may be anywhere.
Flags MustJoin(Arguments arguments) {
  arguments.insert(arguments.begin(), "-join");
  return MustParse(arguments);
}

// The refusal of `arguments`, after checks of what all refusals have in common.
EarlyExit Refused(const Arguments& arguments, int status) {
  const auto flags = ParseFlags(arguments);
  if (flags) {
    ADD_FAILURE() << "accepted: " << testing::PrintToString(arguments);
    return {};
  }
  const EarlyExit& end = flags.error();
  EXPECT_EQ(end.status, status) << testing::PrintToString(arguments);
  EXPECT_EQ(end.to_stdout, "");
  EXPECT_EQ(end.to_stderr.find("Usage: ") != std::string::npos, status == 2) << end.to_stderr;
  return end;
}

std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

TEST(FlagsTest, WithoutAnyItIsReplicaOne) {
  const Flags flags = MustParse({});
  EXPECT_EQ(flags.replica_id, ReplicaId(1));
  EXPECT_EQ(flags.address, "localhost:63001");
  EXPECT_FALSE(flags.join);
}

TEST(FlagsTest, AFounderMustBeAtItsAddress) {
  EXPECT_EQ(MustParse({"-addr", "LocalHost:63001"}).address, "LocalHost:63001");
  EXPECT_EQ(Refused({"-replicaid", "2", "-addr", "localhost:63001"}, 1).to_stderr,
            "failed to add cluster, the initial members have replica 2 at localhost:63002, not at "
            "localhost:63001\n");
  EXPECT_EQ(Refused({"-replicaid", "4", "-addr", "localhost:63100"}, 1).to_stderr,
            "failed to add cluster, replica 4 is not among the initial members; add it to the "
            "group, then start it with -join\n");
}

TEST(FlagsTest, AnAddressIsHostAndPort) {
  for (const char* address :
       {"nonsense", "host:", ":1", "host:0", "host:65536", "-join", "a b:1", "[::1]:63100"}) {
    EXPECT_EQ(Refused({"-join", "-addr", address}, 1).to_stderr,
              "address \"" + std::string(address) + "\" is not host:port\n");
  }
}

TEST(FlagsTest, EveryGoSpellingIsTaken) {
  for (const Arguments& arguments :
       {Arguments{"-replicaid", "2"}, {"-replicaid=2"}, {"--replicaid", "2"}, {"--replicaid=2"}}) {
    EXPECT_EQ(MustParse(arguments).replica_id, ReplicaId(2));
    EXPECT_EQ(MustParse(arguments).address, "localhost:63002");
  }
  for (const Arguments& arguments :
       {Arguments{"-addr", "a:1"}, {"-addr=a:1"}, {"--addr", "a:1"}, {"--addr=a:1"}}) {
    EXPECT_EQ(MustJoin(arguments).address, "a:1");
  }
}

TEST(FlagsTest, JoinNeedsNoValue) {
  for (const char* word : {"-join", "--join", "-join=true", "--join=1", "-join=T", "-join=TRUE"}) {
    EXPECT_TRUE(MustParse({word}).join) << word;
  }
  for (const char* word : {"-join=false", "--join=0", "-join=F", "-join=False"}) {
    EXPECT_FALSE(MustParse({word}).join) << word;
  }
  const Flags flags = MustParse({"-join", "-replicaid", "3"});
  EXPECT_TRUE(flags.join);
  EXPECT_EQ(flags.replica_id, ReplicaId(3));
}

TEST(FlagsTest, TheLastRepeatWins) {
  EXPECT_EQ(MustParse({"-replicaid", "1", "--replicaid=3"}).replica_id, ReplicaId(3));
  EXPECT_EQ(MustJoin({"-addr=a:1", "-addr", "b:2"}).address, "b:2");
  EXPECT_FALSE(MustParse({"-join", "-join=false"}).join);
  EXPECT_TRUE(MustParse({"-join=false", "-join"}).join);
}

TEST(FlagsTest, AValueMayLookLikeAnything) {
  // All are refused as addresses, not as flags, and shown as they were typed.
  for (const char* value : {"-join", "--", "a=b=c", "[a]", "[::1,::2]", "a,b c"}) {
    EXPECT_NE(Refused({"-addr", value}, 1).to_stderr.find(value), std::string::npos) << value;
  }
}

TEST(FlagsTest, AnEmptyAddressIsNone) {
  EXPECT_EQ(MustParse({"-addr="}).address, "localhost:63001");
  EXPECT_EQ(MustParse({"-addr", ""}).address, "localhost:63001");
}

TEST(FlagsTest, AJoiningReplicaHasItsOwnAddress) {
  const Flags flags = MustParse({"-replicaid", "4", "-addr", "localhost:63100", "-join"});
  EXPECT_EQ(flags.replica_id, ReplicaId(4));
  EXPECT_EQ(flags.address, "localhost:63100");
  EXPECT_TRUE(flags.join);
}

TEST(FlagsTest, OtherReplicasNeedAnAddress) {
  for (const Arguments& arguments : {Arguments{"-replicaid", "5"},
                                     {"-replicaid", "4", "-join"},
                                     {"-replicaid=18446744073709551615"}}) {
    EXPECT_EQ(Refused(arguments, 1).to_stderr,
              "node id must be 1, 2 or 3 when address is not specified\n");
  }
}

TEST(FlagsTest, ReplicaZeroIsRefused) {
  EXPECT_EQ(Refused({"-replicaid", "0"}, 1).to_stderr, "replica id must not be 0\n");
  EXPECT_EQ(Refused({"-replicaid", "0", "-addr", "a:1"}, 1).to_stderr,
            "replica id must not be 0\n");
}

TEST(FlagsTest, BadIdsAreBadUsage) {
  for (const char* id : {"", "x", "-1", "+1", "010", "00", "0x10", "1 ", " 1", "1.0", "1e2", "1,2",
                         "18446744073709551616", "99999999999999999999999"}) {
    const EarlyExit end = Refused({"-replicaid", id}, 2);
    EXPECT_NE(FirstLine(end.to_stderr).find("-replicaid"), std::string::npos) << end.to_stderr;
  }
}

TEST(FlagsTest, UnknownFlagsStrayWordsAndMissingValuesAreBadUsage) {
  for (const Arguments& arguments : {Arguments{"-nodeid", "1"},
                                     {"--x"},
                                     {"-x=1"},
                                     {"-r", "1"},
                                     {"-replica", "1"},
                                     {"--addr"},
                                     {"-replicaid"},
                                     {"stray"},
                                     {"-"},
                                     {"---join"},
                                     {"-=1"},
                                     {"-join", "false"},
                                     {"--", "-join"},
                                     {"-join=maybe"},
                                     {"-join="},
                                     {""}}) {
    const EarlyExit end = Refused(arguments, 2);
    EXPECT_NE(FirstLine(end.to_stderr), "");
  }
}

TEST(FlagsTest, AComplaintStaysOnOneLine) {
  const EarlyExit end = Refused({"-replicaid", "a\nb\x1b[31m"}, 2);
  EXPECT_NE(FirstLine(end.to_stderr).find("a?b?[31m"), std::string::npos) << end.to_stderr;
  EXPECT_EQ(Refused({"-addr", "loc\nalhost:1"}, 1).to_stderr,
            "address \"loc?alhost:1\" is not host:port\n");
}

TEST(FlagsTest, AComplaintNamesTheFlagAsItWasTyped) {
  const auto complaint = [](const Arguments& arguments) {
    return FirstLine(Refused(arguments, 2).to_stderr);
  };
  EXPECT_EQ(complaint({"-x"}), "not a flag of this program: -x");
  EXPECT_EQ(complaint({"--x=1"}), "not a flag of this program: --x");
  EXPECT_EQ(complaint({"-=1"}), "not a flag of this program: -=1");
  EXPECT_EQ(complaint({"stray"}), "not a flag of this program: stray");
  EXPECT_EQ(complaint({"--", "-join"}), "not a flag of this program: -join");
  EXPECT_EQ(complaint({"-replicaid"}), "missing value for flag -replicaid");
  EXPECT_EQ(complaint({"--addr"}), "missing value for flag --addr");
  EXPECT_EQ(complaint({"--replicaid=x"}),
            "invalid value \"x\" for flag --replicaid: not a decimal number of at most 64 bits");
  EXPECT_EQ(complaint({"-h=maybe"}), "invalid value \"maybe\" for flag -h: neither true nor false");
}

TEST(FlagsTest, WhatIsFirstDecides) {
  for (const char* end : {"-help", "-h", "-version"}) {
    for (const Arguments& wrong : {Arguments{"-x"}, {"stray"}, {"-replicaid=x"}, {"-join=x"}}) {
      Arguments arguments = wrong;
      arguments.emplace_back(end);
      Refused(arguments, 2);
      std::ranges::reverse(arguments);
      const auto flags = ParseFlags(arguments);
      ASSERT_FALSE(flags);
      EXPECT_EQ(flags.error().status, 0) << testing::PrintToString(arguments);
    }
  }
  Refused({"-replicaid=x", "-replicaid=2"}, 2);
}

TEST(FlagsTest, HelpAndVersionMayBeSwitchedOff) {
  const Flags flags = MustParse({"-h=false", "--help=0", "-version=f", "-replicaid=2"});
  EXPECT_EQ(flags.replica_id, ReplicaId(2));
  EXPECT_EQ(ParseFlags({"-h=true"}).error().status, 0);
  EXPECT_EQ(ParseFlags({"-version=1"}).error().status, 0);
}

TEST(FlagsTest, HelpGoesToStdoutAndEndsWell) {
  for (const char* word : {"-h", "--h", "-help", "--help"}) {
    const auto flags = ParseFlags({word, "-replicaid", "2"});
    ASSERT_FALSE(flags);
    EXPECT_EQ(flags.error().status, 0);
    EXPECT_EQ(flags.error().to_stderr, "");
    for (const char* flag : {"--replicaid", "--addr", "--join", "--version"}) {
      EXPECT_NE(flags.error().to_stdout.find(flag), std::string::npos) << flags.error().to_stdout;
    }
  }
}

TEST(FlagsTest, VersionIsOneLineOnStdout) {
  for (const char* word : {"-version", "--version"}) {
    const auto flags = ParseFlags({word});
    ASSERT_FALSE(flags);
    EXPECT_EQ(flags.error().status, 0);
    EXPECT_EQ(flags.error().to_stderr, "");
    EXPECT_TRUE(flags.error().to_stdout.starts_with("example-helloworld "));
    EXPECT_EQ(std::ranges::count(flags.error().to_stdout, '\n'), 1);
  }
}

}  // namespace
}  // namespace helloworld
