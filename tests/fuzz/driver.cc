// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "fuzz/targets.h"

// The entry point that libFuzzer calls, once for each program; DRUMBEAT_FUZZ_RUN names its target.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string wrong = drumbeat::fuzz::DRUMBEAT_FUZZ_RUN(input);
  if (wrong.empty()) return 0;
  std::fprintf(stderr, "does not hold: %s\n", wrong.c_str());
  std::abort();
}
