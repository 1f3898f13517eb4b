// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "tidy/source_tree.h"

namespace drumbeat::tidy {
namespace {

constexpr std::size_t kMaxLines = 500;
// Files that may be longer, with the reason.
const std::map<std::string, std::string> kLongFiles = {};

TEST(RulesTest, TheTopLevelIsTheDesignCard) {
  const std::set<std::string> card = {"CMakeLists.txt", "Makefile", "README.md", "LICENSE",
                                      "example-data",   "include",  "src",       "tests"};
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(ProjectFolder())) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with('.') && !IsGenerated(entry.path())) found.insert(name);
  }
  EXPECT_EQ(found, card);
}

TEST(RulesTest, FilesNameTheirLicence) {
  const std::set<std::string> kinds = {".h", ".cc", ".cmake", ".in", ".py", ".sh", ".go"};
  for (const auto& [path, file] : SourceTree()) {
    const std::filesystem::path name(path);
    if (!kinds.contains(name.extension()) && name.filename() != "CMakeLists.txt" &&
        name.filename() != "Makefile" && !path.starts_with(".ci/")) {
      continue;
    }
    const auto lines = file.Lines();
    const std::size_t first = !lines.empty() && lines[0].starts_with("#!") ? 1 : 0;
    ASSERT_GT(lines.size(), first) << path;
    EXPECT_NE(lines[first].find("SPDX-License-Identifier: Apache-2.0"), std::string::npos) << path;
  }
}

TEST(RulesTest, FilesAreShort) {
  for (const auto& [path, file] : SourceTree()) {
    if (!file.IsCpp() || kLongFiles.contains(path)) continue;
    EXPECT_LE(file.Lines().size(), kMaxLines) << path << ": look for its second subject";
  }
  for (const auto& [path, reason] : kLongFiles) {
    ASSERT_TRUE(SourceTree().contains(path)) << path;
    EXPECT_GT(SourceTree().at(path).Lines().size(), kMaxLines) << path << " needs no exception";
  }
}

TEST(RulesTest, LinesFitTheScreen) {
  for (const auto& [path, file] : SourceTree()) {
    if (!file.IsCpp()) continue;
    std::size_t number = 0;
    for (const std::string_view line : file.Lines()) {
      ++number;
      EXPECT_EQ(line.find('\t'), std::string_view::npos) << path << ":" << number;
      EXPECT_FALSE(line.ends_with(' ')) << path << ":" << number;
    }
  }
}

// The core is inputs in, an Output out: no thread, lock, clock, file, socket, log line or dice.
TEST(RulesTest, TheCoreIsPure) {
  const std::set<std::string> banned = {
      "<atomic>",        "<barrier>", "<chrono>",     "<condition_variable>", "<cstdio>",
      "<ctime>",         "<fstream>", "<future>",     "<iostream>",           "<latch>",
      "<mutex>",         "<random>",  "<semaphore>",  "<shared_mutex>",       "<sstream>",
      "<stop_token>",    "<thread>",  "<filesystem>", "<unordered_map>",      "<unordered_set>",
      "\"base/mutex.h\""};
  for (const auto& [path, file] : SourceTree()) {
    if (file.Layer() != "raft" || !file.IsCpp()) continue;
    for (const std::string& include : file.Includes()) {
      EXPECT_FALSE(banned.contains(include)) << path << " includes " << include;
      EXPECT_FALSE(include.starts_with('<') && include.find('.') != std::string::npos)
          << path << " includes " << include << ", not a header of std's";
    }
    const std::string code = CodeOnly(file.text);
    for (const char* function :
         {"rand", "srand", "time", "clock", "getenv", "printf", "fopen", "open", "RandomSeed"}) {
      EXPECT_FALSE(Calls(code, function)) << path << " calls " << function;
    }
    EXPECT_EQ(code.find("static thread_local"), std::string::npos) << path;
  }
}

// A clock that jumps decides nothing: it only dates snapshots.
TEST(RulesTest, TheWallClockIsReadInOnePlace) {
  for (const auto& [path, file] : SourceTree()) {
    if (!file.IsCpp() || file.Layer().empty() || file.Layer() == "examples") continue;
    const std::string code = CodeOnly(file.text);
    const bool here = path == "src/node_host/thread_scheduler.cc";
    EXPECT_EQ(code.find("system_clock") != std::string::npos, here) << path;
    EXPECT_EQ(code.find("CLOCK_REALTIME"), std::string::npos) << path;
    for (const char* function : {"time", "gettimeofday", "timespec_get"}) {
      EXPECT_FALSE(Calls(code, function)) << path << " calls " << function;
    }
  }
}

TEST(RulesTest, TheLibraryDoesNotEndTheProcess) {
  for (const auto& [path, file] : SourceTree()) {
    const std::string layer = file.Layer();
    if (!file.IsCpp() || layer.empty() || layer == "examples" || layer == "tools") continue;
    if (path.starts_with("src/base/check.")) continue;
    const std::string code = CodeOnly(file.text);
    for (const char* function : {"exit", "_exit", "_Exit", "quick_exit", "abort", "terminate",
                                 "assert", "signal", "sigaction"}) {
      EXPECT_FALSE(Calls(code, function)) << path << " calls " << function;
    }
  }
}

TEST(RulesTest, TestsKnowNoBackDoors) {
  for (const auto& [path, file] : SourceTree()) {
    if (!file.IsCpp() || path.starts_with("tests/tidy/")) continue;
    const std::string code = CodeOnly(file.text);
    EXPECT_EQ(code.find("ForTesting"), std::string::npos) << path;
    EXPECT_EQ(code.find("FRIEND_TEST"), std::string::npos) << path;
  }
}

TEST(RulesTest, NoPathOfOneMachine) {
  const std::regex machine(R"((^|[^A-Za-z0-9_.])/(wo)"
                           R"(rk|farm|root|home)/|/tmp/w)"
                           R"(t/)");
  for (const auto& [path, file] : SourceTree()) {
    std::size_t number = 0;
    for (const std::string_view line : file.Lines()) {
      ++number;
      if (line.size() > 2000) continue;  // Data, not text.
      EXPECT_FALSE(std::regex_search(line.begin(), line.end(), machine)) << path << ":" << number;
    }
  }
}

TEST(RulesTest, SourcesAreAscii) {
  for (const auto& [path, file] : SourceTree()) {
    if (!path.starts_with("src/") && !path.starts_with("include/")) continue;
    for (const char c : file.text) {
      ASSERT_GE(c, 0) << path << ": a byte beyond ASCII";
    }
  }
}

}  // namespace
}  // namespace drumbeat::tidy
