// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "system/program.h"

namespace drumbeat::system {

/// Somebody who never stops typing at one console: `<prefix>1`, `<prefix>2`, ...
class Typist {
 public:
  explicit Typist(std::string prefix) : prefix_(std::move(prefix)) {}

  /// Types as much as the program takes now. Never blocks.
  void TypeAt(Program& program) {
    while (pending_.size() < 4096) pending_ += prefix_ + std::to_string(++last_) + '\n';
    pending_.erase(0, program.WriteSome(pending_));
  }
  const std::string& prefix() const { return prefix_; }

 private:
  const std::string prefix_;
  std::uint64_t last_ = 0;
  std::string pending_;
};

}  // namespace drumbeat::system
