// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shard_client.h"

namespace helloworld {

// A shard that does as it is told, in a time of its own that passes only while somebody waits.
class FakeShardClient final : public ShardClient {
 public:
  // What a call does: `takes` so long (never longer than its timeout), then ends with `code`.
  struct Answer {
    Milliseconds takes{0};
    std::optional<drumbeat::ErrorCode> code;
    std::string message;
  };
  static Answer Ok() { return {}; }
  static Answer Fails(drumbeat::ErrorCode code, std::string message = {}) {
    return {.takes = Milliseconds(0), .code = code, .message = std::move(message)};
  }
  // Ends with kTimeout once its time is up.
  static Answer Hangs() {
    return {.takes = std::chrono::hours(1), .code = drumbeat::ErrorCode::kTimeout, .message = {}};
  }

  // The answers to come; the last one is for all further calls, none means Ok().
  std::deque<Answer> read_index, read, get_session, close_session, propose, change;
  std::uint64_t count = 0;
  // What was asked, in order: "read index", "propose 1/1 text" (client id / series), ...
  std::vector<std::string> calls;
  std::function<void()> on_pause;

  Milliseconds Elapsed() const {
    return std::chrono::duration_cast<Milliseconds>(now_.time_since_epoch());
  }
  void Advance(Milliseconds time) { now_ += time; }

  drumbeat::Result<void> SyncReadIndex(Milliseconds timeout) override {
    return Take(read_index, timeout, "read index");
  }
  drumbeat::Result<std::uint64_t> SyncRead(Milliseconds timeout) override {
    const auto taken = Take(read, timeout, "read");
    if (!taken) return std::unexpected(taken.error());
    return count;
  }
  drumbeat::Result<drumbeat::Session> SyncGetSession(Milliseconds timeout) override {
    const auto taken = Take(get_session, timeout, "get session");
    if (!taken) return std::unexpected(taken.error());
    return drumbeat::Session::Registered(drumbeat::ShardId(128), ++sessions_);
  }
  drumbeat::Result<void> SyncCloseSession(const drumbeat::Session& session,
                                          Milliseconds timeout) override {
    return Take(close_session, timeout, "close session " + std::to_string(session.client_id()));
  }
  drumbeat::Result<void> SyncPropose(const drumbeat::Session& session, std::string_view message,
                                     Milliseconds timeout) override {
    return Take(propose, timeout,
                "propose " + std::to_string(session.client_id()) + "/" +
                    std::to_string(session.series_id()) + " " + std::string(message));
  }
  drumbeat::Result<void> SyncRequestAddReplica(drumbeat::ReplicaId replica,
                                               const std::string& address,
                                               Milliseconds timeout) override {
    return Take(change, timeout, "add " + address + " " + std::to_string(replica.value()));
  }
  drumbeat::Result<void> SyncRequestDeleteReplica(drumbeat::ReplicaId replica,
                                                  Milliseconds timeout) override {
    return Take(change, timeout, "remove " + std::to_string(replica.value()));
  }
  Clock::time_point Now() const override { return now_; }
  void Pause(Milliseconds time) override {
    now_ += time;
    if (on_pause) on_pause();
  }

 private:
  drumbeat::Result<void> Take(std::deque<Answer>& answers, Milliseconds timeout, std::string call) {
    calls.push_back(std::move(call));
    Answer answer;
    if (!answers.empty()) answer = answers.front();
    if (answers.size() > 1) answers.pop_front();
    now_ += std::min(answer.takes, timeout);
    if (answer.code) return drumbeat::Fail(*answer.code, answer.message);
    return {};
  }

  Clock::time_point now_;
  std::uint64_t sessions_ = 0;
};

}  // namespace helloworld
