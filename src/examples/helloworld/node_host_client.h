// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stop_token>

#include "drumbeat/node_host.h"

#include "shard_client.h"

namespace helloworld {

/// The shard as this process's node host reaches it.
/// Thread-safety: all functions from any thread.
class NodeHostClient final : public ShardClient {
 public:
  /// `host` outlives this. After `stop` every call returns within a tenth of a second.
  NodeHostClient(drumbeat::NodeHost& host, drumbeat::ShardId shard_id, std::stop_token stop);

  drumbeat::Result<void> SyncReadIndex(Milliseconds timeout) override;
  drumbeat::Result<std::uint64_t> SyncRead(Milliseconds timeout) override;
  drumbeat::Result<drumbeat::Session> SyncGetSession(Milliseconds timeout) override;
  drumbeat::Result<void> SyncCloseSession(const drumbeat::Session& session,
                                          Milliseconds timeout) override;
  drumbeat::Result<void> SyncPropose(const drumbeat::Session& session, std::string_view message,
                                     Milliseconds timeout) override;
  drumbeat::Result<void> SyncRequestAddReplica(drumbeat::ReplicaId replica,
                                               const std::string& address,
                                               Milliseconds timeout) override;
  drumbeat::Result<void> SyncRequestDeleteReplica(drumbeat::ReplicaId replica,
                                                  Milliseconds timeout) override;
  Clock::time_point Now() const override { return Clock::now(); }
  void Pause(Milliseconds time) override;

 private:
  template <class Ask>
  auto Wait(const Ask& ask) const;

  drumbeat::NodeHost& host_;
  const drumbeat::ShardId shard_id_;
  const std::stop_token stop_;
};

}  // namespace helloworld
