// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace drumbeat::tidy {

// One text file of the project.
struct SourceFile {
  // From the top of the project, such as "src/raft/raft.h".
  std::string path;
  std::string text;

  std::vector<std::string_view> Lines() const;
  // The names in its #include lines, with their brackets or quotes.
  std::vector<std::string> Includes() const;
  bool IsCpp() const { return path.ends_with(".h") || path.ends_with(".cc"); }
  // "raft" for "src/raft/raft.h"; empty outside src.
  std::string Layer() const;
};

// All text files of the project, by path; without what is built, fetched or ignored.
const std::map<std::string, SourceFile>& SourceTree();

std::filesystem::path ProjectFolder();

// Whether a folder or file of the top level was made by building and using, or by some tool.
bool IsGenerated(const std::filesystem::path& path);

// The same C++ text with blanks for comments and for what is in string and character literals.
std::string CodeOnly(std::string_view text);

// Whether `code` calls a function of that name, such as "exit".
bool Calls(std::string_view code, std::string_view function);

}  // namespace drumbeat::tidy
