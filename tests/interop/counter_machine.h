// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <any>
#include <cstdint>
#include <stop_token>

#include "drumbeat/state_machine.h"

namespace drumbeat::interop {

/// The machine of the helloworld example: it counts commands; its snapshot has 8 bytes.
class CounterMachine : public StateMachine {
 public:
  Result<ApplyResult> Update(const UpdateEntry& entry) override;
  Result<std::any> Lookup(const std::any& query) const override;
  Result<void> SaveSnapshot(SnapshotWriter& writer, std::stop_token stop) const override;
  Result<void> RecoverFromSnapshot(SnapshotReader& reader, std::stop_token stop) override;

 private:
  std::uint64_t count_ = 0;
};

}  // namespace drumbeat::interop
