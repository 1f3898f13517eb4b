// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tidy/source_tree.h"

namespace drumbeat::tidy {
namespace {

using Names = std::set<std::string>;

// The names between backquotes.
std::vector<std::string> Quoted(const std::string& text) {
  std::vector<std::string> names;
  const std::regex quoted("`([^`]+)`");
  for (std::sregex_iterator i(text.begin(), text.end(), quoted), end; i != end; ++i) {
    names.push_back((*i)[1]);
  }
  return names;
}

// Which layers each layer may include: the table of src/README.md, read as its readers do.
std::map<std::string, Names> LayersOfTheTable() {
  std::map<std::string, Names> layers;
  const std::regex row(R"(^\| (`[^|]+`) \| ([^|]*) \| ([^|]*) \|$)");
  for (const std::string_view line : SourceTree().at("src/README.md").Lines()) {
    const std::string text(line);
    std::smatch match;
    if (!std::regex_match(text, match, row)) continue;
    Names allowed;
    for (const std::string& name : Quoted(match[2])) {
      if (!name.starts_with("drumbeat/")) allowed.insert(name);
    }
    if (match[2].str().starts_with("all of the above")) {
      for (const auto& [name, ignored] : layers) allowed.insert(name);
    }
    for (std::string name : Quoted(match[1])) {
      if (name == "include/drumbeat") continue;
      if (name.ends_with("/*")) name.resize(name.size() - 2);
      layers[name] = allowed;
    }
  }
  return layers;
}

// What each layer may include of the public headers: vocabulary below, everything on top.
const std::map<std::string, Names> kPublicHeaders = {
    {"base", {"error", "types"}},
    {"logging", {"error", "types", "log", "event_listener"}},
    {"raft", {"error", "types"}},
    {"codec", {"error", "types", "config", "snapshot"}},
    {"storage", {"error", "types", "config", "log", "event_listener", "snapshot"}},
    {"transport", {"error", "types", "config", "log", "event_listener"}},
    {"state_machine",
     {"error", "types", "config", "log", "event_listener", "session", "snapshot", "state_machine"}},
};

std::string Without(std::string_view text, std::string_view prefix, std::string_view suffix) {
  text.remove_prefix(prefix.size());
  text.remove_suffix(suffix.size());
  return std::string(text);
}

bool IsOfNodeHost(const std::string& name) {
  return SourceTree().contains("src/node_host/" + name + ".h") ||
         SourceTree().contains("src/node_host/" + name + ".cc");
}

TEST(LayersTest, TheTableNamesEveryFolder) {
  const auto layers = LayersOfTheTable();
  for (const auto& [path, file] : SourceTree()) {
    if (file.IsCpp() && !file.Layer().empty()) {
      EXPECT_TRUE(layers.contains(file.Layer())) << path;
    }
  }
  EXPECT_EQ(layers.at("base"), Names());
  EXPECT_EQ(layers.at("raft"), Names{"base"});
  EXPECT_TRUE(layers.at("node_host").contains("transport"));
}

TEST(LayersTest, TheTableNamesOnlyFoldersThatAreThere) {
  Names folders;
  for (const auto& [path, file] : SourceTree()) folders.insert(file.Layer());
  for (const auto& [layer, ignored] : LayersOfTheTable()) {
    // The table of the node host's files is one of these, too.
    EXPECT_TRUE(folders.contains(layer) || IsOfNodeHost(layer)) << layer;
  }
}

TEST(LayersTest, TheReadmeNamesEveryFileOfTheNodeHost) {
  const std::string& text = SourceTree().at("src/README.md").text;
  for (const auto& [path, file] : SourceTree()) {
    if (!file.IsCpp() || !path.starts_with("src/node_host/")) continue;
    const std::string name = Without(path, "src/node_host/", path.substr(path.rfind('.')));
    EXPECT_NE(text.find("`" + name + "`"), std::string::npos) << name;
  }
}

TEST(LayersTest, IncludesFollowTheTable) {
  const auto layers = LayersOfTheTable();
  for (const auto& [path, file] : SourceTree()) {
    const std::string layer = file.Layer();
    if (!file.IsCpp() || layer.empty() || !layers.contains(layer)) continue;
    for (const std::string& include : file.Includes()) {
      const std::size_t slash = include.find('/');
      if (!include.starts_with('"') || slash == std::string::npos) continue;
      const std::string other = include.substr(1, slash - 1);
      if (other == layer || other == "drumbeat" || layer == "examples" || layer == "tools")
        continue;
      EXPECT_TRUE(layers.at(layer).contains(other)) << path << " includes " << include;
    }
  }
}

TEST(LayersTest, EachLayerKnowsItsPartOfThePublicHeaders) {
  for (const auto& [path, file] : SourceTree()) {
    const auto allowed = kPublicHeaders.find(file.Layer());
    if (!file.IsCpp() || allowed == kPublicHeaders.end()) continue;
    for (const std::string& include : file.Includes()) {
      if (!include.starts_with("\"drumbeat/")) continue;
      const std::string name = Without(include, "\"drumbeat/", ".h\"");
      EXPECT_TRUE(allowed->second.contains(name)) << path << " includes " << include;
    }
  }
}

TEST(LayersTest, PublicHeadersIncludeOnlyTheirLikeAndStd) {
  for (const auto& [path, file] : SourceTree()) {
    if (!path.starts_with("include/")) continue;
    for (const std::string& include : file.Includes()) {
      const bool std_header = include.starts_with('<') && include.find('.') == std::string::npos;
      EXPECT_TRUE(std_header || include.starts_with("\"drumbeat/"))
          << path << " includes " << include;
    }
  }
}

TEST(LayersTest, ExamplesAndToolsKnowOnlyThePublicHeaders) {
  for (const auto& [path, file] : SourceTree()) {
    if (file.Layer() != "examples" && file.Layer() != "tools") continue;
    for (const std::string& include : file.Includes()) {
      if (!include.starts_with('"') || include.starts_with("\"drumbeat/")) continue;
      // Their own headers stand beside them.
      EXPECT_EQ(include.find('/'), std::string::npos) << path << " includes " << include;
    }
  }
}

}  // namespace
}  // namespace drumbeat::tidy
