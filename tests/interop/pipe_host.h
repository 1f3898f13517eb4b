// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include <nlohmann/json.hpp>

#include "drumbeat/node_host.h"

#include "interop/event_counter.h"
#include "interop/worker_pool.h"

namespace drumbeat::interop {

/// A node host that obeys the driver's commands (README.md describes them).
///
/// Thread-safety: Obey and Close from one thread; replies are written from any.
class PipeHost {
 public:
  /// Writes one reply line, from any thread, one at a time.
  using Output = std::function<void(const std::string& line)>;

  explicit PipeHost(Output output) : output_(std::move(output)) {}
  ~PipeHost();

  /// Obeys one command, whose reply comes now or later.
  void Obey(nlohmann::json request);
  /// Closes the host and acknowledges the command `id`.
  void Exit(std::uint64_t id);

 private:
  using Json = nlohmann::json;

  void OpenHost(const Json& request);
  void StartReplica(const Json& request);
  void Propose(const Json& request);
  void SessionCommand(const Json& request);
  void Read(const Json& request);
  void StaleRead(const Json& request);
  void ChangeMembership(const Json& request);
  void GetMembership(const Json& request);
  void GetLeader(const Json& request);
  void TransferLeadership(const Json& request);
  void TakeSnapshot(const Json& request);
  void GiveStats(const Json& request);

  /// Replies to `id`: with the error, or with what `describe` makes of the value.
  template <class T, class Describer>
  void Reply(std::uint64_t id, const Result<T>& result, Describer describe);
  template <class T, class Describer>
  void ReplyLater(std::uint64_t id, Request<T> request, Describer describe);
  void Send(std::uint64_t id, Json reply);

  const Output output_;
  const std::shared_ptr<EventCounter> events_ = std::make_shared<EventCounter>();
  std::mutex output_mutex_;
  std::unique_ptr<NodeHost> host_;
  std::unique_ptr<WorkerPool> workers_ = std::make_unique<WorkerPool>(4);
};

}  // namespace drumbeat::interop
