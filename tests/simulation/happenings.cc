// SPDX-License-Identifier: Apache-2.0
#include "simulation/happenings.h"

#include <string_view>

namespace drumbeat::simulation {
namespace {

constexpr std::array<std::string_view, kHappenings> kNames = {
    "lost",
    "duplicated",
    "delayed",
    "connections reset",
    "bits flipped on the wire",
    "swallowed by partitions",
    "crashes",
    "power cuts in a write",
    "pauses",
    "slow writes",
    "failed writes",
    "forgotten syncs",
    "full disks",
    "snapshots without room",
    "bits flipped on disks",
    "transfers",
    "members added",
    "members removed",
    "snapshots taken",
    "snapshots received",
    "recoveries from snapshots",
    "retries",
    "refusals",
    "sessions closed",
};

}  // namespace

void Happenings::Add(const Happenings& others) {
  for (std::size_t i = 0; i < kHappenings; ++i) counts_[i] += others.counts_[i];
}

std::string Happenings::Describe() const {
  std::string text;
  for (std::size_t i = 0; i < kHappenings; ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(counts_[i]) + " " + std::string(kNames[i]);
  }
  return text;
}

std::string Happenings::Missing() const {
  std::string text;
  for (std::size_t i = 0; i < kHappenings; ++i) {
    if (counts_[i] > 0) continue;
    if (!text.empty()) text += ", ";
    text += kNames[i];
  }
  return text;
}

}  // namespace drumbeat::simulation
