// SPDX-License-Identifier: Apache-2.0
#include "tidy/source_tree.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>

namespace drumbeat::tidy {
namespace {

namespace fs = std::filesystem;

void Load(const fs::path& path, std::map<std::string, SourceFile>& files) {
  std::ifstream in(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (text.find('\0') != std::string::npos) return;
  const std::string name = path.lexically_relative(ProjectFolder()).generic_string();
  files[name] = SourceFile{.path = name, .text = std::move(text)};
}

std::map<std::string, SourceFile> LoadAll() {
  std::map<std::string, SourceFile> files;
  for (const auto& top : fs::directory_iterator(ProjectFolder())) {
    const std::string name = top.path().filename().string();
    if (IsGenerated(top.path()) || name == "example-data") continue;
    if (top.is_regular_file()) Load(top.path(), files);
    if (!top.is_directory()) continue;
    for (const auto& entry : fs::recursive_directory_iterator(top.path())) {
      if (entry.is_regular_file()) Load(entry.path(), files);
    }
  }
  return files;
}

// Where the comment or literal that begins at `at` ends; `at` itself when none begins there.
std::size_t EndOfNonCode(std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at);
  const auto after = [&](std::string_view end, std::size_t from) {
    const std::size_t found = text.find(end, at + from);
    return found == std::string_view::npos ? text.size() : found + end.size();
  };
  if (rest.starts_with("//")) return std::min(text.find('\n', at), text.size());
  if (rest.starts_with("/*")) return after("*/", 2);
  if (rest.starts_with("R\"")) {
    const std::size_t open = rest.find('(');
    if (open == std::string_view::npos) return at;
    return after(")" + std::string(rest.substr(2, open - 2)) + "\"", open);
  }
  // A quote between digits separates them.
  const bool separator = at > 0 && text[at] == '\'' && std::isxdigit(text[at - 1]) != 0;
  if ((text[at] != '"' && text[at] != '\'') || separator) return at;
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == text[at]) {
      return i + 1;
    } else if (text[i] == '\n') {
      return at;
    }
  }
  return text.size();
}

bool IsNameCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

}  // namespace

std::vector<std::string_view> SourceFile::Lines() const {
  std::vector<std::string_view> lines;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    lines.push_back(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return lines;
}

std::vector<std::string> SourceFile::Includes() const {
  std::vector<std::string> names;
  const std::regex include(R"(^\s*#\s*include\s*([<"][^>"]+[>"]))");
  for (const std::string_view line : Lines()) {
    std::match_results<std::string_view::const_iterator> match;
    if (std::regex_search(line.begin(), line.end(), match, include)) names.push_back(match[1]);
  }
  return names;
}

std::string SourceFile::Layer() const {
  if (!path.starts_with("src/")) return {};
  const std::size_t end = path.find('/', 4);
  return end == std::string::npos ? std::string() : path.substr(4, end - 4);
}

const std::map<std::string, SourceFile>& SourceTree() {
  static const std::map<std::string, SourceFile> files = LoadAll();
  return files;
}

fs::path ProjectFolder() { return DRUMBEAT_PROJECT_FOLDER; }

bool IsGenerated(const fs::path& path) {
  const std::string name = path.filename().string();
  const bool of_a_tool = name.starts_with('.') && name != ".ci" && fs::is_directory(path);
  return name == ".git" || name.starts_with("build") || fs::exists(path / "CMakeCache.txt") ||
         of_a_tool || name == "example-helloworld" || name == "compile_commands.json" ||
         name == "core" || name.ends_with(".log") || name == "nohup.out";
}

std::string CodeOnly(std::string_view text) {
  std::string code(text);
  for (std::size_t at = 0; at < code.size();) {
    const std::size_t end = EndOfNonCode(text, at);
    for (std::size_t i = at; i < end; ++i) {
      if (code[i] != '\n') code[i] = ' ';
    }
    at = std::max(end, at + 1);
  }
  return code;
}

bool Calls(std::string_view code, std::string_view function) {
  for (std::size_t at = code.find(function); at != std::string_view::npos;
       at = code.find(function, at + 1)) {
    const bool starts = at == 0 || (!IsNameCharacter(code[at - 1]) && code[at - 1] != '.' &&
                                    code[at - 1] != '>' && code[at - 1] != '~');
    const std::size_t next = code.find_first_not_of(" \n", at + function.size());
    if (starts && next != std::string_view::npos && code[next] == '(') return true;
  }
  return false;
}

}  // namespace drumbeat::tidy
