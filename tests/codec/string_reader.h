// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "drumbeat/snapshot.h"

namespace drumbeat::codec {

/// Hands out a string as a snapshot stream, at most `step` bytes a call.
class StringReader : public SnapshotReader {
 public:
  explicit StringReader(std::string text, std::size_t step = 1u << 20)
      : text_(std::move(text)), step_(step) {}

  Result<std::size_t> Read(std::span<char> buffer) override {
    const std::size_t count = std::min({buffer.size(), text_.size() - at_, step_});
    std::memcpy(buffer.data(), text_.data() + at_, count);
    at_ += count;
    return count;
  }
  std::size_t left() const { return text_.size() - at_; }

 private:
  const std::string text_;
  const std::size_t step_;
  std::size_t at_ = 0;
};

}  // namespace drumbeat::codec
