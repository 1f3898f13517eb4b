// SPDX-License-Identifier: Apache-2.0
#include "node_host_client.h"

#include <any>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace helloworld {
namespace {

using drumbeat::ErrorCode;
using drumbeat::Fail;
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

// Waits for the request that `ask` makes. At the stop nothing is asked any more; what was asked may
// yet happen.
template <class Ask>
auto NodeHostClient::Wait(const Ask& ask) const {
  using Answer = decltype(ask().Get());
  if (stop_.stop_requested()) return Answer(Fail(ErrorCode::kClosed));
  auto request = ask();
  while (true) {
    if (auto result = request.GetWithin(Milliseconds(100))) return Answer(std::move(*result));
    if (stop_.stop_requested()) return Answer(Fail(ErrorCode::kTerminated));
  }
}

Result<void> NodeHostClient::SyncReadIndex(Milliseconds timeout) {
  return Done(Wait([&] { return host_.ReadIndex(shard_id_, timeout); }));
}

Result<std::uint64_t> NodeHostClient::SyncRead(Milliseconds timeout) {
  const Result<std::any> count = Wait([&] { return host_.Read(shard_id_, std::any(), timeout); });
  if (!count) return std::unexpected(count.error());
  return std::any_cast<std::uint64_t>(*count);
}

Result<drumbeat::Session> NodeHostClient::SyncGetSession(Milliseconds timeout) {
  return Wait([&] { return host_.OpenSession(shard_id_, timeout); });
}

Result<void> NodeHostClient::SyncCloseSession(const drumbeat::Session& session,
                                              Milliseconds timeout) {
  return Wait([&] { return host_.CloseSession(session, timeout); });
}

Result<void> NodeHostClient::SyncPropose(const drumbeat::Session& session, std::string_view message,
                                         Milliseconds timeout) {
  return Done(Wait([&] { return host_.Propose(shard_id_, session, message, timeout); }));
}

Result<void> NodeHostClient::SyncRequestAddReplica(drumbeat::ReplicaId replica,
                                                   const std::string& address,
                                                   Milliseconds timeout) {
  return Done(Wait([&] { return host_.RequestAddReplica(shard_id_, replica, address, timeout); }));
}

Result<void> NodeHostClient::SyncRequestDeleteReplica(drumbeat::ReplicaId replica,
                                                      Milliseconds timeout) {
  return Done(Wait([&] { return host_.RequestDeleteReplica(shard_id_, replica, timeout); }));
}

void NodeHostClient::Pause(Milliseconds time) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait_for(lock, stop_, time, [] { return false; });
}

}  // namespace helloworld
