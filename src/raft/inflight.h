// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <vector>

#include "drumbeat/types.h"

namespace drumbeat::raft {

/// The messages with entries that were sent to a member and not answered: how many, how large.
class Inflight {
 public:
  struct Limits {
    std::uint64_t messages = 256;
    std::uint64_t bytes = 64u << 20;
  };

  bool Full(const Limits& limits) const {
    return messages() >= limits.messages || bytes_ >= limits.bytes;
  }
  std::size_t messages() const { return items_.size() - head_; }
  std::uint64_t bytes() const { return bytes_; }

  /// A message whose last entry is `last`, beyond that of the one before.
  void Add(Index last, std::uint64_t bytes);
  /// Everything up to `index` has arrived.
  void FreeTo(Index index);
  void Clear();

  /// All that it holds, to tell states apart.
  auto fields() const { return std::tuple(std::span(items_).subspan(head_), bytes_); }

 private:
  struct Item {
    Index last;
    std::uint64_t bytes;

    auto fields() const { return std::tie(last, bytes); }
  };
  std::vector<Item> items_;  // those before head_ are free already
  std::size_t head_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace drumbeat::raft
