// SPDX-License-Identifier: Apache-2.0
#include "interop/counter_machine.h"

#include <cstddef>
#include <span>
#include <utility>

#include "interop/kv_machine.h"

namespace drumbeat::interop {

Result<ApplyResult> CounterMachine::Update(const UpdateEntry& entry) {
  ++count_;
  return ApplyResult{.value = entry.command.size(), .data = {}};
}

Result<std::any> CounterMachine::Lookup(const std::any& /*query*/) const {
  Answer answer;
  answer.state.count = count_;
  return std::any(std::move(answer));
}

Result<void> CounterMachine::SaveSnapshot(SnapshotWriter& writer, std::stop_token /*stop*/) const {
  char bytes[8];
  for (std::size_t i = 0; i < sizeof bytes; ++i) {
    bytes[i] = static_cast<char>(count_ >> (8 * i) & 0xff);
  }
  return writer.Write({bytes, sizeof bytes});
}

Result<void> CounterMachine::RecoverFromSnapshot(SnapshotReader& reader, std::stop_token /*stop*/) {
  char bytes[8];
  for (std::span<char> left(bytes); !left.empty();) {
    const Result<std::size_t> got = reader.Read(left);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return Fail(ErrorCode::kDamaged, "the snapshot ends early");
    left = left.subspan(*got);
  }
  count_ = 0;
  for (std::size_t i = sizeof bytes; i > 0; --i) {
    count_ = count_ << 8 | static_cast<unsigned char>(bytes[i - 1]);
  }
  return {};
}

}  // namespace drumbeat::interop
