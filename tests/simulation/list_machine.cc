// SPDX-License-Identifier: Apache-2.0
#include "simulation/list_machine.h"

#include <string>

#include "base/byte_coding.h"

namespace drumbeat::simulation {

Result<ApplyResult> ListMachine::Update(const UpdateEntry& entry) {
  const ListState after = Oracle::Append(state_, entry.command);
  shard_.log_oracle().Applied(replica_, entry.index);
  shard_.oracle().Applied(entry.index, entry.command, state_, after);
  state_ = after;
  return ApplyResult{.value = state_.count, .data = {}};
}

Result<std::any> ListMachine::Lookup(const std::any&) const { return std::any(state_); }

Result<void> ListMachine::SaveSnapshot(SnapshotWriter& writer, std::stop_token) const {
  std::string bytes;
  base::AppendLittle(bytes, state_.count);
  base::AppendLittle(bytes, state_.chain);
  return writer.Write(bytes);
}

Result<void> ListMachine::RecoverFromSnapshot(SnapshotReader& reader, std::stop_token) {
  std::string bytes(16, '\0');
  for (std::size_t have = 0; have < bytes.size();) {
    const Result<std::size_t> got = reader.Read(std::span(bytes).subspan(have));
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return Fail(ErrorCode::kDamaged, "a snapshot ends too early");
    have += *got;
  }
  state_ = {.count = base::LoadLittle<std::uint64_t>(bytes.data()),
            .chain = base::LoadLittle<std::uint64_t>(bytes.data() + 8)};
  shard_.oracle().Recovered(state_);
  return {};
}

}  // namespace drumbeat::simulation
