// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace drumbeat::fuzz {

/// An input that a target starts from.
struct Seed {
  std::string name;
  std::string bytes;
};

/// What real Dragonboat code emitted (`vectors` is tests/codec's file of them), and inputs written
/// by hand that lead to where chance would take long.
std::vector<Seed> SeedsOf(std::string_view target, const std::filesystem::path& vectors);

/// Inputs in `folder`, as text: pairs of hexadecimal digits, with any white space and with comments
/// from '#' to the end of the line. Each was once a finding.
std::vector<Seed> FindingsIn(const std::filesystem::path& folder);

}  // namespace drumbeat::fuzz
