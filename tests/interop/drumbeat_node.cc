// SPDX-License-Identifier: Apache-2.0

// A process with drumbeat replicas that obeys the driver of the interoperation tests: one JSON
// command a line on stdin, one JSON reply a line on stdout. README.md describes both.
#include <cstdio>
#include <iostream>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "interop/pipe_host.h"

int main() {
  drumbeat::interop::PipeHost host([](const std::string& line) {
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fputc('\n', stdout);
    std::fflush(stdout);
  });
  std::string line;
  while (std::getline(std::cin, line)) {
    nlohmann::json request = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!request.is_object()) {
      std::fputs("interop_node: a command that does not parse\n", stderr);
      return 1;
    }
    if (request.value("cmd", std::string()) == "exit") {
      host.Exit(request.value("id", std::uint64_t{0}));
      return 0;
    }
    host.Obey(std::move(request));
  }
  return 0;
}
