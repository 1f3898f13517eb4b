// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <any>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "drumbeat/state_machine.h"

namespace helloworld {

/// The replicated state machine of this example: it counts the messages it was given.
///
/// Each replica applies the same messages in the same order, so all of them print the same lines
/// and count alike.
class ExampleStateMachine final : public drumbeat::StateMachine {
 public:
  /// `print` takes each line (without its end) and must not block: Update() waits for it.
  ExampleStateMachine(drumbeat::ShardId shard_id, drumbeat::ReplicaId replica_id,
                      std::function<void(std::string)> print);

  /// Counts the message and prints it. The result's value is the message's length.
  drumbeat::Result<drumbeat::ApplyResult> Update(const drumbeat::UpdateEntry& entry) override;

  /// Returns the count as a std::uint64_t, whatever the query.
  drumbeat::Result<std::any> Lookup(const std::any& query) const override;

  /// The whole state is the count: 8 bytes, little endian.
  drumbeat::Result<void> SaveSnapshot(drumbeat::SnapshotWriter& writer,
                                      std::stop_token stop) const override;
  drumbeat::Result<void> RecoverFromSnapshot(drumbeat::SnapshotReader& reader,
                                             std::stop_token stop) override;

 private:
  const drumbeat::ShardId shard_id_;
  const drumbeat::ReplicaId replica_id_;
  const std::function<void(std::string)> print_;
  std::uint64_t count_ = 0;
};

}  // namespace helloworld
