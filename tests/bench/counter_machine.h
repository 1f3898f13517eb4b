// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <any>
#include <cstdint>
#include <cstring>
#include <span>
#include <stop_token>

#include "drumbeat/state_machine.h"

#include "bench/mix.h"

namespace drumbeat::bench {

/// How many commands were applied, and a hash over all of them in their order.
struct CounterState {
  std::uint64_t count = 0;
  std::uint64_t hash = 0;

  friend bool operator==(const CounterState&, const CounterState&) = default;
};

/// The measured state machine: it costs next to nothing and shows whether replicas agree.
class CounterMachine : public StateMachine {
 public:
  Result<ApplyResult> Update(const UpdateEntry& entry) override {
    ++state_.count;
    state_.hash = Mix(state_.hash, entry.command);
    return ApplyResult{.value = state_.count, .data = {}};
  }
  /// Without a query: the count, which needs no allocation. With any: the whole state.
  Result<std::any> Lookup(const std::any& query) const override {
    if (!query.has_value()) return std::any(state_.count);
    return std::any(state_);
  }
  Result<void> SaveSnapshot(SnapshotWriter& writer, std::stop_token) const override {
    char bytes[sizeof state_];
    std::memcpy(bytes, &state_, sizeof bytes);
    return writer.Write({bytes, sizeof bytes});
  }
  Result<void> RecoverFromSnapshot(SnapshotReader& reader, std::stop_token) override {
    char bytes[sizeof state_];
    for (std::size_t have = 0; have < sizeof bytes;) {
      const auto got = reader.Read(std::span(bytes).subspan(have));
      if (!got) return std::unexpected(got.error());
      if (*got == 0) return Fail(ErrorCode::kDamaged, "a short snapshot");
      have += *got;
    }
    std::memcpy(&state_, bytes, sizeof bytes);
    return {};
  }

 private:
  CounterState state_;
};

}  // namespace drumbeat::bench
