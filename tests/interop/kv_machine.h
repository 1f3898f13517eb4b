// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <any>
#include <cstdint>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>

#include "drumbeat/state_machine.h"

namespace drumbeat::interop {

inline constexpr std::uint64_t kFnvOffset = 0xcbf29ce484222325;
inline constexpr std::uint64_t kFnvPrime = 0x100000001b3;

/// FNV-1a over 64 bits.
std::uint64_t Fnv(std::string_view bytes);

/// What a state machine holds in short: the order of its commands and its content.
struct StateSummary {
  std::uint64_t count = 0;
  std::uint64_t index = 0;
  std::uint64_t chain = 0;
  std::uint64_t hash = 0;
  std::uint64_t keys = 0;
  std::uint64_t bytes = 0;
};

/// What Lookup of both machines takes and gives.
struct Query {
  std::string key;
  bool summary = false;
};
struct Answer {
  bool found = false;
  std::string value;
  StateSummary state;
};

/// The key-value machine that the nodes of both kinds agree on; README.md fixes its commands,
/// results and snapshot.
class KvMachine : public StateMachine {
 public:
  Result<ApplyResult> Update(const UpdateEntry& entry) override;
  Result<std::any> Lookup(const std::any& query) const override;
  Result<void> SaveSnapshot(SnapshotWriter& writer, std::stop_token stop) const override;
  Result<void> RecoverFromSnapshot(SnapshotReader& reader, std::stop_token stop) override;

 private:
  ApplyResult Apply(std::string_view command);
  StateSummary Summary() const;

  std::uint64_t count_ = 0;
  std::uint64_t index_ = 0;
  std::uint64_t chain_ = kFnvOffset;
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace drumbeat::interop
