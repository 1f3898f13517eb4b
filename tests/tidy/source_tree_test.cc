// SPDX-License-Identifier: Apache-2.0
#include "tidy/source_tree.h"

#include <gtest/gtest.h>

namespace drumbeat::tidy {
namespace {

// The other tests here prove nothing unless these hold.

TEST(SourceTreeTest, KnowsTheProject) {
  EXPECT_TRUE(SourceTree().contains("CMakeLists.txt"));
  EXPECT_TRUE(SourceTree().contains("include/drumbeat/node_host.h"));
  EXPECT_TRUE(SourceTree().contains("src/base/check.cc"));
  EXPECT_TRUE(SourceTree().contains("tests/tidy/source_tree_test.cc"));
  EXPECT_EQ(SourceTree().at("src/base/check.cc").Layer(), "base");
}

TEST(SourceTreeTest, FindsIncludes) {
  const SourceFile file{.path = "x.h",
                        .text = "#include <a>\n  #  include \"b/c.h\"\n// #include <d>\n"};
  EXPECT_EQ(file.Includes(), (std::vector<std::string>{"<a>", "\"b/c.h\""}));
}

TEST(SourceTreeTest, TellsCodeFromTheRest) {
  EXPECT_EQ(CodeOnly("a /*b*/ c // d\ne"), "a       c     \ne");
  EXPECT_EQ(CodeOnly("f(\"exit(\\\"1)\", '\"') g"), "f(           ,    ) g");
  EXPECT_EQ(CodeOnly("R\"x(exit())x\" + 1"), "              + 1");
  EXPECT_EQ(CodeOnly("1'000'000 + a"), "1'000'000 + a");
}

TEST(SourceTreeTest, FindsCalls) {
  EXPECT_TRUE(Calls("exit(1);", "exit"));
  EXPECT_TRUE(Calls("std::exit (1);", "exit"));
  EXPECT_FALSE(Calls("at_exit(1); exit_now(); x.exit(); p->exit(); int exit = 1;", "exit"));
}

}  // namespace
}  // namespace drumbeat::tidy
