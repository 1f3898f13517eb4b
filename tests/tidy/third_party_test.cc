// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdio>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tidy/source_tree.h"

namespace drumbeat::tidy {
namespace {

struct Library {
  std::string include_prefix;
  // The folders below src that may name it.
  std::set<std::string> homes;
};

const std::map<std::string, Library> kLibraries = {
    {"zlib", {"<zlib.h>", {"base"}}},
    {"spdlog", {"<spdlog/", {"logging"}}},
    {"fmt", {"<fmt/", {}}},
    {"snappy", {"<snappy", {"codec"}}},
    {"nlohmann-json", {"<nlohmann/", {"codec"}}},
    {"RocksDB", {"<rocksdb/", {"storage"}}},
    {"Boost.Asio", {"<boost/", {"transport"}}},
    {"OpenSSL", {"<openssl/", {"transport"}}},
    {"CLI11", {"<CLI/", {"examples", "tools"}}},
    {"GoogleTest", {"<gtest/", {}}},
};

// The library that an include line names; empty for std, the system and ourselves.
std::string LibraryOf(const std::string& include) {
  for (const auto& [name, library] : kLibraries) {
    if (include.starts_with(library.include_prefix)) return name;
  }
  return {};
}

std::set<std::string> LibrariesOf(const SourceFile& file) {
  std::set<std::string> names;
  for (const std::string& include : file.Includes()) names.insert(LibraryOf(include));
  names.erase("");
  return names;
}

TEST(ThirdPartyTest, EachLibraryHasOneHome) {
  for (const auto& [path, file] : SourceTree()) {
    if (!file.IsCpp() || !(path.starts_with("src/") || path.starts_with("include/"))) continue;
    for (const std::string& name : LibrariesOf(file)) {
      EXPECT_TRUE(kLibraries.at(name).homes.contains(file.Layer())) << path << " includes " << name;
    }
  }
}

TEST(ThirdPartyTest, UnknownLibrariesAreNotIncluded) {
  const std::set<std::string> system = {"arpa", "linux", "net", "netinet", "sys"};
  for (const auto& [path, file] : SourceTree()) {
    if (!file.IsCpp() || !path.starts_with("src/")) continue;
    for (const std::string& include : file.Includes()) {
      const std::size_t slash = include.find('/');
      if (!include.starts_with('<') || slash == std::string::npos) continue;
      EXPECT_TRUE(system.contains(include.substr(1, slash - 1)) || !LibraryOf(include).empty())
          << path << " includes " << include;
    }
  }
}

// Header by header, through the headers that they include.
TEST(ThirdPartyTest, NoLibraryLeaksIntoAnotherFolder) {
  std::function<std::set<std::string>(const std::string&, std::set<std::string>&)> reach =
      [&](const std::string& path, std::set<std::string>& seen) {
        std::set<std::string> names;
        const auto file = SourceTree().find(path);
        if (file == SourceTree().end() || !seen.insert(path).second) return names;
        names = LibrariesOf(file->second);
        for (const std::string& include : file->second.Includes()) {
          if (!include.starts_with('"')) continue;
          names.merge(reach("src/" + include.substr(1, include.size() - 2), seen));
        }
        return names;
      };
  for (const auto& [path, file] : SourceTree()) {
    if (!file.IsCpp() || !path.starts_with("src/")) continue;
    std::set<std::string> seen;
    for (const std::string& name : reach(path, seen)) {
      EXPECT_TRUE(kLibraries.at(name).homes.contains(file.Layer()))
          << path << " reaches " << name << " through the headers that it includes";
    }
  }
}

#ifdef DRUMBEAT_EXAMPLE_PROGRAM
TEST(ThirdPartyTest, EachLibraryIsUsed) {
  std::map<std::string, int> users;
  for (const auto& [path, file] : SourceTree()) {
    for (const std::string& name : LibrariesOf(file)) ++users[name];
  }
  for (const char* name : {"RocksDB", "Boost.Asio", "spdlog", "CLI11", "GoogleTest"}) {
    EXPECT_GT(users[name], 0) << name;
  }
}

TEST(ThirdPartyTest, TheProgramNeedsTheCompiledLibraries) {
  std::string output;
  FILE* ldd = ::popen("ldd '" DRUMBEAT_EXAMPLE_PROGRAM "'", "r");
  ASSERT_NE(ldd, nullptr);
  std::array<char, 4096> buffer{};
  while (std::fgets(buffer.data(), buffer.size(), ldd) != nullptr) output += buffer.data();
  ASSERT_EQ(::pclose(ldd), 0) << output;
  // Linked with --as-needed: what is listed is called.
  for (const char* name : {"librocksdb.so", "libspdlog.so", "libssl.so"}) {
    EXPECT_NE(output.find(name), std::string::npos) << name << " is not in\n" << output;
  }
}
#endif

}  // namespace
}  // namespace drumbeat::tidy
