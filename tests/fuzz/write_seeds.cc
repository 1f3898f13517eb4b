// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "fuzz/seeds.h"
#include "fuzz/targets.h"

// write_seeds FOLDER: puts the seeds of each target into FOLDER/<target>/, for libFuzzer.
int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: write_seeds FOLDER\n");
    return 2;
  }
  using namespace drumbeat::fuzz;
  for (const Target& target : AllTargets()) {
    const auto folder = std::filesystem::path(argv[1]) / target.name;
    std::filesystem::create_directories(folder);
    std::vector<Seed> seeds = SeedsOf(target.name, DRUMBEAT_WIRE_VECTORS);
    const auto findings = std::filesystem::path(DRUMBEAT_FUZZ_FINDINGS) / target.name;
    for (Seed& seed : FindingsIn(findings)) seeds.push_back(std::move(seed));
    for (const Seed& seed : seeds) {
      std::ofstream(folder / seed.name, std::ios::binary) << seed.bytes;
    }
  }
}
