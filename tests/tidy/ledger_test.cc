// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <regex>
#include <set>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "tidy/source_tree.h"

// tests/LEDGER.md says which test answers for which bug and fault. It must not say what is not so.
namespace drumbeat::tidy {
namespace {

const SourceFile& Ledger() { return SourceTree().at("tests/LEDGER.md"); }

// "raft.LogTest.AConflictReplacesTheTail" for every test, by the folder that it stands in.
std::set<std::string> AllTests() {
  std::set<std::string> tests;
  const std::regex definition(R"(\bTEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\))");
  for (const auto& [path, file] : SourceTree()) {
    if (!file.IsCpp() || !path.starts_with("tests/")) continue;
    const std::string folder = path.substr(6, path.find('/', 6) - 6);
    const std::string code = CodeOnly(file.text);
    for (std::sregex_iterator match(code.begin(), code.end(), definition), end; match != end;
         ++match) {
      tests.insert(folder + "." + (*match)[1].str() + "." + (*match)[2].str());
    }
  }
  return tests;
}

// What stands between back quotes, line by line.
std::set<std::string> Quoted(std::string_view line) {
  std::set<std::string> quoted;
  for (std::size_t begin = line.find('`'); begin != std::string_view::npos;) {
    const std::size_t end = line.find('`', begin + 1);
    if (end == std::string_view::npos) break;
    quoted.emplace(line.substr(begin + 1, end - begin - 1));
    begin = line.find('`', end + 1);
  }
  return quoted;
}

// The first cell of a row of a table, such as "B-07"; empty for any other line.
std::string IdOf(std::string_view line) {
  static const std::regex row(R"(^\| ([A-Z]-\d\d) \|)");
  std::match_results<std::string_view::const_iterator> match;
  return std::regex_search(line.begin(), line.end(), match, row) ? match[1].str() : std::string();
}

TEST(LedgerTest, EveryTestThatItNamesExists) {
  const std::set<std::string> tests = AllTests();
  const std::regex name(R"(\w+\.\w+\.\w+)");
  std::size_t named = 0;
  for (const std::string_view line : Ledger().Lines()) {
    for (const std::string& quoted : Quoted(line)) {
      if (quoted.starts_with("tests/")) {
        EXPECT_TRUE(SourceTree().contains(quoted) ||
                    std::filesystem::is_directory(ProjectFolder() / quoted))
            << quoted;
      } else if (std::regex_match(quoted, name)) {
        ++named;
        EXPECT_TRUE(tests.contains(quoted)) << quoted;
      }
    }
  }
  EXPECT_GT(named, 200u);
}

TEST(LedgerTest, EveryRowNamesATestOrSaysThatNoneIsThere) {
  for (const std::string_view line : Ledger().Lines()) {
    const std::string id = IdOf(line);
    if (id.empty()) continue;
    const bool answered = !Quoted(line).empty() || line.find("Not covered") != line.npos ||
                          line.find("Does not apply") != line.npos;
    EXPECT_TRUE(answered) << id;
  }
}

TEST(LedgerTest, NothingIsLeftOut) {
  std::map<char, std::set<std::string>> ids;
  for (const std::string_view line : Ledger().Lines()) {
    const std::string id = IdOf(line);
    if (id.empty()) continue;
    EXPECT_TRUE(ids[id.front()].insert(id).second) << id << " stands there twice";
  }
  const std::map<char, int> last = {{'B', 66}, {'N', 16}, {'P', 14}, {'S', 22}, {'M', 14},
                                    {'W', 28}, {'T', 9},  {'R', 5},  {'A', 3}};
  for (const auto& [kind, count] : last) {
    for (int number = 1; number <= count; ++number) {
      const std::string id =
          std::string(1, kind) + (number < 10 ? "-0" : "-") + std::to_string(number);
      EXPECT_TRUE(ids[kind].contains(id)) << id << " is missing";
    }
  }
}

}  // namespace
}  // namespace drumbeat::tidy
