// SPDX-License-Identifier: Apache-2.0
#include "example_state_machine.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

namespace helloworld {
namespace {

using drumbeat::ErrorCode;
using drumbeat::Fail;
using drumbeat::Result;

using CountBytes = std::array<char, 8>;

CountBytes Encode(std::uint64_t count) {
  CountBytes bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(count >> (8 * i) & 0xff);
  }
  return bytes;
}

std::uint64_t Decode(const CountBytes& bytes) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    count |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return count;
}

}  // namespace

ExampleStateMachine::ExampleStateMachine(drumbeat::ShardId shard_id, drumbeat::ReplicaId replica_id,
                                         std::function<void(std::string)> print)
    : shard_id_(shard_id), replica_id_(replica_id), print_(std::move(print)) {}

Result<drumbeat::ApplyResult> ExampleStateMachine::Update(const drumbeat::UpdateEntry& entry) {
  ++count_;
  std::string line = "from Update() : msg: ";
  line += entry.command;
  line += ", count:" + std::to_string(count_);
  print_(std::move(line));
  return drumbeat::ApplyResult{.value = entry.command.size(), .data = {}};
}

Result<std::any> ExampleStateMachine::Lookup(const std::any& /*query*/) const { return count_; }

Result<void> ExampleStateMachine::SaveSnapshot(drumbeat::SnapshotWriter& writer,
                                               std::stop_token /*stop*/) const {
  const CountBytes bytes = Encode(count_);
  return writer.Write(std::string_view(bytes.data(), bytes.size()));
}

Result<void> ExampleStateMachine::RecoverFromSnapshot(drumbeat::SnapshotReader& reader,
                                                      std::stop_token /*stop*/) {
  // One byte of room more than there should be, to notice a snapshot of something else.
  std::array<char, sizeof(CountBytes) + 1> buffer{};
  const Result<std::size_t> size = reader.ReadFully(buffer);
  if (!size) return std::unexpected(size.error());
  if (*size != sizeof(CountBytes)) {
    return Fail(ErrorCode::kDamaged, "the snapshot of shard " + std::to_string(shard_id_.value()) +
                                         " for replica " + std::to_string(replica_id_.value()) +
                                         " is not a count of 8 bytes");
  }
  CountBytes bytes{};
  std::copy_n(buffer.begin(), bytes.size(), bytes.begin());
  count_ = Decode(bytes);
  return {};
}

}  // namespace helloworld
