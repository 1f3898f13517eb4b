// SPDX-License-Identifier: Apache-2.0
#include "node_host_client.h"

#include <any>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

namespace helloworld {
namespace {

using drumbeat::ErrorCode;
using drumbeat::Fail;
using drumbeat::Request;
using drumbeat::Result;

// Keeps the error and forgets what there would be besides.
template <class T>
Result<void> Done(const Result<T>& result) {
  if (!result) return std::unexpected(result.error());
  return {};
}

}  // namespace

NodeHostClient::NodeHostClient(drumbeat::NodeHost& host, drumbeat::ShardId shard_id,
                               std::stop_token stop)
    : host_(host), shard_id_(shard_id), stop_(std::move(stop)) {}

Result<void> NodeHostClient::SyncReadIndex(Milliseconds timeout) {
  return Done(Wait(host_.ReadIndex(shard_id_, timeout)));
}

Result<std::uint64_t> NodeHostClient::SyncRead(Milliseconds timeout) {
  const Result<std::any> count = Wait(host_.Read(shard_id_, std::any(), timeout));
  if (!count) return std::unexpected(count.error());
  return std::any_cast<std::uint64_t>(*count);
}

Result<drumbeat::Session> NodeHostClient::SyncGetSession(Milliseconds timeout) {
  return Wait(host_.OpenSession(shard_id_, timeout));
}

Result<void> NodeHostClient::SyncCloseSession(const drumbeat::Session& session,
                                              Milliseconds timeout) {
  return Wait(host_.CloseSession(session, timeout));
}

Result<void> NodeHostClient::SyncPropose(const drumbeat::Session& session, std::string_view message,
                                         Milliseconds timeout) {
  return Done(Wait(host_.Propose(shard_id_, session, message, timeout)));
}

Result<void> NodeHostClient::SyncRequestAddReplica(drumbeat::ReplicaId replica,
                                                   const std::string& address,
                                                   Milliseconds timeout) {
  return Done(Wait(host_.RequestAddReplica(shard_id_, replica, address, timeout)));
}

Result<void> NodeHostClient::SyncRequestDeleteReplica(drumbeat::ReplicaId replica,
                                                      Milliseconds timeout) {
  return Done(Wait(host_.RequestDeleteReplica(shard_id_, replica, timeout)));
}

void NodeHostClient::Pause(Milliseconds time) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait_for(lock, stop_, time, [] { return false; });
}

template <class T>
Result<T> NodeHostClient::Wait(Request<T> request) const {
  while (!stop_.stop_requested()) {
    if (std::optional<Result<T>> result = request.GetWithin(Milliseconds(100))) {
      return std::move(*result);
    }
  }
  return Fail(ErrorCode::kClosed);
}

}  // namespace helloworld
